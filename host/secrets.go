package host

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxSecret   = 64 << 10 // bytes
	minSecret   = 8        // bytes; a shorter one could not be masked without guessing
	secretMask  = "***"
	secretStart = "{{secret:"
)

var (
	secretName        = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]{0,63}$`)
	secretPlaceholder = regexp.MustCompile(`\{\{secret:([^{}]*)\}\}`)
)

// secrets are the values that one run may use without seeing them. They are read
// when the first one is needed, so that a changed file holds from the next run
// on. It is safe for concurrent use.
type secrets struct {
	granted []string
	environ func(string) (string, bool)

	once   sync.Once
	values map[string]string
	errs   map[string]error
	forms  []string // what is masked, in lower case
}

// placeholder is what a plugin writes instead of a secret. The error says that
// the secret is not granted or not set.
func (s *secrets) placeholder(name string) (string, error) {
	if _, err := s.value(name); err != nil {
		return "", err
	}
	return secretStart + name + "}}", nil
}

func (s *secrets) value(name string) (string, error) {
	if !slices.Contains(s.granted, name) {
		return "", deniedf("secret %.64q is not granted; the operator can add it to the plugin's grants.secrets in plugins.yaml", name)
	}
	s.load()
	return s.values[name], s.errs[name]
}

// fill puts the secrets of a text in. render makes a value fit what stands before
// it, which is filled already.
func (s *secrets) fill(text string, render func(value, before string) (string, error)) (filled string, used bool, err error) {
	if !strings.Contains(text, secretStart) {
		return text, false, nil
	}
	var b strings.Builder
	end := 0
	for _, at := range secretPlaceholder.FindAllStringSubmatchIndex(text, -1) {
		b.WriteString(text[end:at[0]])
		value, err := s.value(text[at[2]:at[3]])
		if err == nil {
			value, err = render(value, b.String())
		}
		if err != nil {
			return "", false, err
		}
		b.WriteString(value)
		end, used = at[1], true
	}
	b.WriteString(text[end:])
	return b.String(), used, nil
}

// fillURL fills an address. A secret that it begins with may be a whole address;
// any other one is escaped, so that it stays the part that it stands for. It is
// refused before the end of the host and the port: they go out by DNS and are
// told in messages, in a form that the mask might not know.
func (s *secrets) fillURL(text string) (string, error) {
	filled, _, err := s.fill(text, func(value, before string) (string, error) {
		switch {
		case before == "":
			return value, nil
		case !hasAuthority(before):
			return "", refusal("a secret cannot be a part of the URL's host or port; put it in a header, the path or the query, or make the whole address the secret")
		}
		return escapeURL(value), nil
	})
	return filled, err
}

// hasAuthority tells whether the beginning of an address has its host and port,
// to their end.
func hasAuthority(beginning string) bool {
	_, rest, ok := strings.Cut(beginning, "://")
	return ok && strings.ContainsAny(rest, "/?#")
}

// fillHeader fills the value of a header and tells whether there was a secret
// in it.
func (s *secrets) fillHeader(text string) (filled string, used bool, err error) {
	return s.fill(text, func(value, _ string) (string, error) { return value, nil })
}

func escapeURL(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// mask hides every secret of the run in a text, in whatever case its letters are:
// a server, or a host's name, may have changed it.
func (s *secrets) mask(text string) string {
	if len(s.granted) == 0 {
		return text
	}
	s.load()
	var b strings.Builder
	end := 0
	for _, at := range spansOf(lower(text), s.forms) {
		if at[0] >= end {
			b.WriteString(text[end:at[0]])
			b.WriteString(secretMask)
		}
		end = max(end, at[1]) // secrets may overlap
	}
	b.WriteString(text[end:])
	return b.String()
}

// spansOf lists where the forms stand in a text, by their beginning.
func spansOf(text string, forms []string) [][2]int {
	var spans [][2]int
	for _, form := range forms {
		end := 0 // of the span before
		for from := 0; ; from++ {
			i := strings.Index(text[from:], form)
			if i < 0 {
				break
			}
			if from += i; from < end { // it overlaps with itself
				spans[len(spans)-1][1] = from + len(form)
			} else {
				spans = append(spans, [2]int{from, from + len(form)})
			}
			end = from + len(form)
		}
	}
	slices.SortFunc(spans, func(a, b [2]int) int { return a[0] - b[0] })
	return spans
}

// lower puts the ASCII letters of a text in lower case and leaves every other
// byte where it is.
func lower(text string) string {
	b := []byte(text)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

func (s *secrets) load() {
	s.once.Do(func() {
		s.values, s.errs = map[string]string{}, map[string]error{}
		for _, name := range s.granted {
			value, err := readSecret(name, s.environ)
			s.values[name], s.errs[name] = value, err
			for _, form := range secretForms(value) {
				s.forms = append(s.forms, lower(form))
			}
		}
		slices.Sort(s.forms)
		s.forms = slices.Compact(s.forms)
	})
}

// secretForms lists how a value may look in an answer: as it is, in a URL, in
// JSON; and of an address also the part without the server's name.
func secretForms(value string) []string {
	values := []string{value}
	if u, err := url.Parse(value); err == nil && u.Host != "" {
		values = append(values, u.RequestURI())
	}
	var forms []string
	for _, v := range values {
		if len(v) < minSecret {
			continue
		}
		quoted, err := json.Marshal(v)
		if err != nil {
			continue
		}
		forms = append(forms, v, url.QueryEscape(v), url.PathEscape(v), escapeURL(v), string(quoted[1:len(quoted)-1]), strings.ReplaceAll(v, "/", `\/`))
	}
	return forms
}

// readSecret reads SECRET_<NAME>, or the file that SECRET_<NAME>_FILE names.
func readSecret(name string, environ func(string) (string, bool)) (string, error) {
	variable := "SECRET_" + strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name))
	value, set := environ(variable)
	path, inFile := environ(variable + "_FILE")
	switch {
	case set && inFile:
		return "", refusal("the secret %q is set twice, as %s and as %[2]s_FILE; the operator must set one", name, variable)
	case inFile:
		content, err := readBounded(path, maxSecret)
		if err != nil {
			return "", fmt.Errorf("read the secret %q from %s_FILE: %w", name, variable, err)
		}
		value = string(content)
	case !set:
		return "", refusal("the secret %q is not set; the operator must set %s or %[2]s_FILE for the server", name, variable)
	}
	if value = strings.TrimSpace(value); len(value) < minSecret {
		return "", refusal("the secret %q has less than %d bytes, too few to be kept secret", name, minSecret)
	}
	return value, nil
}

func wireError(kind wire.ErrorKind, format string, args ...any) *wire.Error {
	return &wire.Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

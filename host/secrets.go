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
	masker *strings.Replacer
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

// fill puts the secrets of a text in. escape renders a value that stands at an
// offset of the text.
func (s *secrets) fill(text string, escape func(value string, at int) string) (filled string, used bool, err error) {
	if !strings.Contains(text, secretStart) {
		return text, false, nil
	}
	var b strings.Builder
	end := 0
	for _, at := range secretPlaceholder.FindAllStringSubmatchIndex(text, -1) {
		value, err := s.value(text[at[2]:at[3]])
		if err != nil {
			return "", false, err
		}
		b.WriteString(text[end:at[0]])
		b.WriteString(escape(value, at[0]))
		end, used = at[1], true
	}
	b.WriteString(text[end:])
	return b.String(), used, nil
}

// fillURL fills an address. A secret that it begins with may be a whole address;
// any other one is escaped, so that it stays the part that it stands for.
func (s *secrets) fillURL(text string) (string, error) {
	filled, _, err := s.fill(text, func(value string, at int) string {
		if at == 0 {
			return value
		}
		return escapeURL(value)
	})
	return filled, err
}

// fillHeader fills the value of a header and tells whether there was a secret
// in it.
func (s *secrets) fillHeader(text string) (filled string, used bool, err error) {
	return s.fill(text, func(value string, _ int) string { return value })
}

func escapeURL(value string) string { return strings.ReplaceAll(url.QueryEscape(value), "+", "%20") }

// mask hides every secret of the run in a text.
func (s *secrets) mask(text string) string {
	if len(s.granted) == 0 {
		return text
	}
	s.load()
	return s.masker.Replace(text)
}

func (s *secrets) load() {
	s.once.Do(func() {
		s.values, s.errs = map[string]string{}, map[string]error{}
		var forms []string
		for _, name := range s.granted {
			value, err := readSecret(name, s.environ)
			s.values[name], s.errs[name] = value, err
			forms = append(forms, secretForms(value)...)
		}
		// The longest first: a secret may begin as another one does.
		slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
		var pairs []string
		for _, form := range slices.Compact(forms) {
			pairs = append(pairs, form, secretMask)
		}
		s.masker = strings.NewReplacer(pairs...)
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

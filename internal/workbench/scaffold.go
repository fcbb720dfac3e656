package workbench

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/nexuscore/scheduler/examples"
)

//go:embed templates
var templates embed.FS

// Scaffold says what a new plugin is like.
type Scaffold struct {
	Name string // of the plugin, its task type and its directory
	Dir  string // where the directory is made; "" is here
	Lang string // one of Languages; "" is go
	SDK  string // directory of a clone of the scheduler, which Go takes its sdk from; "" is the published module
}

// Languages lists those that there is a scaffold for.
func Languages() []string {
	var names []string
	entries, _ := templates.ReadDir("templates") // embedded
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

var pluginName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,63}$`)

// Write makes the directory and returns its files' paths. It does not touch a
// directory that has something in it.
func (s Scaffold) Write() (files []string, err error) {
	if s.Lang == "" {
		s.Lang = "go"
	}
	switch {
	case !pluginName.MatchString(s.Name):
		return nil, fmt.Errorf("%q is no name for a plugin: lower-case letters, digits, - and _, beginning with a letter", s.Name)
	case !slices.Contains(Languages(), s.Lang):
		return nil, fmt.Errorf("there is no scaffold for %q; there is one for %s", s.Lang, strings.Join(Languages(), ", "))
	}
	if s.SDK != "" {
		if s.SDK, err = filepath.Abs(s.SDK); err != nil {
			return nil, err
		}
		if _, err := os.Stat(filepath.Join(s.SDK, "sdk")); err != nil {
			return nil, fmt.Errorf("%s has no sdk in it; name a clone of the scheduler", s.SDK)
		}
	}
	dir := filepath.Join(s.Dir, s.Name)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s exists and is not empty", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // a directory of sources
		return nil, err
	}
	root := "templates/" + s.Lang
	entries, err := templates.ReadDir(root)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		path, err := s.file(dir, root+"/"+e.Name())
		if err != nil {
			return files, err
		}
		files = append(files, path)
	}
	switch {
	case s.Lang != "go":
		copied, err := s.example(dir)
		return append(copied, files...), err
	case s.SDK != "":
		return files, s.sums(dir)
	}
	return files, nil
}

// example copies the sources of another language: its single-file SDK as it is,
// and the greeter under the plugin's name.
func (s Scaffold) example(dir string) (files []string, err error) {
	entries, err := examples.Sources.ReadDir(s.Lang)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		raw, err := examples.Sources.ReadFile(s.Lang + "/" + e.Name())
		if err != nil {
			return files, err
		}
		name := e.Name()
		if rest, own := strings.CutPrefix(name, "greeter"); own {
			name, raw = s.Name+rest, []byte(strings.ReplaceAll(string(raw), "greeter", s.Name))
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, raw, 0o644); err != nil { //nolint:gosec // a source
			return files, err
		}
		files = append(files, path)
	}
	return files, nil
}

// sums takes over the checksums of what the sdk stands on, so that they need not
// be asked for.
func (s Scaffold) sums(dir string) error {
	raw, err := os.ReadFile(filepath.Join(s.SDK, "go.sum"))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "go.sum"), raw, 0o644) //nolint:gosec // beside the sources
}

// file writes one file. Its name without .tmpl is that of the template, with NAME
// replaced.
func (s Scaffold) file(dir, source string) (string, error) {
	raw, err := templates.ReadFile(source)
	if err != nil {
		return "", err
	}
	t, err := template.New(source).Delims("[[", "]]").Parse(string(raw))
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := t.Execute(&text, s); err != nil {
		return "", err
	}
	name := strings.NewReplacer("NAME", s.Name, "dot-", ".").Replace(strings.TrimSuffix(filepath.Base(source), ".tmpl"))
	path := filepath.Join(dir, name)
	return path, os.WriteFile(path, []byte(text.String()), 0o644) //nolint:gosec // a source
}

package host

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const maxFile = 1 << 20 // bytes of plugins.yaml

// entry is one plugin as plugins.yaml lists it. problem says what is wrong with
// it; the other fields then hold what could be read.
type entry struct {
	taskType string
	runtime  string
	source   string // as written
	path     string // source, relative to the directory of the file
	sha256   string
	limits   Limits
	init     Init
	grants   Grants
	egress   egressPolicy // what grants says about the network
	config   json.RawMessage
	expanded []string // what is in it from the environment
	problem  error
}

// same tells whether two entries mean the same, whatever they are called in the
// file.
func (e entry) same(other entry) bool { return reflect.DeepEqual(e, other) }

// file is what documents list. Its entries have different types.
type file struct {
	docs    []document
	entries []entry
}

// fileReader reads documents.
type fileReader struct {
	environ func(string) (string, bool)
	timeout time.Duration // default of limits.timeout
}

// content is a document's top level.
type content struct {
	RequireDigest bool       `yaml:"requireDigest"`
	Plugins       []ast.Node `yaml:"plugins"`
}

// read reads documents together. The error is about one of them as a whole. What
// is wrong with one entry is the entry's problem.
func (r fileReader) read(docs []document) (file, error) {
	f := file{docs: docs}
	seen := map[string]string{} // type to where it is listed
	for _, d := range docs {
		if err := r.add(&f, d, seen); err != nil {
			return file{}, d.place(err)
		}
	}
	return f, nil
}

// add adds what a document lists.
func (r fileReader) add(f *file, d document, seen map[string]string) error {
	root, err := parse(d.text)
	if err != nil {
		return err
	}
	var c content
	if err := yaml.NodeToValue(root, &c, yaml.Strict()); err != nil {
		return yamlError(err)
	}
	for _, node := range c.Plugins {
		e := r.entry(d, node, c.RequireDigest)
		if e.taskType == "" {
			return fmt.Errorf("line %d: %w", line(node), e.problem)
		}
		if first, ok := seen[e.taskType]; ok {
			return fmt.Errorf("line %d: type %q is listed twice, first at %s", line(node), e.taskType, first)
		}
		seen[e.taskType] = d.place(fmt.Errorf("line %d", line(node))).Error()
		if e.problem != nil {
			e.problem = d.place(e.problem)
		}
		f.entries = append(f.entries, e)
	}
	return nil
}

// place says in which document something is wrong, when there are several.
func (d document) place(err error) error {
	if d.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", d.name, err)
}

func parse(text []byte) (ast.Node, error) {
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, yamlError(err)
	}
	switch {
	case len(tree.Docs) > 1:
		return nil, errors.New("more than one YAML document; remove the --- lines")
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil || tree.Docs[0].Body.Type() == ast.NullType:
		return nil, errors.New("the file is empty; write `plugins: []` for no plugins")
	}
	return tree.Docs[0].Body, noAlias(tree.Docs[0].Body)
}

// noAlias refuses aliases such as *name. A few lines of aliases of aliases are
// gigabytes when they are read.
func noAlias(root ast.Node) error {
	if found := ast.Filter(ast.AliasType, root); len(found) > 0 {
		return fmt.Errorf("line %d: *%s is an alias, which is not taken here; write out what it stands for", line(found[0]), found[0].(*ast.AliasNode).Value)
	}
	return nil
}

// entry reads one element of plugins. It has an empty type when not even that
// could be read.
func (r fileReader) entry(d document, node ast.Node, requireDigest bool) entry {
	taskType, written := typeOf(node)
	if taskType == "" && written {
		return entry{problem: errors.New("type is no name of a task type; use lower-case letters, digits, - and _, 64 at most, beginning with a letter")}
	}
	if taskType == "" {
		return entry{problem: errors.New("a plugin needs a type, the task type it serves, for example type: reminder")}
	}
	raw := rawEntry{Type: taskType}
	expanded, err := expand(node, r.environ)
	if err != nil {
		return entry{taskType: taskType, problem: err}
	}
	if err := yaml.NodeToValue(node, &raw, yaml.Strict()); err != nil {
		return entry{taskType: taskType, runtime: raw.Runtime, source: raw.Source, expanded: expanded, problem: yamlError(err)}
	}
	e, err := raw.check(locator{node}, r.timeout)
	e.expanded = expanded
	if err == nil && requireDigest && e.sha256 == "" {
		err = errors.New("requireDigest is set and the entry has no sha256; add the output of sha256sum")
	}
	if err == nil && d.far && !filepath.IsLocal(e.source) {
		err = locator{node}.error("source", "is not a path below the directory of PLUGINS_CONFIG, where this server looks for what the config service lists")
	}
	e.problem = err
	if e.path = filepath.Clean(e.source); !filepath.IsAbs(e.path) {
		e.path = filepath.Join(d.dir, e.path)
	}
	return e
}

// typeOf reads the type of an entry, as far as it can be read at all. written
// tells whether there is something in its place.
func typeOf(node ast.Node) (taskType string, written bool) {
	var lenient struct {
		Type string `yaml:"type"`
	}
	if yaml.NodeToValue(node, &lenient) != nil || !nameSyntax.MatchString(lenient.Type) {
		return "", lenient.Type != ""
	}
	return lenient.Type, true
}

func line(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// yamlError renders an error of the YAML library without the excerpt of the
// file, which may hold secrets.
func yamlError(err error) error {
	if e, ok := errors.AsType[yaml.Error](err); ok {
		if t := e.GetToken(); t != nil && t.Position != nil {
			return fmt.Errorf("line %d: %s", t.Position.Line, e.GetMessage())
		}
		return errors.New(e.GetMessage())
	}
	return errors.New(yaml.FormatError(err, false, false))
}

// readBounded reads a file that may be at most limit bytes long.
func readBounded(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path) //nolint:gosec // the operator says which files are read
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	var content bytes.Buffer
	if info, err := f.Stat(); err == nil {
		content.Grow(int(min(info.Size(), limit)) + bytes.MinRead) // a program of megabytes is not to be copied while it is read
	}
	if _, err := content.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(content.Len()) > limit {
		return nil, fmt.Errorf("%s is larger than %s", path, Size(limit))
	}
	return content.Bytes(), nil
}

package host

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxFiles bounds the files of a directory that lists plugins.
const maxFiles = 256

// document is one text that lists plugins.
type document struct {
	name string // for messages; empty when there is only one
	dir  string // what relative sources are relative to
	text []byte
	far  bool // it comes from another machine
}

// source is where plugins are listed. Its methods are called one at a time.
type source interface {
	// read returns what is listed now. The error wraps fs.ErrNotExist when there is
	// nothing.
	read(ctx context.Context) ([]document, error)
	// look is read for somebody who looks all the time: it may return what is
	// known already, and false when it cannot be told.
	look(ctx context.Context) (docs []document, known bool, err error)
	// kept returns what was listed when it was last used, for when it cannot be
	// read; false when that is not kept.
	kept() ([]document, bool)
	// keep is told that what read has returned is used now.
	keep(docs []document) error
}

// pathSource is a file, or a directory of them.
type pathSource struct {
	path string
}

// read implements source. Of a directory it reads the files whose names end in
// .yaml or .yml, in the order of their names, but not hidden ones. A directory
// without any is an error: most likely it is not the one that was meant.
func (p pathSource) read(context.Context) ([]document, error) {
	if info, err := os.Stat(p.path); err != nil || !info.IsDir() {
		text, err := readBounded(p.path, maxFile)
		if err != nil {
			return nil, err
		}
		return []document{{dir: filepath.Dir(p.path), text: text}}, nil
	}
	names, err := listNames(p.path)
	if err != nil {
		return nil, err
	}
	docs := make([]document, 0, len(names))
	for _, name := range names {
		text, err := readBounded(filepath.Join(p.path, name), maxFile)
		if err != nil {
			return nil, errors.New(name + ": " + err.Error()) // that it does not exist is not said of the directory
		}
		docs = append(docs, document{name: name, dir: p.path, text: text})
	}
	return docs, nil
}

// listNames lists the files of a directory that list plugins.
func listNames(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // in the order of their names
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if strings.HasPrefix(e.Name(), ".") || ext != ".yaml" && ext != ".yml" {
			continue
		}
		// A link is what it leads to: that is how mounted configuration looks.
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && !info.Mode().IsRegular() {
			continue
		}
		names = append(names, e.Name())
	}
	switch {
	case len(names) == 0:
		return nil, errors.New("the directory has no file whose name ends in .yaml; write one with `plugins: []` for no plugins")
	case len(names) > maxFiles:
		return nil, fmt.Errorf("the directory has %d files, at most %d are read", len(names), maxFiles)
	}
	return names, nil
}

// look implements source. What is no regular file is left alone: reading it may
// wait for somebody, and take away what he writes.
func (p pathSource) look(ctx context.Context) (docs []document, known bool, err error) {
	if info, err := os.Stat(p.path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, false, nil
	}
	docs, err = p.read(ctx)
	return docs, true, err
}

// kept implements source: the file itself is what is kept.
func (pathSource) kept() ([]document, bool) { return nil, false }

// keep implements source.
func (pathSource) keep([]document) error { return nil }

// sighting is what was listed at some time; the zero value stands for nothing.
type sighting [sha256.Size]byte

// sightingOf sums up what reading gave. What cannot be read is told by the
// reload that follows.
func sightingOf(docs []document, err error) sighting {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sighting{}
	case err != nil:
		return sha256.Sum256([]byte("unreadable: " + err.Error()))
	}
	sum := sha256.New()
	for _, d := range docs {
		_, _ = fmt.Fprintf(sum, "%q %d\n", d.name, len(d.text)) // a hash takes everything
		_, _ = sum.Write(d.text)
	}
	return sighting(sum.Sum(nil))
}

var _ source = pathSource{}

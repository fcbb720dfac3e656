package workbench

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nexuscore/scheduler/host/wasm/loader"
)

// Anatomy is what a module consists of.
type Anatomy struct {
	Imports   []string // module.name (params) -> (results)
	MemoryMin uint64   // pages of 64 KiB that it starts with
	MemoryMax uint64   // pages that it may have by what it declares
	Stateful  bool     // its state is more than memory and globals: every run makes a new instance
}

// pageSize is a page of WebAssembly's memory, in bytes.
const pageSize = 64 << 10

// Dissect looks into a module. It fails for a process.
func (p Program) Dissect() (Anatomy, error) {
	if p.Runtime != Wasm {
		return Anatomy{}, fmt.Errorf("%s is no WebAssembly module", p.Path)
	}
	m, err := loader.Load(p.content)
	if err != nil {
		return Anatomy{}, err
	}
	a := Anatomy{MemoryMin: m.MemoryMin, MemoryMax: m.MemoryMax, Stateful: m.Stateful}
	for _, i := range m.Imports {
		a.Imports = append(a.Imports, i.Module+"."+i.Name+" "+i.Signature.String())
	}
	slices.Sort(a.Imports)
	return a, nil
}

// Lines renders what is known about a program for people.
func (p Program) Lines() []string {
	m := p.Manifest
	lines := []string{
		"file          " + p.Path,
		fmt.Sprintf("size          %d bytes", p.Size),
		"sha256        " + p.Digest,
		"runtime       " + p.Runtime,
		fmt.Sprintf("plugin        %s@%s, ABI %d", m.Name, m.Version, m.ABI),
		"summary       " + orNone(m.Summary),
		"capabilities  " + orNone(strings.Join(m.Capabilities, ", ")),
		"optional      " + orNone(strings.Join(m.Optional, ", ")),
		"data schema   " + orNone(string(m.DataSchema)),
		"config schema " + orNone(string(m.ConfigSchema)),
	}
	a, err := p.Dissect()
	if err != nil {
		return lines
	}
	lines = append(lines, fmt.Sprintf("memory        starts with %d KiB", a.MemoryMin*pageSize>>10))
	if a.Stateful {
		lines = append(lines, "reset         by a new instance in every run: it changes tables or drops segments")
	}
	lines = append(lines, fmt.Sprintf("imports       %d functions", len(a.Imports)))
	for _, i := range a.Imports {
		lines = append(lines, "              "+i)
	}
	return lines
}

func orNone(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

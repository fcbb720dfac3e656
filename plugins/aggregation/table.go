package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nexuscore/scheduler/sdk"
)

// The bounds of one result. All of it is exact, so all of it must fit into the
// plugin's memory.
const (
	maxRows   = 100_000
	maxGroups = 1000
)

// row has the values of the fields that a task names, in their order.
type row []any

// table makes figures of rows. It is not safe for concurrent use.
type table struct {
	in     input
	fields []string       // all JSON Pointers that are needed of a row
	at     map[string]int // where they are in a row

	numeric []bool   // which of them are counted with
	numbers []number // of the row that is being added

	rows    int
	ignored int // values that are no numbers where one is needed
	all     *group
	groups  map[string]*group
}

// group is the rows that have the same in the fields of groupBy.
type group struct {
	key     []any
	rows    int
	columns map[int]*column
	tops    []ranking
}

func newTable(in input) *table {
	t := &table{in: in, at: map[string]int{}, groups: map[string]*group{}}
	for _, pointer := range in.GroupBy {
		t.field(pointer, false)
	}
	for _, m := range in.Metrics {
		t.field(m.Field, m.Op != opCount)
	}
	for _, top := range in.Top {
		t.field(top.Field, false)
		t.field(top.By, true)
	}
	t.numbers = make([]number, len(t.fields))
	t.all = t.newGroup(nil)
	return t
}

// field notes that a field is needed, and whether as a number.
func (t *table) field(pointer string, numeric bool) {
	if pointer == "" {
		return
	}
	i, known := t.at[pointer]
	if !known {
		i = len(t.fields)
		t.at[pointer], t.fields, t.numeric = i, append(t.fields, pointer), append(t.numeric, false)
	}
	t.numeric[i] = t.numeric[i] || numeric
}

func (t *table) newGroup(key []any) *group {
	g := &group{key: key, columns: map[int]*column{}}
	for _, m := range t.in.Metrics {
		if m.Field == "" {
			continue
		}
		i := t.at[m.Field]
		if g.columns[i] == nil {
			g.columns[i] = &column{}
		}
		g.columns[i].keep = g.columns[i].keep || isPercentile(m.Op)
	}
	for range t.in.Top {
		g.tops = append(g.tops, ranking{})
	}
	return g
}

// project takes what is needed of a document.
func (t *table) project(doc any) row {
	r := make(row, len(t.fields))
	for i, pointer := range t.fields {
		r[i] = lookup(doc, pointer)
	}
	return r
}

// add counts a row. The error, too many rows or groups, is permanent.
func (t *table) add(r row) error {
	if t.rows++; t.rows > maxRows {
		return sdk.Permanent(fmt.Errorf("more than %d rows; narrow the window or the sources", maxRows))
	}
	numbers, err := t.read(r)
	if err != nil {
		return sdk.Permanent(err)
	}
	t.count(t.all, r, numbers)
	if len(t.in.GroupBy) == 0 {
		return nil
	}
	key := r[:len(t.in.GroupBy)]
	name := names(key)
	g := t.groups[name]
	if g == nil {
		if len(t.groups) >= maxGroups {
			return sdk.Permanent(fmt.Errorf("more than %d groups; group by something that has fewer values", maxGroups))
		}
		g = t.newGroup(key)
		t.groups[name] = g
	}
	t.count(g, r, numbers)
	return nil
}

// read reads the numbers that are counted with, by field. What is none is left at
// zero, which no number is.
func (t *table) read(r row) ([]number, error) {
	clear(t.numbers)
	for i, numeric := range t.numeric {
		if !numeric || r[i] == nil {
			continue
		}
		n, isNumber := r[i].(json.Number)
		if !isNumber {
			t.ignored++
			continue
		}
		var err error
		if t.numbers[i], err = numberOf(n); err != nil {
			return nil, fmt.Errorf("%s: %w", t.fields[i], err)
		}
	}
	return t.numbers, nil
}

func (t *table) count(g *group, r row, numbers []number) {
	g.rows++
	for i, c := range g.columns {
		c.add(r[i], numbers[i])
	}
	for i, top := range t.in.Top {
		value, by := r[t.at[top.Field]], number{}
		if top.By != "" {
			by = numbers[t.at[top.By]]
		}
		if value != nil && (top.By == "" || by.is()) {
			g.tops[i].add(value, by)
		}
	}
}

// figures is what is made of a group's rows.
type figures struct {
	Rows    int                        `json:"rows"`
	Metrics map[string]json.RawMessage `json:"metrics,omitempty"`
	Top     map[string][]ranked        `json:"top,omitempty"`
}

// groupFigures is a group as it is shown.
type groupFigures struct {
	Group map[string]any `json:"group"` // by the pointers of groupBy
	figures
}

func (t *table) figures(g *group) figures {
	f := figures{Rows: g.rows}
	for _, m := range t.in.Metrics {
		if f.Metrics == nil {
			f.Metrics = map[string]json.RawMessage{}
		}
		if m.Field == "" {
			f.Metrics[m.As] = json.RawMessage(fmt.Sprint(g.rows))
			continue
		}
		f.Metrics[m.As] = g.columns[t.at[m.Field]].figure(m.Op)
	}
	for i, top := range t.in.Top {
		if f.Top == nil {
			f.Top = map[string][]ranked{}
		}
		f.Top[top.As] = g.tops[i].first(top.K, top.By != "")
	}
	return f
}

// grouped returns the groups, those with the most rows first.
func (t *table) grouped() []groupFigures {
	names := slices.SortedFunc(maps.Keys(t.groups), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.groups[b].rows, t.groups[a].rows), strings.Compare(a, b))
	})
	var shown []groupFigures
	for _, name := range names {
		g := t.groups[name]
		key := map[string]any{}
		for i, pointer := range t.in.GroupBy {
			key[pointer] = g.key[i]
		}
		shown = append(shown, groupFigures{key, t.figures(g)})
	}
	return shown
}

// names is what a group is found by: equal values have the same, in their order.
func names(values []any) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = text(v)
	}
	return strings.Join(texts, "\x00")
}

// text writes a value in the one way that equal ones are written. Texts and
// numbers need no JSON for that, and are most of them.
func text(v any) string {
	switch v := v.(type) {
	case string:
		return `"` + v
	case json.Number:
		return v.String()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v) // never: it was read from JSON
	}
	return string(raw)
}

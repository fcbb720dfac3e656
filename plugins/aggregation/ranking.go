package main

import (
	"cmp"
	"encoding/json"
	"slices"
)

// ranking counts how often values are there, and how much of a number comes with
// each.
type ranking map[string]*tally

type tally struct {
	value any
	count int
	sum   sum
}

// ranked is a value as it is shown.
type ranked struct {
	Value any             `json:"value"`
	Count int             `json:"count"`
	Sum   json.RawMessage `json:"sum,omitempty"`
}

func (r ranking) add(value any, by number) {
	key := text(value)
	if r[key] == nil {
		r[key] = &tally{value: value}
	}
	r[key].count++
	if by.is() {
		r[key].sum.add(by)
	}
}

// first returns the k values that are there most often, or with the largest sums.
// Those that are equal in that come in the order of their text.
func (r ranking) first(k int, bySum bool) []ranked {
	keys := make([]string, 0, len(r))
	for key := range r {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int {
		order := cmp.Compare(r[b].count, r[a].count)
		if bySum {
			order = r[b].sum.total().Cmp(r[a].sum.total())
		}
		return cmp.Or(order, cmp.Compare(a, b))
	})
	shown := []ranked{}
	for _, key := range keys[:min(k, len(keys))] {
		one := ranked{Value: r[key].value, Count: r[key].count}
		if bySum {
			one.Sum = rendered(r[key].sum.total())
		}
		shown = append(shown, one)
	}
	return shown
}

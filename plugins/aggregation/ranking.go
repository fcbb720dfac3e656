package main

import (
	"cmp"
	"encoding/json"
	"math/big"
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
	places := r.places(bySum)
	slices.SortFunc(places, place.compare)
	shown := []ranked{}
	for _, p := range places[:min(k, len(places))] {
		one := ranked{Value: p.value, Count: p.count}
		if bySum {
			one.Sum = rendered(p.total)
		}
		shown = append(shown, one)
	}
	return shown
}

// place is what a value is ranked by.
type place struct {
	*tally
	key   string
	total *big.Rat // nil: by the count
}

// places has all values, in no order. Each is summed up once, as sorting compares
// it many times.
func (r ranking) places(bySum bool) []place {
	places := make([]place, 0, len(r))
	for key, of := range r {
		p := place{tally: of, key: key}
		if bySum {
			p.total = of.sum.total()
		}
		places = append(places, p)
	}
	return places
}

// compare puts the larger one first.
func (p place) compare(q place) int {
	order := cmp.Compare(q.count, p.count)
	if p.total != nil {
		order = q.total.Cmp(p.total)
	}
	return cmp.Or(order, cmp.Compare(p.key, q.key))
}

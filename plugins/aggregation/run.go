package main

import (
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/sdk"
)

// run collects the rows of one run.
type run struct {
	c     *sdk.Context
	in    input
	out   *output
	table *table
	fresh []row // what later runs need of this one
}

// collect asks all sources. Rows that know no time of their own join those of the
// earlier runs in the window.
func (r *run) collect(cfg platforms.Config) error {
	kept := samples{r.c, r.in.window(), r.table.fields}
	if r.in.WindowMS > 0 {
		from := r.out.At.Add(-r.in.window())
		r.out.From = &from
	}
	if r.sampled() {
		if err := kept.earlier(r.table.add); err != nil {
			return err
		}
	}
	co := collector{c: r.c, cfg: cfg, add: r.add}
	for i, s := range r.in.Sources {
		if err := co.collect(s); err != nil {
			return fmt.Errorf("source %d: %w", i+1, err)
		}
	}
	r.out.Pages, r.out.More = co.pages, co.more
	if r.sampled() {
		return kept.keep(r.fresh)
	}
	return nil
}

// sampled tells whether the rows of a window are those of several runs.
func (r *run) sampled() bool { return r.in.WindowMS > 0 && r.in.TimeField == "" }

// add takes a row.
func (r *run) add(doc any) error {
	if r.in.TimeField != "" && !r.within(doc) {
		return nil
	}
	projected := r.table.project(doc)
	if r.sampled() {
		r.fresh = append(r.fresh, projected)
	}
	return r.table.add(projected)
}

// within tells whether a row's own time is in the window: from its beginning on,
// and before its end.
func (r *run) within(doc any) bool {
	text, _ := lookup(doc, r.in.TimeField).(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		r.out.Ignored++
		return false
	}
	if at.Before(r.out.At.Add(-r.in.window())) || !at.Before(r.out.At) {
		r.out.Outside++
		return false
	}
	return true
}

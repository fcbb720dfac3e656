package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

// The bounds of what is kept from run to run.
const (
	maxSamples  = 2000     // parts in a window
	maxPartSize = 48 << 10 // bytes of one part; a value of the state has 64 KiB
	maxParts    = 64       // of one run

	maxKept = 366 * 24 * time.Hour // the longest that the state keeps a value
)

// samples are the rows of earlier runs, for a window of rows that know no time of
// their own. Those of a run are kept in parts, under its time, and vanish some time
// after the window has passed them.
type samples struct {
	c      *sdk.Context
	window time.Duration
	fields []string
}

// part is one value of the state.
type part struct {
	Fields []string `json:"fields"` // what the rows have, in their order: a task may be changed
	Rows   []row    `json:"rows"`
}

func (s samples) prefix() string { return "samples/" + s.c.Execution.TaskID + "/" }

// key sorts by time.
func (s samples) key(at time.Time, n int) string {
	return fmt.Sprintf("%s%015d.%02d", s.prefix(), at.UnixMilli(), n)
}

// ttl is how long a sample is kept. The state counts from when it was written, the
// window from when runs are meant for: a run that comes late, up to a window, still
// finds what is in its window.
func (s samples) ttl() time.Duration { return min(2*s.window, maxKept) }

// earlier calls add with the rows of the runs before this one that are younger than
// the window. One as old as the window has been passed by it, so that as many runs
// count as fit into it.
func (s samples) earlier(add func(row) error) error {
	keys, err := s.c.Keys(s.prefix())
	if err != nil {
		return err
	}
	now := s.c.Execution.NominalTime
	keys = slices.DeleteFunc(keys, func(key string) bool {
		at, ok := s.timeOf(key)
		return !ok || !at.Before(now) || !at.After(now.Add(-s.window))
	})
	if len(keys) > maxSamples {
		return sdk.Permanent(fmt.Errorf("the window holds more than %d samples; shorten windowMs, or let the task run less often", maxSamples))
	}
	for _, key := range keys {
		if err := s.part(key, add); err != nil {
			return err
		}
	}
	return nil
}

// timeOf reads when the run of a key was meant for.
func (s samples) timeOf(key string) (time.Time, bool) {
	text, _, _ := strings.Cut(strings.TrimPrefix(key, s.prefix()), ".")
	ms, err := strconv.ParseInt(text, 10, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

func (s samples) part(key string, add func(row) error) error {
	var raw json.RawMessage
	found, err := s.c.Get(key, &raw)
	if !found || err != nil {
		return err
	}
	doc, err := decode(raw)
	if err != nil {
		return sdk.Permanent(fmt.Errorf("%s: %w", key, err))
	}
	fields, _ := lookup(doc, "/fields").([]any)
	where := map[string]int{}
	for i, field := range fields {
		if pointer, ok := field.(string); ok {
			where[pointer] = i
		}
	}
	rows, _ := lookup(doc, "/rows").([]any)
	for _, stored := range rows {
		values, _ := stored.([]any)
		r := make(row, len(s.fields))
		for i, pointer := range s.fields {
			if at, known := where[pointer]; known && at < len(values) {
				r[i] = values[at]
			}
		}
		if err := add(r); err != nil {
			return err
		}
	}
	return nil
}

// keep keeps this run's rows, in place of what an earlier run for the same time
// has kept.
func (s samples) keep(rows []row) error {
	now, n := s.c.Execution.NominalTime, 0
	for len(rows) > 0 {
		fit, err := s.fitting(rows)
		if err != nil {
			return err
		}
		if n == maxParts {
			return sdk.Permanent(errors.New("the rows of one run are too many to keep; without windowMs they need not be kept, with a timeField neither"))
		}
		if err := s.c.Set(s.key(now, n), part{s.fields, rows[:fit]}, s.ttl()); err != nil {
			return err
		}
		rows, n = rows[fit:], n+1
	}
	keys, err := s.c.Keys(s.prefix())
	if err != nil {
		return err
	}
	for _, key := range keys {
		if at, ok := s.timeOf(key); ok && at.Equal(now.Truncate(time.Millisecond)) && key >= s.key(now, n) {
			if err := s.c.Delete(key); err != nil {
				return err
			}
		}
	}
	return nil
}

// fitting is how many of the rows, from the first on, fit into one part.
func (s samples) fitting(rows []row) (int, error) {
	size := 0
	for i, r := range rows {
		raw, err := json.Marshal(r)
		if err != nil {
			return 0, sdk.Permanent(err)
		}
		size += len(raw) + 1
		switch {
		case size > maxPartSize && i == 0:
			return 0, sdk.Permanent(fmt.Errorf("a row of %d bytes, at most %d can be kept", size, maxPartSize))
		case size > maxPartSize:
			return i, nil
		}
	}
	return len(rows), nil
}

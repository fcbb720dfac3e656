package core

import (
	"iter"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

// occurrences yields what a task will do, beginning with its next occurrence.
// The planner and the preview both read it, so they cannot disagree.
func (t Task) occurrences(spec *schedule.Spec) iter.Seq[schedule.Occurrence] {
	if t.Plan.NextNominal == nil {
		return func(func(schedule.Occurrence) bool) {}
	}
	return occurrences(spec, t.Plan.NextNominal.Add(-time.Microsecond))
}

// occurrences yields those of a rule after an instant, in order.
func occurrences(spec *schedule.Spec, after time.Time) iter.Seq[schedule.Occurrence] {
	return func(yield func(schedule.Occurrence) bool) {
		for o, ok := spec.Next(after); ok; o, ok = spec.Next(o.Nominal) {
			if !yield(o) {
				return
			}
		}
	}
}

// startingFrom leaves out what a calendar moved to before an instant.
func startingFrom(from time.Time, seq iter.Seq[schedule.Occurrence]) iter.Seq[schedule.Occurrence] {
	return func(yield func(schedule.Occurrence) bool) {
		for o := range seq {
			if !o.At.Before(from) && !yield(o) {
				return
			}
		}
	}
}

// take returns the first n of a sequence.
func take(seq iter.Seq[schedule.Occurrence], n int) []schedule.Occurrence {
	all := []schedule.Occurrence{}
	for o := range seq {
		if len(all) == n {
			break
		}
		all = append(all, o)
	}
	return all
}

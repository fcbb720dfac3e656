package schedule

// MaxSteps bounds the work of one call of [Spec.Next], [Spec.Prev] or
// [Spec.InWindow]. A step is the look at one rule match, one date, one period of
// constant offset or one window opening.
//
// Where it comes from: the supported years have 84,006 dates. A search visits
// each at most a few times (once as a date of the rule, once in a run of
// excluded dates, once as an opening of a window), and a search backwards
// repeats a forward one no more often than an instant has bits.
const MaxSteps = 40_000_000

// meter counts steps, so that a search that would not end is cut off and tests
// can hold the bound. The zero value is ready.
type meter struct{ steps int }

// step counts one step and reports whether the search may go on.
func (m *meter) step() bool {
	m.steps++
	return m.steps <= MaxSteps
}

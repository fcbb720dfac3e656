package schedule

// MaxSteps bounds the work of one call of [Spec.Next], [Spec.Prev],
// [Spec.InWindow] or [Spec.Never], whatever the schedule: well under a second.
// A step is the look at one rule match, one year or date, one period of constant
// offset or one window opening.
//
// A rule alone never comes near it: the supported years are 230 and their dates
// 84,006. Only windows or calendars that drop one occurrence after another for
// decades can, and such a search gives up: it reports that there is nothing.
const MaxSteps = 5_000_000

// meter counts steps, so that a search that would not end is cut off and tests
// can hold the bound. The zero value is ready.
type meter struct{ steps int }

// step counts one step and reports whether the search may go on.
func (m *meter) step() bool {
	m.steps++
	return m.steps <= MaxSteps
}

// exhausted reports that a search was cut off, so that its result means nothing.
func (m *meter) exhausted() bool { return m.steps > MaxSteps }

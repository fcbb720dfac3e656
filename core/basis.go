package core

import (
	"errors"
	"reflect"
)

// Basis is what a task's next run was computed from beside the task itself. A
// store looks, in the step that writes the task, whether it is still so: a
// shared schedule or a calendar may have changed since it was read.
type Basis struct {
	Calendars CalendarSet
}

// ErrBasisChanged says that a schedule or calendar changed between the
// computation of a task and its writing. Nothing was written; compute again.
var ErrBasisChanged = errors.New("the schedule or a calendar of the task has changed meanwhile")

// CheckBasis compares a task with the schedule it names (nil when it names
// none) and its calendars, as they are in the step that writes it.
func (t Task) CheckBasis(shared *Schedule, set CalendarSet) error {
	switch {
	case t.Basis == nil:
		return nil
	case shared != nil && !reflect.DeepEqual(shared.Timing, t.Timing):
		return ErrBasisChanged
	case len(set)+len(t.Basis.Calendars) > 0 && !reflect.DeepEqual(set, t.Basis.Calendars):
		return ErrBasisChanged
	}
	return nil
}

// basisTries bounds how often an operation is computed anew.
const basisTries = 5

// onBasis repeats an operation while its basis changes under it.
func onBasis[T any](operation func() (T, error)) (T, error) {
	for range basisTries - 1 {
		v, err := operation()
		if !errors.Is(err, ErrBasisChanged) {
			return v, err
		}
	}
	v, err := operation()
	if errors.Is(err, ErrBasisChanged) {
		err = &Error{Code: CodeConflict, Message: err.Error() + "; try again", Err: err}
	}
	return v, err
}

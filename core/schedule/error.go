package schedule

import "strconv"

// Error says what is wrong with a schedule, in words for the person who wrote
// it. The fields are safe to show.
type Error struct {
	// Field is the path of the field as the API spells it, such as
	// "cronExpression", "timezone", "executionWindows/0/start" or
	// "calendars/0/dates/3".
	Field string
	// Value is what the field held.
	Value string
	// Reason says what is wrong, without a full stop: "minute 60 is out of 0–59".
	Reason string
	// Hint says what to write instead; empty when there is nothing to suggest.
	Hint string
}

// Error gives field, value, reason and hint in one line.
func (e *Error) Error() string {
	text := e.Field + " " + strconv.Quote(e.Value) + ": " + e.Reason
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

func fail(field, value, reason, hint string) *Error {
	return &Error{Field: field, Value: value, Reason: reason, Hint: hint}
}

// at puts an error under a parent path.
func (e *Error) at(parent string) *Error {
	e.Field = parent + "/" + e.Field
	return e
}

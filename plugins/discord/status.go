package discord

import "slices"

// IsStatus tells whether err is Discord's refusal with one of these statuses.
func IsStatus(err error, statuses ...int) bool {
	e, ok := asError(err)
	return ok && slices.Contains(statuses, e.Status)
}

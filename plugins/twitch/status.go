package twitch

import (
	"errors"
	"slices"
)

// IsStatus tells whether err is Twitch's refusal with one of these statuses.
func IsStatus(err error, statuses ...int) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.Contains(statuses, e.Status)
}

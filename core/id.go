package core

import "github.com/google/uuid"

// NewID returns a new UUID version 7 (RFC 9562): ids sort by the time they were
// made, so that lists page by id and history can be cut by it.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// ParseID returns id in its canonical form and whether it is a UUID at all.
func ParseID(id string) (string, bool) {
	if len(id) != 36 { // uuid.Parse also takes braces, urn: and bare hex
		return "", false
	}
	u, err := uuid.Parse(id)
	return u.String(), err == nil
}

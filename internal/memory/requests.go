package memory

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// requestTable remembers what was made for an idempotency key.
type requestTable struct {
	rows map[string]request
	age  *index[request] // oldest first
}

type request struct {
	fingerprint string
	made        string // id of what the request created
	at          time.Time
}

func newRequestTable() *requestTable {
	return &requestTable{
		rows: map[string]request{},
		age:  newIndex(func(a, b request) int { return a.at.Compare(b.at) }),
	}
}

// made returns the id of what an earlier request with the key created, or "".
// A key that was used for another content fails with ErrIdempotencyReuse.
func (r *requestTable) made(key *core.Idempotency) (string, error) {
	if key == nil {
		return "", nil
	}
	known, ok := r.rows[key.Key]
	if ok && known.fingerprint != key.Fingerprint {
		return "", core.ErrIdempotencyReuse
	}
	return known.made, nil
}

// remember ties a key to what was created for it. A key that is known keeps its
// age.
func (r *requestTable) remember(key *core.Idempotency, id string, now time.Time) {
	if key == nil || r.rows[key.Key].made == id {
		return
	}
	row := request{fingerprint: key.Fingerprint, made: id, at: now}
	r.rows[key.Key] = row
	r.age.set(key.Key, row)
}

// prune forgets up to limit keys that were used before the bound.
func (r *requestTable) prune(bound time.Time, limit int) int {
	n := 0
	for ; n < limit; n++ {
		key, oldest, ok := r.age.first()
		if !ok || !oldest.at.Before(bound) {
			break
		}
		r.age.remove(key)
		delete(r.rows, key)
	}
	return n
}

// MadeBefore returns the id of what a request with this key made, "" for none.
func (s *Store) MadeBefore(ctx context.Context, key core.Idempotency) (string, error) {
	if _, err := s.begin(ctx, "look up request"); err != nil {
		return "", err
	}
	defer s.end()
	return s.requests.made(&key)
}

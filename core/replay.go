package core

import "context"

// replay returns what an earlier request with the same key made, as it is now,
// with ErrReplayed. It comes before everything else that might refuse the
// request: what was acknowledged once stays so. Errors: ErrIdempotencyReuse;
// CONFLICT when it has been deleted since.
func replay[T any](ctx context.Context, s *Scheduler, key *Idempotency, read func(context.Context, string) (T, error)) (made T, found bool, err error) {
	if key == nil {
		return made, false, nil
	}
	id, err := s.store.MadeBefore(ctx, *key)
	if err != nil || id == "" {
		return made, false, err
	}
	made, err = read(ctx, id)
	if CodeOf(err) == CodeNotFound {
		return made, true, Errorf(CodeConflict, "what the first request with this Idempotency-Key made has been deleted")
	}
	if err != nil {
		return made, true, err
	}
	return made, true, ErrReplayed
}

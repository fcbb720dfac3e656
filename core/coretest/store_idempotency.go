package coretest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) idempotency(t *testing.T) {
	for _, kind := range creations() {
		s.run(t, kind.name+": the same request makes one thing", kind.replay)
		s.run(t, kind.name+": a key is not for another content", kind.reuse)
		s.run(t, kind.name+": without a key or with another one each request makes its own", kind.apart)
		s.run(t, kind.name+": concurrent requests with one key make one thing", kind.concurrently)
	}
	s.run(t, "the key of a deleted task makes a new one", keyOfDeleted)
	s.run(t, "what a key made is known", keyKnown)
	s.run(t, "a failed request does not use up its key", keyOfFailed)
}

// creation is a way to make things, by name; make returns the id of the thing.
type creation struct {
	name string
	make func(f *fixture, key *core.Idempotency) (string, error)
}

// creations lists the ways to make things.
func creations() []creation {
	return []creation{
		{"tasks", func(f *fixture, key *core.Idempotency) (string, error) {
			t, err := f.CreateTask(f.Context(), Task(), key)
			return t.ID, err
		}},
		{"schedules", func(f *fixture, key *core.Idempotency) (string, error) {
			sc, err := f.CreateSchedule(f.Context(), Schedule(), key)
			return sc.ID, err
		}},
		{"executions", func(f *fixture, key *core.Idempotency) (string, error) {
			t, err := f.CreateTask(f.Context(), Task(), nil)
			if err != nil {
				return "", err
			}
			e, _, err := f.CreateExecution(f.Context(), Execution(t), key)
			return e.ID, err
		}},
	}
}

func (c creation) replay(f *fixture) {
	first, err := c.make(f, &core.Idempotency{Key: "k", Fingerprint: "a"})
	require.NoError(f, err)
	for range 2 {
		again, err := c.make(f, &core.Idempotency{Key: "k", Fingerprint: "a"})
		require.ErrorIs(f, err, core.ErrReplayed)
		require.Equal(f, first, again)
	}
}

func (c creation) reuse(f *fixture) {
	_, err := c.make(f, &core.Idempotency{Key: "k", Fingerprint: "a"})
	require.NoError(f, err)
	_, err = c.make(f, &core.Idempotency{Key: "k", Fingerprint: "b"})
	require.ErrorIs(f, err, core.ErrIdempotencyReuse)
}

func (c creation) apart(f *fixture) {
	seen := map[string]bool{}
	for _, key := range []*core.Idempotency{nil, nil, {Key: "k", Fingerprint: "a"}, {Key: "l", Fingerprint: "a"}} {
		id, err := c.make(f, key)
		require.NoError(f, err)
		require.False(f, seen[id])
		seen[id] = true
	}
}

func (c creation) concurrently(f *fixture) {
	const requests = 8
	ids, errs := make([]string, requests), make([]error, requests)
	together(requests, func(i int) {
		ids[i], errs[i] = c.make(f, &core.Idempotency{Key: "k", Fingerprint: "a"})
	})
	made := 0
	for i, err := range errs {
		require.Equal(f, ids[0], ids[i], "two things were made for one key")
		if err == nil {
			made++
			continue
		}
		require.ErrorIs(f, err, core.ErrReplayed)
	}
	require.Equal(f, 1, made)
}

func keyOfDeleted(f *fixture) {
	key := &core.Idempotency{Key: "k", Fingerprint: "a"}
	first, err := f.CreateTask(f.Context(), Task(), key)
	require.NoError(f, err)
	_, err = f.DeleteTask(f.Context(), first.ID, core.AnyVersion)
	require.NoError(f, err)

	second, err := f.CreateTask(f.Context(), Task(), key)
	require.NoError(f, err)
	require.NotEqual(f, first.ID, second.ID)
	again, err := f.CreateTask(f.Context(), Task(), key)
	require.ErrorIs(f, err, core.ErrReplayed)
	require.Equal(f, second.ID, again.ID)
}

func keyOfFailed(f *fixture) {
	task := f.putTask(Overlap(core.OverlapSkip))
	busy := f.start(f.put(task))[0]
	key := &core.Idempotency{Key: "k", Fingerprint: "a"}
	_, _, err := f.CreateExecution(f.Context(), Execution(task), key)
	requireCode(f, core.CodeTaskLocked, err)

	f.settle(busy, succeed)
	e, _, err := f.CreateExecution(f.Context(), Execution(task), key)
	require.NoError(f, err, "the key is used up")
	again, _, err := f.CreateExecution(f.Context(), Execution(task), key)
	require.ErrorIs(f, err, core.ErrReplayed)
	require.Equal(f, e.ID, again.ID)
}

func keyKnown(f *fixture) {
	key := core.Idempotency{Key: "k", Fingerprint: "1"}
	id, err := f.MadeBefore(f.Context(), key)
	require.NoError(f, err)
	require.Empty(f, id)
	task, err := f.CreateTask(f.Context(), Task(), &key)
	require.NoError(f, err)
	id, err = f.MadeBefore(f.Context(), key)
	require.NoError(f, err)
	require.Equal(f, task.ID, id)
	_, err = f.MadeBefore(f.Context(), core.Idempotency{Key: "k", Fingerprint: "2"})
	require.ErrorIs(f, err, core.ErrIdempotencyReuse)
}

package coretest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) effects(t *testing.T) {
	s.run(t, "effects happen with the success, all of them", effectsOfSuccess)
	s.run(t, "notifications wait in an outbox of their own", notificationsOfSuccess)
	s.run(t, "a failure, or a lost lease, has none", effectsOfFailure)
	s.run(t, "the state is read by prefix, in order, page by page", stateLists)
	s.run(t, "what has expired is not there, and is pruned", stateExpires)
	s.run(t, "the size counts bytes", stateSize)
}

// finishWith ends an execution with effects.
func (f *fixture) finishWith(e core.Execution, settle func(time.Time, *core.Execution), effects core.Effects) bool {
	f.Helper()
	c := completion(e, settle)
	c.Effects = effects
	done, err := f.Finish(f.Context(), []core.Completion{c})
	require.NoError(f, err)
	return done[0].Applied
}

// remember lets an execution write state.
func (f *fixture) remember(writes ...core.StateWrite) {
	f.Helper()
	require.True(f, f.finishWith(f.putRunning(), succeed, core.Effects{State: writes}))
}

// state reads an owner's keys and values.
func (f *fixture) state(owner, prefix, after string, limit int) (pairs []string) {
	f.Helper()
	entries, err := f.PluginState(f.Context(), owner, prefix, after, limit)
	require.NoError(f, err)
	for _, e := range entries {
		pairs = append(pairs, e.Key+"="+string(e.Value))
	}
	return pairs
}

func value(owner, key, json string) core.StateWrite {
	w := core.StateWrite{Owner: owner, Key: key}
	if json != "" {
		w.Value = []byte(json)
	}
	return w
}

func effectsOfSuccess(f *fixture) {
	f.remember(value("x", "gone", `1`), value("x", "kept", `1`))
	enqueued := Task(Named("enqueued"))
	in := core.Invocation{ExecutionID: core.NewID(), TaskID: core.NewID()}
	message := core.EventOf(in, "1", "stream.started", json.RawMessage(`{"a":1}`))
	before := len(f.messages(core.MessageEvent))
	f.remember(value("x", "a", `{"n":1}`), value("x", "a", `{"n":2}`), value("x", "gone", ""), value("y", "a", `"other"`))
	require.True(f, f.finishWith(f.putRunning(), succeed, core.Effects{Messages: []core.Message{message}, Tasks: []core.Task{enqueued}}))

	require.Equal(f, []string{`a={"n":2}`, `kept=1`}, f.state("x", "", "", 10), "the last write counts")
	require.Equal(f, []string{`a="other"`}, f.state("y", "", "", 10))
	requireSameTask(f, enqueued, f.getTask(enqueued.ID))
	var told *core.Message
	for _, m := range f.messages(core.MessageEvent)[before:] {
		if m.Type == "stream.started" {
			told = &m
		}
	}
	require.NotNil(f, told)
	require.Equal(f, in.ExecutionID+":1", told.ID)
	require.JSONEq(f, `{"a":1}`, string(told.Data))
}

func notificationsOfSuccess(f *fixture) {
	e := f.putRunning()
	in := core.Invocation{ExecutionID: e.ID, TaskID: e.TaskID}
	want := core.NotificationOf(in, "1", json.RawMessage(`{"message":"live"}`))
	want.Time = f.clock.Advance(time.Second)
	require.True(f, f.finishWith(e, succeed, core.Effects{Messages: []core.Message{want}}))
	got := f.messages(core.MessageNotification)
	require.Len(f, got, 1)
	want.Seq, got[0].Data = got[0].Seq, compact(got[0].Data)
	require.Equal(f, want, got[0])
	require.Equal(f, e.ID+":1", got[0].ID)
	require.Empty(f, f.messages(core.MessageAlert))
	require.Equal(f, []string{"execution.succeeded"}, f.told(core.MessageEvent))
}

func effectsOfFailure(f *fixture) {
	enqueued := Task()
	effects := core.Effects{
		State: []core.StateWrite{value("x", "a", `1`)}, Tasks: []core.Task{enqueued},
		Messages: []core.Message{core.NotificationOf(core.Invocation{ExecutionID: core.NewID(), TaskID: core.NewID()}, "1", json.RawMessage(`{}`))},
	}
	require.True(f, f.finishWith(f.putRunning(), failForGood, effects))
	require.True(f, f.finishWith(f.putRunning(), retryLater, effects))
	zombie := f.putRunning()
	zombie.Token++
	require.False(f, f.finishWith(zombie, succeed, effects))
	require.Empty(f, f.state("x", "", "", 10))
	require.Empty(f, f.messages(core.MessageNotification))
	_, err := f.Task(f.Context(), enqueued.ID)
	requireCode(f, core.CodeNotFound, err)
}

func stateLists(f *fixture) {
	f.remember(value("x", "b/2", `2`), value("x", "b/1", `1`), value("x", "b/ü", `3`), value("x", "c", `4`), value("x", "a%", `5`))
	require.Equal(f, []string{"b/1=1", "b/2=2", "b/ü=3"}, f.state("x", "b/", "", 10))
	require.Equal(f, []string{"b/1=1", "b/2=2"}, f.state("x", "b/", "", 2))
	require.Equal(f, []string{"b/ü=3"}, f.state("x", "b/", "b/2", 2))
	require.Equal(f, []string{"a%=5"}, f.state("x", "a%", "", 10), "a prefix is no pattern")
	require.Empty(f, f.state("y", "", "", 10))
}

func stateExpires(f *fixture) {
	end := Epoch().Add(time.Minute)
	w := value("x", "a", `1`)
	w.ExpiresAt = &end
	f.remember(w, value("x", "b", `2`))
	entries, err := f.PluginState(f.Context(), "x", "", "", 10)
	require.NoError(f, err)
	require.Equal(f, &end, entries[0].ExpiresAt)
	require.Equal(f, Epoch(), entries[0].UpdatedAt)
	f.clock.Set(end)
	require.Equal(f, []string{"b=2"}, f.state("x", "", "", 10))
	require.Equal(f, 1, f.prune(core.Retention{}, 10))
	require.Zero(f, f.prune(core.Retention{}, 10))
	f.remember(w)
	w.ExpiresAt = nil
	f.remember(w)
	require.Equal(f, []string{"a=1", "b=2"}, f.state("x", "", "", 10), "a later write without an end lasts")
}

func stateSize(f *fixture) {
	size := func() int {
		n, err := f.PluginStateSize(f.Context(), "x")
		require.NoError(f, err)
		return n
	}
	require.Zero(f, size())
	f.remember(value("x", "ä", `"`+strings.Repeat("ö", 10)+`"`), value("y", "a", `1`))
	require.Equal(f, 2+22, size())
}

package host_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/internal/memory"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// desk is what a program does with its host, operation by operation.
type desk struct {
	ctx    context.Context
	caller host.Caller
}

// ask makes an operation and reads the answer into v, which may be nil.
func (d desk) ask(op string, args, v any) error {
	in, err := wire.Encode(args, nil)
	if err != nil {
		return err
	}
	out, err := d.caller.Call(d.ctx, op, in)
	if err != nil {
		return err
	}
	var reply wire.Reply
	if _, err := wire.Decode(out, &reply); err != nil {
		return err
	}
	if reply.Error != nil {
		return reply.Error
	}
	if v == nil {
		return nil
	}
	return json.Unmarshal(reply.Value, v)
}

// work is a program that does what a test says.
func work(do func(d desk) error) handler {
	return func(ctx context.Context, _ []byte, caller host.Caller) ([]byte, error) {
		var response wire.Response
		if err := do(desk{ctx, caller}); err != nil {
			told, ok := errors.AsType[*wire.Error](err)
			if !ok {
				return nil, err
			}
			response.Error = told
		}
		return wire.Encode(response, nil)
	}
}

// drafter makes tasks of the types x and y.
type drafter struct{}

func (drafter) NewSpec() core.TaskSpec { return coretest.Task().TaskSpec }

func (drafter) Draft(_ context.Context, spec core.TaskSpec) (core.Task, error) {
	if string(spec.Data) == `{"wrong":true}` {
		return core.Task{}, core.Invalid(core.CodeValidationFailed, []core.FieldProblem{{Field: "/data/wrong", Problem: "is not allowed"}})
	}
	return core.NewTask(spec, coretest.Epoch()), nil
}

// stateful is a house with state, whose program does what a test says.
func stateful(t *testing.T, store core.StateStore, do func(d desk) error, lines ...string) *house {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good").handle = work(do)
	h.list(t, lines...)
	h.Host = host.New(host.Config{
		Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, State: store, Drafter: drafter{},
	})
	h.load(t)
	require.Equal(t, core.PluginLoaded, h.status(t, "x").State, h.status(t, "x").Error)
	return h
}

const allGrants = `grants: {kv: true, publish: ["stream.*"], enqueue: [x, "y-*"]}`

func TestARunSeesItsOwnWritesAndTheyHappenWithItsSuccess(t *testing.T) {
	store := memory.NewStore(core.SystemClock{})
	h := stateful(t, store, func(d desk) error {
		for _, w := range []wire.StateSet{{Key: "a", Value: json.RawMessage(`1`)}, {Key: "a", Value: json.RawMessage(`{"n":2}`), TTLMS: 1000}, {Key: "b", Value: json.RawMessage(`3`)}} {
			if err := d.ask(wire.OpStateSet, w, nil); err != nil {
				return err
			}
		}
		var v wire.StateValue
		require.NoError(t, d.ask(wire.OpStateGet, wire.StateKey{Key: "a"}, &v))
		require.JSONEq(t, `{"n":2}`, string(v.Value))
		require.NoError(t, d.ask(wire.OpStateDelete, wire.StateKey{Key: "b"}, nil))
		v = wire.StateValue{}
		require.NoError(t, d.ask(wire.OpStateGet, wire.StateKey{Key: "b"}, &v))
		require.False(t, v.Found)
		var page wire.StatePage
		require.NoError(t, d.ask(wire.OpStateList, wire.StateList{}, &page))
		require.Equal(t, []wire.StateEntry{{Key: "a", Value: json.RawMessage(`{"n":2}`)}}, page.Entries)
		var receipt wire.EventReceipt
		require.NoError(t, d.ask(wire.OpPublish, wire.Event{Type: "stream.started", Data: json.RawMessage(`{"a":1}`)}, &receipt))
		require.Equal(t, "e:1", receipt.ID)
		return d.ask(wire.OpEnqueue, wire.Enqueue{Type: "y-1", Data: json.RawMessage(`{}`)}, &wire.EnqueueReceipt{})
	}, allGrants)
	out, err := h.invoke(t, "x")
	require.NoError(t, err)
	require.Len(t, out.Effects.State, 4)
	require.NotNil(t, out.Effects.State[1].ExpiresAt)
	require.Equal(t, []string{"e:1", "stream.started"}, []string{out.Effects.Messages[0].ID, out.Effects.Messages[0].Type})
	require.Len(t, out.Effects.Tasks, 1)
	require.NotNil(t, out.Effects.Tasks[0].RunAt)
	entries, err := store.PluginState(t.Context(), "x", "", "", 10)
	require.NoError(t, err)
	require.Empty(t, entries, "nothing is stored before the success is")
}

func TestAFailedRunHasNoEffects(t *testing.T) {
	h := stateful(t, memory.NewStore(core.SystemClock{}), func(d desk) error {
		require.NoError(t, d.ask(wire.OpStateSet, wire.StateSet{Key: "a", Value: json.RawMessage(`1`)}, nil))
		return &wire.Error{Kind: wire.Permanent, Message: "no"}
	}, allGrants)
	out, err := h.invoke(t, "x")
	require.Error(t, err)
	require.True(t, out.Effects.Empty())
}

func TestWhatStateAndEventsMayBe(t *testing.T) {
	long := strings.Repeat("x", 300)
	tests := map[string]struct {
		op   string
		args any
		want string
	}{
		"no key":           {wire.OpStateGet, wire.StateKey{}, "no key"},
		"long key":         {wire.OpStateSet, wire.StateSet{Key: long, Value: json.RawMessage(`1`)}, "no key"},
		"key with NUL":     {wire.OpStateSet, wire.StateSet{Key: "a\x00", Value: json.RawMessage(`1`)}, "no key"},
		"large value":      {wire.OpStateSet, wire.StateSet{Key: "a", Value: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}, "at most 65536"},
		"negative ttl":     {wire.OpStateSet, wire.StateSet{Key: "a", Value: json.RawMessage(`1`), TTLMS: -1}, "ttlMs"},
		"endless ttl":      {wire.OpStateSet, wire.StateSet{Key: "a", Value: json.RawMessage(`1`), TTLMS: 1 << 62}, "ttlMs"},
		"no type":          {wire.OpPublish, wire.Event{}, "no type of an event"},
		"upper case":       {wire.OpPublish, wire.Event{Type: "stream.Started"}, "no type of an event"},
		"our own":          {wire.OpPublish, wire.Event{Type: "execution.failed"}, "no type of an event"},
		"large data":       {wire.OpPublish, wire.Event{Type: "stream.x", Data: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}, "at most 65536"},
		"data that is bad": {wire.OpEnqueue, wire.Enqueue{Type: "x", Data: json.RawMessage(`{"wrong":true}`)}, "/data/wrong"},
		"too much random":  {wire.OpRandom, wire.RandomArgs{Bytes: 1 << 20}, "bytes is not between"},
		"negative sleep":   {wire.OpSleep, wire.SleepArgs{MS: -1}, "ms is not between"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			h := stateful(t, memory.NewStore(core.SystemClock{}), func(d desk) error { return d.ask(test.op, test.args, nil) }, allGrants)
			_, err := h.invoke(t, "x")
			f := core.FailureOf(err)
			require.Equal(t, core.ClassPermanent, f.Class)
			require.Contains(t, f.Message, test.want)
		})
	}
}

func TestGrantsName(t *testing.T) {
	for name, ask := range map[string]func(d desk) error{
		"another event": func(d desk) error { return d.ask(wire.OpPublish, wire.Event{Type: "chat.said"}, nil) },
		"deeper event":  func(d desk) error { return d.ask(wire.OpPublish, wire.Event{Type: "other.stream.x"}, nil) },
		"another type":  func(d desk) error { return d.ask(wire.OpEnqueue, wire.Enqueue{Type: "z"}, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			h := stateful(t, memory.NewStore(core.SystemClock{}), ask, allGrants)
			_, err := h.invoke(t, "x")
			require.Equal(t, core.CodePluginDenied, failureCode(err))
		})
	}
}

func TestTheStateHasALimit(t *testing.T) {
	store := memory.NewStore(core.SystemClock{})
	h := stateful(t, store, func(d desk) error {
		value, err := json.Marshal(strings.Repeat("x", 400))
		require.NoError(t, err)
		for _, key := range []string{"a", "b", "c"} {
			if err := d.ask(wire.OpStateSet, wire.StateSet{Key: key, Value: value}, nil); err != nil {
				return err
			}
		}
		return nil
	}, allGrants, "limits: {kv: 1KiB}")
	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginStateLimit, failureCode(err))
	require.Contains(t, err.Error(), "limit kv")
}

// measured is a store that counts what is read of it.
type measured struct {
	core.StateStore
	entries map[string]string
	reads   int
}

func (m *measured) PluginState(_ context.Context, _, prefix, _ string, _ int) ([]core.StateEntry, error) {
	m.reads++
	if value, ok := m.entries[prefix]; ok {
		return []core.StateEntry{{Key: prefix, Value: json.RawMessage(value)}}, nil
	}
	return nil, nil
}

func (m *measured) PluginStateSize(context.Context, string) (size int, err error) {
	m.reads++
	for key, value := range m.entries {
		size += len(key) + len(value)
	}
	return size, nil
}

// Only what a write adds counts: neither what it replaces nor what was removed.
func TestAnOverwrittenValueCountsOnce(t *testing.T) {
	value := func(n int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", n-2) + `"`) }
	store := &measured{entries: map[string]string{"a": string(value(600)), "b": string(value(300))}}
	do := func(d desk) error {
		set := func(key string, n int) error {
			return d.ask(wire.OpStateSet, wire.StateSet{Key: key, Value: value(n)}, nil)
		}
		for range 20 {
			require.NoError(t, set("a", 600))
			require.NoError(t, set("c", 100))
		}
		require.Equal(t, 3, store.reads, "the size, and each key once")
		require.NoError(t, d.ask(wire.OpStateDelete, wire.StateKey{Key: "b"}, nil))
		require.NoError(t, set("b", 200), "room was made")
		require.NoError(t, set("c", 1024-601-201-1))
		return set("c", 1024-601-201)
	}
	h := stateful(t, store, func(d desk) error { return do(d) }, allGrants, "limits: {kv: 1KiB}")
	_, err := h.invoke(t, "x")
	require.Equal(t, core.CodePluginStateLimit, failureCode(err), "%v", err)

	store.entries["d"] = string(value(900)) // the limit was larger once
	do = func(d desk) error {
		require.NoError(t, d.ask(wire.OpStateSet, wire.StateSet{Key: "d", Value: value(800)}, nil), "it becomes less")
		return d.ask(wire.OpStateSet, wire.StateSet{Key: "a", Value: value(601)}, nil)
	}
	_, err = h.invoke(t, "x")
	require.Equal(t, core.CodePluginStateLimit, failureCode(err), "%v", err)
}

func TestTheClockTheDeadlineAndSleep(t *testing.T) {
	h := stateful(t, memory.NewStore(core.SystemClock{}), func(d desk) error {
		var now wire.Clock
		require.NoError(t, d.ask(wire.OpClock, struct{}{}, &now))
		require.False(t, now.Now.IsZero())
		var end wire.Deadline
		require.NoError(t, d.ask(wire.OpDeadline, struct{}{}, &end))
		require.Positive(t, end.LeftMS)
		require.LessOrEqual(t, end.LeftMS, int64(500))
		var random wire.Random
		require.NoError(t, d.ask(wire.OpRandom, wire.RandomArgs{Bytes: 32}, &random))
		require.Len(t, random.Bytes, 32)
		require.NoError(t, d.ask(wire.OpSleep, wire.SleepArgs{MS: 1}, nil))
		return d.ask(wire.OpSleep, wire.SleepArgs{MS: time.Hour.Milliseconds()}, nil)
	}, "limits: {timeout: 500ms}")
	_, err := h.invoke(t, "x")
	require.Error(t, err)
}

func TestWhatNotificationsProgressAndCheckpointsMayBe(t *testing.T) {
	long := strings.Repeat("x", 9<<10)
	note := func(change func(n *wire.Notification)) wire.Notification {
		n := wire.Notification{ChannelID: "c", Message: "m", Via: []string{"email"}}
		change(&n)
		return n
	}
	tests := map[string]struct {
		op   string
		args any
		want string
	}{
		"no channel":       {wire.OpNotify, note(func(n *wire.Notification) { n.ChannelID = "" }), "channelId"},
		"long channel":     {wire.OpNotify, note(func(n *wire.Notification) { n.ChannelID = long }), "channelId"},
		"odd channel":      {wire.OpNotify, note(func(n *wire.Notification) { n.ChannelID = "a\nb" }), "channelId"},
		"no message":       {wire.OpNotify, note(func(n *wire.Notification) { n.Message = "" }), "message of 0 bytes"},
		"long message":     {wire.OpNotify, note(func(n *wire.Notification) { n.Message = long }), "1 to 8192"},
		"many routes":      {wire.OpNotify, note(func(n *wire.Notification) { n.Via = make([]string, 17) }), "at most 16"},
		"empty route":      {wire.OpNotify, note(func(n *wire.Notification) { n.Via = []string{""} }), "no route"},
		"long route":       {wire.OpNotify, note(func(n *wire.Notification) { n.Via = []string{long} }), "no route"},
		"no UTF-8":         {wire.OpNotify, json.RawMessage("{\"channelId\":\"c\",\"message\":\"\xff\"}"), "UTF-8"},
		"negative percent": {wire.OpProgress, wire.Progress{Percent: -0.5}, "not between 0 and 100"},
		"large percent":    {wire.OpProgress, wire.Progress{Percent: 100.1}, "not between 0 and 100"},
		"long progress":    {wire.OpProgress, wire.Progress{Message: strings.Repeat("ü", 101)}, "at most 200"},
		"odd progress":     {wire.OpProgress, json.RawMessage("{\"message\":\"\xff\"}"), "UTF-8"},
		"no arguments":     {wire.OpCheckpoint, json.RawMessage(`[1]`), "arguments"},
		"no value":         {wire.OpCheckpoint, struct{}{}, "no value"},
		"large value":      {wire.OpCheckpoint, wire.Checkpoint{Value: json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)}, "at most 65536"},
		"double member":    {wire.OpCheckpoint, json.RawMessage(`{"value":{"a":1,"a":2}}`), "not JSON"},
		"too deep":         {wire.OpCheckpoint, wire.Checkpoint{Value: json.RawMessage(strings.Repeat("[", 100) + strings.Repeat("]", 100))}, "nested"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &checkpoints{}
			h := checkpointing(t, c, func(d desk) error { return d.raw(test.op, test.args) })
			out, err := h.invoke(t, "x")
			require.ErrorContains(t, err, test.want)
			require.Equal(t, core.ClassPermanent, core.FailureOf(err).Class)
			require.True(t, out.Effects.Empty())
			require.Nil(t, c.value)
		})
	}
}

// raw makes an operation with arguments that may be no valid JSON.
func (d desk) raw(op string, args any) error {
	in, ok := args.(json.RawMessage)
	if !ok {
		return d.ask(op, args, nil)
	}
	frame := append(binary.LittleEndian.AppendUint32(nil, uint32(len(in))), in...)
	out, err := d.caller.Call(d.ctx, op, frame)
	if err != nil {
		return err
	}
	var reply wire.Reply
	if _, err := wire.Decode(out, &reply); err != nil || reply.Error == nil {
		return err
	}
	return reply.Error
}

// checkpoints keeps one checkpoint, and fails as told.
type checkpoints struct {
	value json.RawMessage
	lease core.Lease
	err   error
}

func (c *checkpoints) SaveCheckpoint(_ context.Context, l core.Lease, value json.RawMessage) error {
	if c.err != nil {
		return c.err
	}
	c.lease, c.value = l, value
	return nil
}

func (c *checkpoints) Checkpoint(context.Context, core.Lease) (json.RawMessage, error) {
	return c.value, c.err
}

// checkpointing is a house with checkpoints that may notify.
func checkpointing(t *testing.T, c core.CheckpointStore, do func(d desk) error) *house {
	t.Helper()
	h := newHouse(t)
	h.runtime.program("good").handle = work(do)
	h.list(t, "grants: {notify: true, publish: [x]}")
	h.Host = host.New(host.Config{Path: filepath.Join(h.dir, "plugins.yaml"), Runtimes: map[string]host.Runtime{"fake": h.runtime}, Checkpoints: c})
	h.load(t)
	return h
}

func TestACheckpointIsSavedBeforeTheAnswerAlsoWhenTheRunFails(t *testing.T) {
	c := &checkpoints{}
	h := checkpointing(t, c, func(d desk) error {
		require.NoError(t, d.ask(wire.OpCheckpoint, wire.Checkpoint{Value: json.RawMessage(`{"a":"\u0000"}`)}, nil))
		require.JSONEq(t, `{"$sequence":0,"$value":{"a":"\ufffd"}}`, string(c.value))
		var got wire.StateValue
		require.NoError(t, d.ask(wire.OpCheckpointGet, struct{}{}, &got))
		require.True(t, got.Found)
		require.JSONEq(t, `{"a":"\ufffd"}`, string(got.Value))
		return &wire.Error{Kind: wire.Permanent, Message: "no"}
	})
	_, err := h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", Type: "x", Attempt: 1, Token: 7})
	require.Error(t, err)
	require.Equal(t, core.Lease{ExecutionID: "e", Token: 7}, c.lease)
}

// What is done after a checkpoint has not the keys of what was done before it,
// and the same keys in each attempt that begins there.
func TestEffectsAreCountedOnFromACheckpoint(t *testing.T) {
	c := &checkpoints{}
	var ids []string
	publish := func(d desk) {
		var receipt wire.EventReceipt
		require.NoError(t, d.ask(wire.OpPublish, wire.Event{Type: "x"}, &receipt))
		ids = append(ids, receipt.ID)
	}
	load := func(d desk, want string) {
		var got wire.StateValue
		require.NoError(t, d.ask(wire.OpCheckpointGet, struct{}{}, &got))
		require.Equal(t, want, string(got.Value))
	}
	do := func(d desk) {
		publish(d)
		publish(d)
		require.NoError(t, d.ask(wire.OpCheckpoint, wire.Checkpoint{Value: json.RawMessage(`null`)}, nil))
		publish(d)
		load(d, `null`)
		publish(d)
	}
	h := checkpointing(t, c, func(d desk) error { do(d); return nil })
	attempt := func(want ...string) {
		ids = nil
		_, err := h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", Type: "x", Attempt: 1})
		require.NoError(t, err)
		require.Equal(t, want, ids)
	}
	attempt("e:1", "e:2", "e:3", "e:4")
	do = func(d desk) { load(d, `null`); publish(d); publish(d) }
	attempt("e:3", "e:4")
	attempt("e:3", "e:4")
	for _, old := range []string{`[7]`, `{"$sequence":1}`, `{"$value":1}`, `{"$sequence":1,"$value":2,"c":3}`} {
		c.value = json.RawMessage(old)
		do = func(d desk) { load(d, old); publish(d) }
		attempt("e:1")
	}
}

func TestOnlyALostLeaseEndsTheRunAtACheckpoint(t *testing.T) {
	for _, op := range []string{wire.OpCheckpoint, wire.OpCheckpointGet} {
		c := &checkpoints{}
		h := checkpointing(t, c, func(d desk) error {
			args := wire.Checkpoint{Value: json.RawMessage(`1`)}
			c.err = errors.New("the disk is full")
			err := d.ask(op, args, nil)
			require.NotContains(t, err.Error(), "disk")
			c.err = fmt.Errorf("save: %w", core.ErrLeaseLost)
			return d.ask(op, args, nil)
		})
		_, err := h.invoke(t, "x")
		require.Equal(t, core.CodeLeaseLost, failureCode(err))
	}
}

func TestAHostWithoutCheckpointsSaysSo(t *testing.T) {
	for _, op := range []string{wire.OpCheckpoint, wire.OpCheckpointGet} {
		_, err := loaded(t, callOnce(op, wire.Checkpoint{Value: json.RawMessage(`1`)})).invoke(t, "x")
		require.ErrorContains(t, err, "does not offer")
	}
}

func TestEventsAndNotificationsAreCountedApart(t *testing.T) {
	h := checkpointing(t, nil, func(d desk) error {
		for range 100 {
			require.NoError(t, d.ask(wire.OpPublish, wire.Event{Type: "x"}, nil))
			require.NoError(t, d.ask(wire.OpNotify, wire.Notification{ChannelID: "c", Message: "m"}, nil))
		}
		require.ErrorContains(t, d.ask(wire.OpPublish, wire.Event{Type: "x"}, nil), "more than 100 events")
		return d.ask(wire.OpNotify, wire.Notification{ChannelID: "c", Message: "m"}, nil)
	})
	_, err := h.invoke(t, "x")
	require.ErrorContains(t, err, "more than 100 notifications")
}

func TestProgressIsHandedOnAsItWasSaid(t *testing.T) {
	h := checkpointing(t, nil, func(d desk) error {
		return d.ask(wire.OpProgress, wire.Progress{Percent: 12.5, Message: "a\x00b"}, nil)
	})
	var said []core.Progress
	before := time.Now().Add(-time.Second)
	_, err := h.Invoke(t.Context(), core.Invocation{ExecutionID: "e", Type: "x", Attempt: 1, Report: func(p core.Progress) { said = append(said, p) }})
	require.NoError(t, err)
	require.Len(t, said, 1)
	require.InDelta(t, 12.5, said[0].Percent, 0)
	require.Equal(t, "a\ufffdb", said[0].Message)
	require.WithinRange(t, said[0].At, before, time.Now())
}

// shared is measured for several runs at once.
type shared struct {
	mu sync.Mutex
	measured
}

func (s *shared) PluginState(ctx context.Context, owner, prefix, after string, limit int) ([]core.StateEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.measured.PluginState(ctx, owner, prefix, after, limit)
}

func (s *shared) PluginStateSize(ctx context.Context, owner string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.measured.PluginStateSize(ctx, owner)
}

// Runs at the same time do not know of each other's writes and may go beyond the
// limit together, each by no more than the limit; then nothing more is taken.
func TestConcurrentRunsOvershootTheStateOnceAtMost(t *testing.T) {
	const runs = 3
	store := &shared{measured: measured{entries: map[string]string{}}}
	var written sync.WaitGroup
	written.Add(runs)
	var n atomic.Int64
	h := stateful(t, store, func(d desk) error {
		i := n.Add(1)
		err := d.ask(wire.OpStateSet, wire.StateSet{Key: fmt.Sprint("k", i), Value: json.RawMessage(`"` + strings.Repeat("x", 900) + `"`)}, nil)
		if i <= runs {
			written.Done()
			written.Wait()
		}
		return err
	}, allGrants, "limits: {kv: 1KiB, concurrency: 3}")
	outcomes, errs := make([]core.Outcome, runs), make([]error, runs)
	var all sync.WaitGroup
	for i := range runs {
		all.Go(func() {
			outcomes[i], errs[i] = h.invoke(t, "x")
		})
	}
	all.Wait()
	for i, out := range outcomes {
		require.NoError(t, errs[i])
		for _, w := range out.Effects.State {
			store.entries[w.Key] = string(w.Value)
		}
	}
	size, err := store.PluginStateSize(t.Context(), "x")
	require.NoError(t, err)
	require.Greater(t, size, 1<<10, "together they are beyond it")
	require.LessOrEqual(t, size, runs<<10)
	_, err = h.invoke(t, "x")
	require.Equal(t, core.CodePluginStateLimit, failureCode(err), "there is an end")
}

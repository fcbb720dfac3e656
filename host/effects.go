package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// The bounds of what a run may keep, publish, notify and enqueue.
const (
	maxStateKey    = 256      // bytes
	maxStateValue  = 64 << 10 // bytes
	maxStateWrites = 1000     // in a run
	maxStateList   = 100      // entries of one answer
	maxPublished   = 100      // in a run
	maxEventData   = 64 << 10 // bytes
	maxNotified    = 100      // in a run
	maxNotice      = 8 << 10  // bytes of a notification's text
	maxChannelID   = 256      // bytes
	maxRoutes      = 16       // of a notification
	maxRoute       = 64       // bytes of a route's name
	maxEnqueued    = 32       // in a run
	maxStateTTL    = 366 * 24 * time.Hour
)

// Drafter makes tasks out of what plugins ask for. core.Scheduler is one.
type Drafter interface {
	// Draft validates a spec and returns the task as it would be stored.
	Draft(ctx context.Context, spec core.TaskSpec) (core.Task, error)
	// NewSpec returns a spec with every default in place.
	NewSpec() core.TaskSpec
}

// effects are what a run has asked for so far. They happen when it succeeds.
// The caller synchronizes.
type effects struct {
	core.Effects
	written map[string]core.StateWrite // by key, the last write
	stored  int                        // bytes that the plugin had when the first write was measured
	grown   int                        // bytes that the writes add, less than 0 when they remove
	sizes   map[string]int             // bytes of each key that was measured, as the run has left it; nil: stored is not known
}

// kvGet answers a value, as the run has left it so far.
func (c *call) kvGet(ctx context.Context, in []byte) (json.RawMessage, error) {
	var a wire.StateKey
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	if err := checkStateKey(a.Key); err != nil {
		return nil, err
	}
	c.mu.Lock()
	w, written := c.effects.written[a.Key]
	c.mu.Unlock()
	if written {
		return json.Marshal(wire.StateValue{Found: w.Value != nil, Value: w.Value})
	}
	value, found, err := c.stored(ctx, a.Key)
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire.StateValue{Found: found, Value: value})
}

// stored reads a value as it was before the run.
func (c *call) stored(ctx context.Context, key string) (value json.RawMessage, found bool, err error) {
	entries, err := c.state.PluginState(ctx, c.in.Type, key, "", 1)
	if err != nil || len(entries) == 0 || entries[0].Key != key {
		return nil, false, err
	}
	return entries[0].Value, true, nil
}

// kvSet keeps a value, or removes it.
func (c *call) kvSet(ctx context.Context, in []byte, remove bool) (json.RawMessage, error) {
	var a wire.StateSet
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	if err := checkStateKey(a.Key); err != nil {
		return nil, err
	}
	w := core.StateWrite{Owner: c.in.Type, Key: a.Key}
	if !remove {
		switch {
		case len(a.Value) > maxStateValue:
			return nil, refusal("a value of %d bytes, at most %d are allowed", len(a.Value), maxStateValue)
		case checkJSON(a.Value) != nil:
			return nil, refusal("the value is not JSON")
		case a.TTLMS < 0 || time.Duration(a.TTLMS)*time.Millisecond > maxStateTTL || a.TTLMS > maxStateTTL.Milliseconds():
			return nil, refusal("ttlMs is not between 0 and %d", maxStateTTL.Milliseconds())
		}
		w.Value = withoutNUL(a.Value)
		if a.TTLMS > 0 {
			w.ExpiresAt = new(core.Instant(c.now().Add(time.Duration(a.TTLMS) * time.Millisecond)))
		}
	}
	return nil, c.keep(ctx, w)
}

// keep adds a write, within the plugin's share of the store: what it adds to the
// value that it replaces. One that adds nothing is taken also beyond the share.
func (c *call) keep(ctx context.Context, w core.StateWrite) error {
	if err := c.measure(ctx, w.Key); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.effects
	if len(e.State) >= maxStateWrites {
		return refusal("more than %d writes in a run", maxStateWrites)
	}
	size := 0
	if w.Value != nil {
		size = len(w.Key) + len(w.Value)
	}
	more := size - e.sizes[w.Key]
	if more > 0 && Size(e.stored+e.grown+more) > c.limits.KV {
		return &core.Failure{
			Code: core.CodePluginStateLimit, Class: core.ClassPermanent,
			Message: fmt.Sprintf("the plugin's state would be larger than %s (limit kv)", c.limits.KV),
		}
	}
	e.grown += more
	e.sizes[w.Key] = size
	if e.written == nil {
		e.written = map[string]core.StateWrite{}
	}
	e.written[w.Key] = w
	e.State = append(e.State, w)
	return nil
}

// measure learns how much is stored, and how much of it under the key. Each is
// read once in a run.
func (c *call) measure(ctx context.Context, key string) error {
	c.mu.Lock()
	stored, sized := c.effects.stored, c.effects.sizes != nil
	_, known := c.effects.sizes[key]
	c.mu.Unlock()
	if known {
		return nil
	}
	var err error
	if !sized {
		if stored, err = c.state.PluginStateSize(ctx, c.in.Type); err != nil {
			return err
		}
	}
	value, found, err := c.stored(ctx, key)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := &c.effects
	if e.sizes == nil {
		e.stored, e.sizes = stored, map[string]int{}
	}
	if _, known := e.sizes[key]; !known { // unless another operation was faster
		e.sizes[key] = 0
		if found {
			e.sizes[key] = len(key) + len(value)
		}
	}
	return nil
}

// kvList answers entries by prefix, with what the run has written so far.
func (c *call) kvList(ctx context.Context, in []byte) (json.RawMessage, error) {
	var a wire.StateList
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	limit := a.Limit
	if limit <= 0 || limit > maxStateList {
		limit = maxStateList
	}
	c.mu.Lock()
	written := len(c.effects.written)
	c.mu.Unlock()
	stored, err := c.state.PluginState(ctx, c.in.Type, a.Prefix, a.After, limit+1+written)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	entries := []wire.StateEntry{}
	for _, s := range stored {
		if _, written := c.effects.written[s.Key]; !written {
			entries = append(entries, wire.StateEntry{Key: s.Key, Value: s.Value})
		}
	}
	for key, w := range c.effects.written {
		if w.Value != nil && strings.HasPrefix(key, a.Prefix) && key > a.After {
			entries = append(entries, wire.StateEntry{Key: key, Value: w.Value})
		}
	}
	slices.SortFunc(entries, func(x, y wire.StateEntry) int { return strings.Compare(x.Key, y.Key) })
	more := len(entries) > limit
	return json.Marshal(wire.StatePage{Entries: entries[:min(limit, len(entries))], More: more})
}

// publish keeps an event for the time of the success.
func (c *call) publish(in []byte) (json.RawMessage, error) {
	var a wire.Event
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	switch {
	case !eventType(a.Type):
		return nil, refusal("%.80q is no type of an event: lower-case words with dots between them, at most 100 characters", a.Type)
	case !matchesAny(c.grants.Publish, a.Type):
		return nil, c.deny(wire.OpPublish+" "+a.Type, capabilityPublish)
	case len(a.Data) > maxEventData:
		return nil, refusal("data of %d bytes, at most %d are allowed", len(a.Data), maxEventData)
	case len(a.Data) > 0 && checkJSON(a.Data) != nil:
		return nil, refusal("the data is not JSON")
	}
	if len(a.Data) == 0 {
		a.Data = json.RawMessage("null")
	}
	m, err := c.tell(core.MessageEvent, maxPublished, func(n string) core.Message {
		return core.EventOf(c.in, n, a.Type, withoutNUL(a.Data))
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire.EventReceipt{ID: m.ID})
}

// notify keeps a notification for the time of the success.
func (c *call) notify(in []byte) (json.RawMessage, error) {
	var n wire.Notification
	if err := decodeText(in, &n); err != nil {
		return nil, err
	}
	if err := checkNotification(n); err != nil {
		return nil, err
	}
	data, err := json.Marshal(notificationData{
		TaskName: c.in.TaskName, TaskType: c.in.Type, NominalTime: c.in.NominalTime.UTC(),
		ChannelID: n.ChannelID, Message: textWithoutNUL(n.Message), Via: n.Via,
	})
	if err != nil {
		return nil, err
	}
	m, err := c.tell(core.MessageNotification, maxNotified, func(n string) core.Message {
		return core.NotificationOf(c.in, n, data)
	})
	if err != nil {
		return nil, err
	}
	return json.Marshal(wire.NotificationReceipt{ID: m.ID})
}

// tell keeps a message, the next effect of the run, unless there are as many of
// its kind as a run may have.
func (c *call) tell(kind core.MessageKind, most int, message func(n string) core.Message) (core.Message, error) {
	_, n, _ := strings.Cut(c.nextKey(), ":")
	c.mu.Lock()
	defer c.mu.Unlock()
	of := 0
	for _, m := range c.effects.Messages {
		if m.Kind == kind {
			of++
		}
	}
	if of >= most {
		return core.Message{}, refusal("more than %d %ss in a run", most, kind)
	}
	m := message(n)
	c.effects.Messages = append(c.effects.Messages, m)
	return m, nil
}

// notificationData is a notification as it waits in the outbox.
type notificationData struct {
	TaskName    string    `json:"taskName"`
	TaskType    string    `json:"taskType"`
	NominalTime time.Time `json:"nominalTime"`
	ChannelID   string    `json:"channelId"`
	Message     string    `json:"message"`
	Via         []string  `json:"via,omitempty"`
}

func checkNotification(n wire.Notification) error {
	switch {
	case !plainWord(n.ChannelID, maxChannelID):
		return refusal("channelId is not 1 to %d bytes without control characters", maxChannelID)
	case n.Message == "" || len(n.Message) > maxNotice:
		return refusal("a message of %d bytes, 1 to %d are allowed", len(n.Message), maxNotice)
	case len(n.Via) > maxRoutes:
		return refusal("%d routes, at most %d are allowed", len(n.Via), maxRoutes)
	}
	for _, route := range n.Via {
		if !plainWord(route, maxRoute) {
			return refusal("%.80q is no route: 1 to %d bytes without control characters", route, maxRoute)
		}
	}
	return nil
}

// plainWord tells whether s has 1 to most bytes and no control characters.
func plainWord(s string, most int) bool {
	return s != "" && len(s) <= most && !strings.ContainsFunc(s, unicode.IsControl)
}

// enqueue keeps a task for the time of the success.
func (c *call) enqueue(ctx context.Context, in []byte) (json.RawMessage, error) {
	var a wire.Enqueue
	if _, err := wire.Decode(in, &a); err != nil {
		return nil, malformed(err)
	}
	if !matchesAny(c.grants.Enqueue, a.Type) {
		return nil, c.deny(wire.OpEnqueue+" "+clip(a.Type, 80), capabilityEnqueue)
	}
	spec := c.drafter.NewSpec()
	spec.Type, spec.Name = a.Type, a.Name
	if spec.Name == "" {
		spec.Name = clip(c.in.TaskName, 200) + " → " + a.Type
	}
	if len(a.Data) > 0 && string(a.Data) != "null" {
		spec.Data = a.Data
	}
	at := core.Instant(c.now())
	if a.RunAt != nil {
		at = core.Instant(*a.RunAt)
	}
	spec.RunAt = &at
	spec.Labels = map[string]string{"enqueued-by": c.in.ExecutionID}
	task, err := c.drafter.Draft(ctx, spec)
	if told, ok := errors.AsType[*core.Error](err); ok && told.Code != core.CodeInternal && told.Code != core.CodeUnavailable {
		return nil, refusal("%s", clip(told.Error(), maxFailureText))
	}
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.effects.Tasks) >= maxEnqueued {
		return nil, refusal("more than %d tasks in a run", maxEnqueued)
	}
	c.effects.Tasks = append(c.effects.Tasks, task)
	return json.Marshal(wire.EnqueueReceipt{TaskID: task.ID})
}

// refusal is an error that another attempt with the same input would meet too.
func refusal(format string, args ...any) error {
	return &wire.Error{Kind: wire.Permanent, Message: fmt.Sprintf(format, args...)}
}

func checkStateKey(key string) error {
	if key == "" || len(key) > maxStateKey || !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' }) {
		return refusal("%.80q is no key: 1 to %d bytes of UTF-8 without control characters", key, maxStateKey)
	}
	return nil
}

// eventType tells whether a text can be the type of an event of a plugin: those of
// executions and of plugins are the scheduler's own.
func eventType(s string) bool {
	if s == "" || len(s) > 100 || strings.HasPrefix(s, "execution.") || strings.HasPrefix(s, "plugin.") {
		return false
	}
	for _, word := range strings.Split(s, ".") {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '_' && r != '-'
		}) {
			return false
		}
	}
	return true
}

// matchesAny tells whether one of the patterns, such as stream.*, fits.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

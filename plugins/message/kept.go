package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/nexuscore/scheduler/plugins/twitch"
	"github.com/nexuscore/scheduler/sdk"
)

// keepFor is how long a message of Discord is kept under its key after it was
// sent or edited; the plugin's state is bounded. One of Twitch is kept for as
// long as it can be deleted.
const keepFor = 90 * 24 * time.Hour

// keyOf is a message's key among the plugin's state.
func keyOf(messageKey string) string { return "message/" + messageKey }

// keep notes a message under its key, instead of another one. It is stored with
// the success.
func keep(c *sdk.Context, messageKey string, m sent) error {
	ttl := keepFor
	if m.Platform == "twitch" {
		ttl = twitch.MaxAge
	}
	return c.Set(keyOf(messageKey), m, ttl)
}

// reserve makes sure, before anything is sent, that there is room for the message
// under its key: keep puts it in the place of one that is as long as any. A message
// that was sent and could not be kept would be an execution that failed, and would
// be sent again when somebody retries it.
func reserve(c *sdk.Context, in input) error {
	longest := in.place()
	longest.MessageID = strings.Repeat("0", maxMessageID)
	if in.Webhook != "" { // Discord says in which channel it is, or thread
		longest.ChannelID, longest.ThreadID = strings.Repeat("0", maxSnowflake), strings.Repeat("0", maxSnowflake)
	}
	return keep(c, in.MessageKey, longest)
}

// The longest ids, in characters.
const (
	maxMessageID = 64
	maxSnowflake = 20
)

func forget(c *sdk.Context, messageKey string) error { return c.Delete(keyOf(messageKey)) }

// which finds the message that an edit or a delete is about. A delete of one that
// is not kept finds nothing: it is repeated. An edit of one fails.
func (in input) which(c *sdk.Context) (m sent, found bool, err error) {
	if in.MessageKey == "" {
		return in.place(), true, nil
	}
	if found, err = c.Get(keyOf(in.MessageKey), &m); err != nil {
		return m, false, err
	}
	switch {
	case found && m.Platform != in.Platform:
		return m, false, sdk.Permanent(fmt.Errorf("messageKey: the message that is kept under %q is one of %s; correct platform", in.MessageKey, m.Platform))
	case found:
		return m, true, nil
	case in.Action == actionDelete:
		c.Log.Warn("no message is kept under this key", "messageKey", in.MessageKey)
		return m, false, nil
	}
	return m, false, sdk.Permanent(fmt.Errorf("messageKey: no message is kept under %q: it was not sent, is deleted, or is too old; name its messageId", in.MessageKey))
}

package sdk

import (
	"encoding/json"
	"fmt"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Notification is a message for the people of a channel: the channel's id, the
// text, and the routes to take (for example discord, email). Without routes the
// notification service chooses.
type Notification = wire.Notification

// Receipt says what became of a notification: the id that the notification
// service gave it, if any, and the routes that were really used.
type Receipt = wire.Receipt

// Notify sends a notification through the host. It needs CapabilityNotify.
//
// The host adds an idempotency key that is the same when a later attempt makes
// the same call again, counted in the order of calls. The error keeps what the
// notification service said about another attempt, so it can be returned as it
// is.
func (c *Context) Notify(n Notification) (Receipt, error) {
	value, err := c.Call(wire.OpNotify, n)
	if err != nil {
		return Receipt{}, fmt.Errorf("notify: %w", err)
	}
	var receipt Receipt
	if err := json.Unmarshal(value, &receipt); err != nil {
		return Receipt{}, fmt.Errorf("notify: read the host's answer: %w", err)
	}
	return receipt, nil
}

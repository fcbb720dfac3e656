package sdk

import (
	"encoding/json"
	"fmt"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Notification is a message for the people of a channel: the channel's id, the
// text of at most 8 KiB, and the routes to take (for example discord, email).
// Without routes the notification service chooses.
type Notification = wire.Notification

// Notify sends a notification when the handler succeeds, and returns its id. It
// needs CapabilityNotify.
//
// The notification is stored together with the result and delivered after that,
// again and again until the notification service takes it, under its id as the
// idempotency key; after a failure nobody hears of it. The id is the same when a
// later attempt makes the same calls in the same order. What the service makes
// of it does not come back here: who needs an answer uses HTTP.
func (c *Context) Notify(n Notification) (id string, err error) {
	value, err := c.Call(wire.OpNotify, n)
	if err != nil {
		return "", fmt.Errorf("notify: %w", err)
	}
	var receipt wire.NotificationReceipt
	if err := json.Unmarshal(value, &receipt); err != nil {
		return "", fmt.Errorf("notify: read the host's answer: %w", err)
	}
	return receipt.ID, nil
}

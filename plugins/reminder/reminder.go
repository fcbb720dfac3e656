package main

import (
	_ "embed"
	"time"

	"github.com/nexuscore/scheduler/sdk"
)

//go:embed schema.json
var dataSchema string

// reminder is a task's data.
type reminder struct {
	ChannelID string   `json:"channelId"`
	Message   string   `json:"message"`
	NotifyVia []string `json:"notifyVia"`
}

// report is the result of an execution.
type report struct {
	ChannelID string    `json:"channelId"`
	Notified  bool      `json:"notified"`
	Via       []string  `json:"via"` // the routes that were really used
	At        time.Time `json:"at"`
	ID        string    `json:"id,omitempty"` // the notification service's id
}

// defaultVia is where a reminder goes that names no route. The schema states
// the same default for those who read it.
var defaultVia = []string{"discord"}

func plugin() sdk.Plugin {
	return sdk.Plugin{
		Name:         "reminder",
		Version:      "1.0.0",
		Summary:      "Notifies the people of a channel.",
		Capabilities: []sdk.Capability{sdk.CapabilityNotify},
		DataSchema:   dataSchema,
		Sample:       `{"channelId":"sample","message":"sample","notifyVia":["discord"]}`,
		Handle:       remind,
	}
}

// remind notifies once. Repeated by a later attempt, the notification carries
// the same idempotency key, so the people of the channel see it once.
func remind(c *sdk.Context) (any, error) {
	var r reminder
	if err := c.Bind(&r); err != nil {
		return nil, err
	}
	if len(r.NotifyVia) == 0 {
		r.NotifyVia = defaultVia
	}
	receipt, err := c.Notify(sdk.Notification{ChannelID: r.ChannelID, Message: r.Message, Via: r.NotifyVia})
	if err != nil {
		return nil, err
	}
	c.Log.Info("reminded", "channelId", r.ChannelID, "via", receipt.Via)
	return report{ChannelID: r.ChannelID, Notified: true, Via: receipt.Via, At: time.Now().UTC(), ID: receipt.ID}, nil
}

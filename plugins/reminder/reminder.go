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

// report is the result of an execution. Whether the notification has arrived is
// not in it: it is delivered after the success.
type report struct {
	ID        string    `json:"id"` // of the notification, its idempotency key
	ChannelID string    `json:"channelId"`
	Via       []string  `json:"via"` // the routes that were asked for
	At        time.Time `json:"at"`
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

// remind notifies once: a failed attempt notifies nobody, and the notification
// carries the same id on every delivery.
func remind(c *sdk.Context) (any, error) {
	var r reminder
	if err := c.Bind(&r); err != nil {
		return nil, err
	}
	if len(r.NotifyVia) == 0 {
		r.NotifyVia = defaultVia
	}
	id, err := c.Notify(sdk.Notification{ChannelID: r.ChannelID, Message: r.Message, Via: r.NotifyVia})
	if err != nil {
		return nil, err
	}
	c.Log.Info("reminded", "channelId", r.ChannelID, "via", r.NotifyVia)
	return report{ID: id, ChannelID: r.ChannelID, Via: r.NotifyVia, At: time.Now().UTC()}, nil
}

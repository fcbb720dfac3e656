package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
	"github.com/nexuscore/scheduler/sdk/wire"
)

func TestRemindNotifiesOnce(t *testing.T) {
	before := time.Now().Add(-time.Second)
	result := sdktest.Run(t, plugin(), sdktest.Case{
		Data: json.RawMessage(`{"channelId": "channel-uuid", "message": "Time to start streaming!", "notifyVia": ["discord", "email"]}`),
	})
	var got report
	result.Decode(t, &got)

	require.Equal(t, []sdk.Notification{{
		ChannelID: "channel-uuid", Message: "Time to start streaming!", Via: []string{"discord", "email"},
	}}, result.Notifications)
	require.Equal(t, "channel-uuid", got.ChannelID)
	require.Equal(t, []string{"discord", "email"}, got.Via)
	require.Equal(t, "notification-1", got.ID)
	require.WithinRange(t, got.At, before, time.Now().Add(time.Second))
}

func TestRemindGoesToDiscordUnlessToldOtherwise(t *testing.T) {
	result := sdktest.Run(t, plugin(), sdktest.Case{Data: map[string]string{"channelId": "c", "message": "m"}})
	result.RequireOK(t)
	require.Equal(t, []string{"discord"}, result.Notifications[0].Via)

	// The schema tells readers the same default.
	var schema struct {
		Properties struct {
			NotifyVia struct{ Default []string } `json:"notifyVia"`
		}
	}
	require.NoError(t, json.Unmarshal([]byte(dataSchema), &schema))
	require.Equal(t, defaultVia, schema.Properties.NotifyVia.Default)
}

func TestRemindFailsWhenItMayNotNotify(t *testing.T) {
	p := plugin()
	p.Capabilities = nil
	result := sdktest.Run(t, p, sdktest.Case{Data: map[string]string{"channelId": "c", "message": "m"}})
	result.RequireFailure(t, wire.Denied)
	require.Empty(t, result.Notifications)
}

func TestRemindRefusesUnknownData(t *testing.T) {
	result := sdktest.Run(t, plugin(), sdktest.Case{Data: map[string]string{"channelID": "c", "text": "m"}})
	result.RequireFailure(t, wire.Permanent)
	require.Empty(t, result.Notifications)
}

package e2e

import (
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/internal/fakeplatform"
)

// sending is a message that meets a fault, in the real service.
type sending struct {
	name     string
	data     object
	route    string // the fake's
	delivery string
	fault    fakeplatform.FaultKind
	crash    bool // the server is killed while the platform does not answer
	status   string
	attempts int
	effects  int
}

// A message is sent as often as its task's delivery allows, whatever goes wrong
// when it is sent. plugins/faults_test.go and deaths_test.go have all types and all
// faults.
func TestDelivery(t *testing.T) {
	onDiscord := object{"platform": "discord", "channelId": "42", "content": "hi"}
	inChat := object{"platform": "twitch", "channelId": "42", "content": "hi"}
	const discord, chat, least, most = "discord.create_message", "twitch.send_chat_message", "at_least_once", "at_most_once"
	rows := []sending{
		{"discord, the answer is lost", onDiscord, discord, least, fakeplatform.FaultResetAfter, false, "succeeded", 2, 1},
		{"discord, the server is killed", onDiscord, discord, least, fakeplatform.FaultHangAfter, true, "succeeded", 2, 1},
		{"chat, 503", inChat, chat, least, fakeplatform.FaultStatus, false, "succeeded", 2, 1},
		{"chat, the answer is lost", inChat, chat, least, fakeplatform.FaultResetAfter, false, "succeeded", 2, 2},
		{"chat, the server is killed", inChat, chat, least, fakeplatform.FaultHangAfter, true, "succeeded", 2, 2},
		{"chat, at most once, 503", inChat, chat, most, fakeplatform.FaultStatus, false, "failed", 1, 0},
		{"chat, at most once, 429", inChat, chat, most, fakeplatform.FaultRateLimited, false, "succeeded", 2, 1},
		{"chat, at most once, the answer is lost", inChat, chat, most, fakeplatform.FaultResetAfter, false, "failed", 1, 1},
		{"chat, at most once, the server is killed", inChat, chat, most, fakeplatform.FaultHangAfter, true, "lost", 1, 1},
	}
	for program, name := range map[string]string{"message.wasm": "wasm", "message-process": "process"} {
		t.Run(name, func(t *testing.T) {
			if name == "process" && runtime.GOOS != "linux" {
				t.Skip("process plugins need Linux")
			}
			world := fakeplatform.New(fakeplatform.Config{})
			outside := httptest.NewServer(world.Handler())
			t.Cleanup(outside.Close)
			s := newService(t, "SECRET_DISCORD_TOKEN=token-of-discord", "SECRET_TWITCH_TOKEN=token-of-twitch", "SECRET_TWITCH_CLIENT_ID=client-of-twitch")
			s.writePlugins("plugins:\n  - {type: message, runtime: " + name + ", source: " + filepath.Join(built, program) +
				", grants: {kv: true, secrets: [discord_token, twitch_token, twitch_client_id], http: ['" + outside.URL + "/**'], privateNetworks: [127.0.0.0/8]}" +
				", config: {discord: {api: '" + outside.URL + "/discord/api/v10'}, twitch: {api: '" + outside.URL + "/twitch/helix', userId: '900'}}}\n")
			s.start()
			for _, r := range rows {
				t.Run(r.name, func(t *testing.T) { r.run(t, s, world) })
			}
		})
	}
}

func (r sending) run(t *testing.T, s *service, world *fakeplatform.Platform) {
	world.Journal().Clear()
	require.NoError(t, world.Faults().Add(fakeplatform.Fault{Route: r.route, Kind: r.fault, Times: 1}))
	id := s.create(object{"name": r.name, "type": "message", "data": r.data, "delivery": r.delivery, "retryPolicy": object{"attempts": 3, "delay": 10}})
	execution := s.call(202, "POST", "/tasks/"+id+"/execute", nil).body["id"].(string)
	if r.crash {
		s.eventually("the platform has it and does not answer", time.Minute, func() bool { return len(world.Journal().Effects(r.route)) == 1 })
		s.kill()
		s.start()
	}
	var e object
	s.eventually("it ends", time.Minute, func() bool {
		e = s.call(200, "GET", "/executions/"+execution, nil).body
		return e["endTime"] != nil
	})
	require.Equal(t, r.status, e["status"], e)
	require.Len(t, e["attempts"], r.attempts)
	require.Len(t, world.Journal().Effects(r.route), r.effects)
}

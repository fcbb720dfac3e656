package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestDevShowsWhatArrives does what the README's quick start does: a reminder of
// the seed, sent to the fake Discord and as a notification.
func TestDevShowsWhatArrives(t *testing.T) {
	dir := t.TempDir()
	plugins := filepath.Join(dir, "plugins")
	require.NoError(t, os.Mkdir(plugins, 0o700))
	require.NoError(t, os.Symlink(filepath.Join(built, "reminder.wasm"), filepath.Join(plugins, "reminder.wasm")))
	s := &service{t: t, program: "scheduler", dir: dir, log: &buffer{}, gone: make(chan struct{})}
	s.cmd = s.command("dev", "--plugins", plugins, "--platform", "127.0.0.1:0")
	s.cmd.Env = append(s.cmd.Env, "XDG_CACHE_HOME="+filepath.Join(built, "dev-cache"), "LOG_LEVEL=warn")
	said := &buffer{}
	s.cmd.Stdout, s.cmd.Stderr = said, s.log
	require.NoError(t, s.cmd.Start())
	go func() {
		s.err = s.cmd.Wait()
		close(s.gone)
	}()
	t.Cleanup(s.kill)

	place := regexp.MustCompile(`notification service: (http://\S+) shows`)
	s.eventually("it listens", time.Minute, func() bool { return listening.MatchString(said.String()) })
	s.url = listening.FindStringSubmatch(said.String())[1]
	world := place.FindStringSubmatch(said.String())[1]
	require.Contains(t, said.String(), "plugins: reminder (wasm", "%s", s.log)

	s.create(object{"name": "Stream Reminder", "type": "reminder", "cronExpression": "* * * * * *", "data": object{
		"channelId": "815001", "message": "Time to start streaming!", "notifyVia": []string{"discord", "email"},
	}})
	s.eventually("a message and a notification arrive", time.Minute, func() bool {
		return strings.Contains(said.String(), `message created: 815001  "Time to start streaming!"`) &&
			strings.Contains(said.String(), `notification sent: 815001  "Time to start streaming!"`)
	})
	resp, err := http.Get(world + "/journal?effects=true") //nolint:noctx // it answers at once
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	var journal struct {
		Items []struct{ Route, Effect string }
	}
	require.NoError(t, json.NewDecoder(bufio.NewReader(resp.Body)).Decode(&journal))
	require.NotEmpty(t, journal.Items)

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.gone
	require.NoError(t, s.err)
	data := regexp.MustCompile(`store sqlite at (\S+)/scheduler\.db`).FindStringSubmatch(said.String())
	require.NotNil(t, data, said.String())
	require.NoDirExists(t, data[1])
}

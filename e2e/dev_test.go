package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
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
	aggregation := exec.Command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(plugins, "aggregation.wasm"), "../plugins/aggregation")
	aggregation.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	out, err := aggregation.CombinedOutput()
	require.NoError(t, err, "%s", out)
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
	require.Contains(t, said.String(), ", reminder (wasm", "%s", s.log)

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
	require.Contains(t, followThePage(t, s.url, world), `"metrics":{"viewers":12}`)

	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.gone
	require.NoError(t, s.err)
	data := regexp.MustCompile(`store sqlite at (\S+)/scheduler\.db`).FindStringSubmatch(said.String())
	require.NotNil(t, data, said.String())
	require.NoDirExists(t, data[1])
}

// followThePage runs the commands of docs/development.md and returns what they
// print.
func followThePage(t *testing.T, api, world string) string {
	t.Helper()
	page, err := os.ReadFile("../docs/development.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	require.NotEmpty(t, blocks)
	places := strings.NewReplacer("localhost:3006", strings.TrimPrefix(api, "http://"), "localhost:3007", strings.TrimPrefix(world, "http://"), "curl ", "curl --fail-with-body ")
	var said strings.Builder
	for _, block := range blocks {
		out, err := exec.Command("bash", "-euo", "pipefail", "-c", places.Replace(block[1])).CombinedOutput()
		require.NoError(t, err, "%s\n%s", block[1], out)
		said.Write(out)
	}
	return said.String()
}

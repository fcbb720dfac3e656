package api_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/internal/memory"
)

// pluginHost writes down what it is told to do.
type pluginHost struct {
	told *[]string
	err  error
}

func (h pluginHost) Reload(context.Context) error { return nil }

func (h pluginHost) LastReload() *core.PluginReload {
	return &core.PluginReload{At: coretest.Epoch(), Error: "line 3: no"}
}

func (h pluginHost) Rollback(taskType string) error {
	*h.told = append(*h.told, "rollback "+taskType)
	return h.err
}

func (h pluginHost) Release(taskType string) error {
	*h.told = append(*h.told, "release "+taskType)
	return h.err
}

func TestPluginsAreRolledBackAndReleased(t *testing.T) {
	var told []string
	host := pluginHost{told: &told}
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, Plugins: host})
	require.Equal(t, "test", f.want(200, "POST", "/plugins/test/rollback", nil).body["type"])
	require.Equal(t, "test", f.want(200, "POST", "/plugins/test/release", nil).body["type"])
	require.Equal(t, []string{"rollback test", "release test"}, told)
	f.fails(400, core.CodeInvalidRequest, []string{"/to"}, f.do("POST", "/plugins/test/rollback", `{"to": "1.0.0"}`))
	require.Len(t, told, 2)

	host.err = core.Errorf(core.CodeConflict, "there is nothing to roll back to")
	f = fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, Plugins: host})
	r := f.do("POST", "/plugins/test/rollback", nil)
	f.fails(409, core.CodeConflict, nil, r)
	require.Contains(t, r.body["error"].(object)["message"], "nothing to roll back to")

	f = newFixture(t)
	for _, path := range []string{"/plugins/reload", "/plugins/test/rollback", "/plugins/test/release"} {
		f.fails(503, core.CodeUnavailable, nil, f.do("POST", path, nil))
	}
}

func TestTheLastReloadIsTold(t *testing.T) {
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, Plugins: pluginHost{}})
	last := f.want(200, "GET", "/plugins", nil).body["lastReload"].(object)
	require.Equal(t, object{"at": coretest.Epoch().Format(time.RFC3339), "error": "line 3: no"}, last)
	require.Nil(t, newFixture(t).want(200, "GET", "/plugins", nil).body["lastReload"])
}

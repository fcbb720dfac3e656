package redis_test

import (
	"context"
	"os"
	"testing"
	"time"

	driver "github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/faultproxy"
	"github.com/nexuscore/scheduler/internal/redis"
)

// TestMain looks for goroutines that were left behind. The client's own holds a
// message for a minute that came while nobody took it any more.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*channel).initMsgChan.func1"))
}

// timeout bounds the calls of most tests: long for a loopback, short to wait
// for.
const timeout = time.Second

func serverURL(t testing.TB) string {
	url := os.Getenv("TEST_REDIS_URL")
	switch {
	case url == "" && testing.Short():
		t.Skip("no TEST_REDIS_URL")
	case url == "":
		t.Fatal("set TEST_REDIS_URL to a Redis server for tests, run `make test`, which starts one, or use -short")
	}
	return url
}

// world is a prefix of its own on the server, reached through a proxy.
type world struct {
	testing.TB
	prefix string
	proxy  *faultproxy.Proxy
	direct *driver.Client // does not go through the proxy
	opts   *driver.Options
}

func newWorld(t testing.TB) *world {
	opts, err := driver.ParseURL(serverURL(t))
	require.NoError(t, err)
	proxy, err := faultproxy.Start(opts.Addr)
	require.NoError(t, err)
	w := &world{TB: t, prefix: "test:" + core.NewID(), proxy: proxy, direct: driver.NewClient(opts), opts: opts}
	t.Cleanup(func() {
		w.forget()
		require.NoError(t, w.direct.Close())
		require.NoError(t, proxy.Close())
	})
	return w
}

// open returns a client that goes through the proxy.
func (w *world) open(change ...func(*redis.Config)) *redis.Client {
	url := "redis://" + w.proxy.Addr()
	if w.opts.Password != "" {
		url = "redis://" + w.opts.Username + ":" + w.opts.Password + "@" + w.proxy.Addr()
	}
	cfg := redis.Config{URL: url, Prefix: w.prefix, Timeout: timeout}
	for _, f := range change {
		f(&cfg)
	}
	c, err := redis.Open(cfg)
	require.NoError(w, err)
	w.Cleanup(func() { require.NoError(w, c.Close()) })
	return c
}

// forget drops every key of this world, as a flush would.
func (w *world) forget() {
	for _, key := range w.keys() {
		require.NoError(w, w.direct.Del(context.Background(), key).Err())
	}
}

func (w *world) keys() []string {
	keys, err := w.direct.Keys(context.Background(), w.prefix+"*").Result()
	require.NoError(w, err)
	return keys
}

// requireUnavailable fails unless call fails with UNAVAILABLE within a bounded
// time, and says what was being done.
func requireUnavailable(t testing.TB, operation string, bound time.Duration, call func() error) {
	t.Helper()
	begun := time.Now()
	err := call()
	require.Less(t, time.Since(begun), bound)
	require.Equal(t, core.CodeUnavailable, core.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "UNAVAILABLE: "+operation+": redis is not available: ")
}

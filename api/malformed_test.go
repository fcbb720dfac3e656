package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

// TestMalformedRequestsAreNotRepeated: what cannot be read may hold a password
// wherever.
func TestMalformedRequestsAreNotRepeated(t *testing.T) {
	f := newFixture(t)
	addr := f.listen()
	for name, request := range map[string]string{
		"no colon":       "GET /tasks HTTP/1.1\r\nHost: x\r\nAuthorization Bearer hunter2\r\n\r\n",
		"no method":      "hunter2\r\n\r\n",
		"bad length":     "POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: hunter2\r\n\r\n",
		"space in name":  "GET /tasks HTTP/1.1\r\nHost: x\r\nAuthorization : hunter2\r\n\r\n",
		"bad version":    "GET /tasks HTTP/hunter2\r\n\r\n",
		"bad chunk size": "POST /tasks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nhunter2\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := f.send(addr, request)
			f.fails(400, core.CodeInvalidRequest, nil, r)
			require.NotContains(t, fmt.Sprint(r.body), "hunter2")
		})
	}
}

func TestLargeHeadersAreNamed(t *testing.T) {
	f := newFixture(t)
	r := f.send(f.listen(), "GET /tasks HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("a", 17<<10)+"\r\n\r\n")
	f.fails(400, core.CodeInvalidRequest, nil, r)
	require.Contains(t, r.body["error"].(object)["message"], "at most 16 KiB")
}

func TestASlowSenderRunsOutOfTime(t *testing.T) {
	f := fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, ReadTimeout: 50 * time.Millisecond})
	f.fails(504, core.CodeTimeout, nil, f.send(f.listen(), "POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{"))
}

func TestASlowReaderHasLongerThanTheLongestWait(t *testing.T) {
	require.Greater(t, newFixture(t).server.WriteTimeout(), api.LongestWait)
}

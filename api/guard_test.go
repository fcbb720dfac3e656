package api_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/api"
	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/internal/memory"
)

func listeningOn(t *testing.T, host string) *fixture {
	return fixtureWith(t, memory.NewStore(core.SystemClock{}), api.Config{Health: health{}, Host: host})
}

func TestOnLoopbackOnlyItsNamesAreAnswered(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
		f := listeningOn(t, host)
		for _, name := range []string{"localhost", "LOCALHOST:3006", "localhost.:3006", "127.0.0.1:3006", "127.0.0.9", "[::1]:3006", "[::1]"} {
			f.want(200, "GET", "/tasks", nil, "Host", name)
		}
		for _, name := range []string{"evil.example", "evil.example:3006", "localhost.evil.example", "127.0.0.1.evil.example", "192.168.0.1:3006", "0.0.0.0:3006"} {
			f.fails(403, core.CodeForbidden, nil, f.do("GET", "/tasks", nil, "Host", name))
		}
	}
}

func TestOnOtherAddressesEveryNameIsAnswered(t *testing.T) {
	for _, host := range []string{"", "0.0.0.0", "scheduler.internal"} {
		listeningOn(t, host).want(200, "GET", "/tasks", nil, "Host", "evil.example")
	}
}

func TestPagesOfAnotherOriginAreRefused(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "0.0.0.0"} {
		f := listeningOn(t, host)
		for _, origin := range []string{"https://evil.example", "http://localhost:8080", "http://localhost", "null", "localhost:3006", "http://["} {
			for _, method := range []string{"GET", "POST", "OPTIONS"} {
				f.fails(403, core.CodeForbidden, nil, f.do(method, "/plugins/reload", nil, "Host", "localhost:3006", "Origin", origin))
			}
		}
		f.want(200, "GET", "/tasks", nil, "Host", "localhost:3006", "Origin", "http://localhost:3006")
	}
}

func TestUnknownMethodsHaveTheEnvelope(t *testing.T) {
	f := newFixture(t)
	addr := f.listen()
	for method, path := range map[string]string{"FOO": "/tasks", "get": "/tasks", "PROPFIND": "/tasks/" + core.NewID()} {
		r := f.send(addr, method+" "+path+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		f.fails(405, core.CodeMethodNotAllowed, nil, r)
		require.Contains(t, r.header.Get("Allow"), "GET")
	}
	f.fails(404, core.CodeNotFound, nil, f.send(addr, "FOO /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
}

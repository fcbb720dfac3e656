package hosttest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// attack is a run that means harm.
type attack struct {
	taskType string
	order    order
	deadline time.Duration // 0: none that matters
	code     []core.Code   // how it ends, where runtimes differ in one of these ways; none for a success
}

// attacks are what a hostile plugin does. Beside the codes, other groups hold
// what the runs left behind: this one holds the server's own pulse.
func (s *suite) attacks() map[string]attack {
	const while = 200 * time.Millisecond
	tooLate, refused := []core.Code{core.CodeTimeout}, []core.Code{core.CodePluginDenied}
	return map[string]attack{
		"endless loop":                  {roomy, order{Do: "loop"}, while, tooLate},
		"endless loop on a budget":      {frugal, order{Do: "loop"}, 0, []core.Code{core.CodePluginCPULimit}},
		"exponential recursion":         {roomy, order{Do: "recurse", N: 70}, while, tooLate},
		"recursion on a budget":         {frugal, order{Do: "recurse", N: 70}, 0, []core.Code{core.CodePluginCPULimit}},
		"deep recursion":                {tight, order{Do: "deep"}, 0, []core.Code{core.CodePluginMemoryLimit}},
		"memory bomb":                   {tight, order{Do: "memory", N: 1000}, 0, []core.Code{core.CodePluginMemoryLimit}},
		"output flood":                  {tight, order{Do: "output", N: 1 << 20}, 0, []core.Code{core.CodePluginOutputLimit}},
		"log flood":                     {tight, order{Do: "log", N: 1_000_000}, 0, []core.Code{core.CodePluginLogLimit}},
		"long log flood":                {tight, order{Do: "log", Text: strings.Repeat("x", 500), N: 1_000_000}, 0, []core.Code{core.CodePluginLogLimit}},
		"host-call flood":               {tight, order{Do: "call", Text: "config", N: 1_000_000}, 0, []core.Code{core.CodePluginCallLimit}},
		"sleep past the deadline":       {roomy, order{Do: "sleep", N: 60_000}, while, tooLate},
		"redirect to a private address": {online, order{Do: "http", Text: "GET " + s.site + "/private"}, 0, []core.Code{core.CodePluginDenied}},
		"rebinding":                     {online, order{Do: "http", Text: "GET " + s.fickle + "/once", N: 2}, 0, []core.Code{core.CodePluginDenied}},
		"secret in a log":               {online, order{Do: "http", Text: "GET " + s.site + "/echo"}, 0, nil},
		"reading /etc/passwd":           {roomy, order{Do: "file", Text: "/etc/passwd"}, 0, refused},
		"fork":                          {roomy, order{Do: "fork"}, 0, refused},
		"signal":                        {roomy, order{Do: "signal"}, 0, append(refused, core.CodeExecutionFailed)}, // Go for modules has no signals, and says so itself
	}
}

// hostile demands that every attack ends with its code and leaves the server's
// pulse alone. That the pulse can tell is shown by the tests of the runtimes.
func (s *suite) hostile() map[string]func(*testing.T) {
	tests := map[string]func(*testing.T){}
	for name, a := range s.attacks() {
		tests[name] = func(t *testing.T) { s.pulse.Keeps(t, func() { s.attack(t, a) }) }
	}
	return tests
}

// attack runs one attack, and a peaceful run after it.
func (s *suite) attack(t *testing.T, a attack) {
	in := invocation(t, a.taskType, a.order)
	if a.deadline > 0 {
		in.Deadline = time.Now().Add(a.deadline)
	}
	out, err := s.host.Invoke(t.Context(), in)
	if a.code == nil {
		require.NoError(t, err)
	} else {
		require.Contains(t, a.code, failure(t, err).Code, failure(t, err).Message)
	}
	if a.taskType == online {
		secretFree(t, out, nil)
	}
	s.do(t, a.taskType, order{Do: "echo"})
}

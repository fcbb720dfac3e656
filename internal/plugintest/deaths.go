package plugintest

import (
	"fmt"
	"testing"

	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/sdktest"
)

// maxDeaths is how many operations a run under test may have.
const maxDeaths = 200

// Again is the attempt after one that failed: it finds the checkpoint of that one
// and no other trace of it.
func Again(c sdktest.Case, failed sdktest.Result) sdktest.Case {
	c.Execution.Attempt = 2
	c.Checkpoint = failed.Checkpoint
	return c
}

// Deaths runs a task over and over, each time in a new world: the first attempt
// dies before its first operation, its second, and so on to its answer, and a
// second attempt goes on from the checkpoint of the first. check looks at each
// world and at what the second attempt made of it.
func Deaths(t *testing.T, p sdk.Plugin, make func(*World) sdktest.Case, check func(*testing.T, *World, sdktest.Result)) {
	t.Helper()
	for at := 1; ; at++ {
		lived := false
		t.Run(fmt.Sprintf("dies at %d", at), func(t *testing.T) {
			w := New(t)
			first := make(w)
			first.DieAt = at
			end := w.Run(p, first)
			if lived = !end.Died; lived {
				end.RequireOK(t)
				return
			}
			check(t, w, w.Run(p, Again(make(w), end)))
		})
		if lived && at > 1 || t.Failed() {
			return
		}
		if at > maxDeaths {
			t.Fatalf("the run has more than %d operations", maxDeaths)
		}
	}
}

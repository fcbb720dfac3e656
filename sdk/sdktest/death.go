package sdktest

import (
	"errors"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// errDied is how a run fails that Case.DieAt has ended.
var errDied = errors.New("sdktest: the run has died")

// death is where a run ends as if its machine were lost.
type death struct {
	at    int // see Case.DieAt
	steps int // operations so far, and at last the answer
	died  bool
}

// step counts an operation, or the answer, and tells whether the run is over: it
// will not come to this one.
func (d *death) step() bool {
	d.steps++
	d.died = d.died || d.steps == d.at
	return d.died
}

// failure is what becomes of a run that died.
func (d *death) failure() *wire.Error {
	return &wire.Error{Kind: wire.Retryable, Message: errDied.Error()}
}

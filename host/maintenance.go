package host

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxPrune    = 1000 // rows of one call
	maxTypeName = 64

	minPruneAge = time.Hour                  // what is younger may be waited for
	maxPruneAge = 100 * 366 * 24 * time.Hour // keeps the arithmetic of times away from its end
)

// prune removes what is old from the store, at once: it is no effect that waits
// for the success, since repeating it does no harm.
func (c *call) prune(ctx context.Context, in []byte) (json.RawMessage, error) {
	var a wire.Prune
	if err := decodeText(in, &a); err != nil {
		return nil, err
	}
	if err := checkPrune(a); err != nil {
		return nil, err
	}
	if a.Limit <= 0 || a.Limit > maxPrune {
		a.Limit = maxPrune
	}
	p := core.Pruning{
		Target: core.PruneTarget(a.Target), OlderThan: time.Duration(a.OlderThanMS) * time.Millisecond,
		Type: a.Type, Status: core.Status(a.Status), Prefix: a.Prefix,
	}
	if p.Target == core.PruneState && p.Type == "" {
		p.Type = c.in.Type
	}
	n, err := c.pruner.PruneOlder(ctx, p, a.Limit)
	if err != nil {
		return nil, err
	}
	c.logger.Info("pruned", "target", a.Target, "older_than", p.OlderThan, "of_type", p.Type, "status", a.Status, "removed", n)
	return json.Marshal(wire.Pruned{Removed: n, More: n >= a.Limit})
}

// checkPrune refuses what makes no sense, so that no filter is passed over.
func checkPrune(a wire.Prune) error {
	history, state := a.Target == string(core.PruneHistory), a.Target == string(core.PruneState)
	switch {
	case !history && !state && a.Target != string(core.PruneIdempotencyKeys):
		return refusal("target is none of %s, %s, %s", core.PruneHistory, core.PruneIdempotencyKeys, core.PruneState)
	case a.OlderThanMS < minPruneAge.Milliseconds() || a.OlderThanMS > maxPruneAge.Milliseconds():
		return refusal("olderThanMs is not between %d, an hour, and %d, a hundred years", minPruneAge.Milliseconds(), maxPruneAge.Milliseconds())
	case a.Status != "" && (!history || !core.Status(a.Status).Final()):
		return refusal("status: only history has one, that of an execution which has ended")
	case a.Prefix != "" && !state:
		return refusal("prefix: only state has one")
	case a.Type != "" && !history && !state:
		return refusal("type: only history and state have one")
	case a.Type != "" && !plainWord(a.Type, maxTypeName), a.Prefix != "" && !plainWord(a.Prefix, maxStateKey):
		return refusal("type, prefix: too long, or with control characters")
	}
	return nil
}

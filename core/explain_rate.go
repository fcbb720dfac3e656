package core

import "time"

// rateGate looks at the rate limit of the execution and at that of its type. It
// cannot ask the limiter, because asking takes; the node's own guess must do.
func (x explaining) rateGate(e Execution) GateState {
	g := gate(GateRate, false, "no rate limit")
	if l := e.Policy.RateLimit; l != nil {
		g = gate(GateRate, false, "rate limit %q: %d in %s", l.Key, l.Limit, l.PerMs.Duration())
		if opens, closed := x.rateOpens(RateKey(l.Key)); closed {
			g = gate(GateRate, true, "the rate limit %q of %d in %s is used up until %s; those with a higher rank go first",
				l.Key, l.Limit, l.PerMs.Duration(), opens.Format(time.RFC3339Nano))
			g.OpensAt = &opens
		}
	}
	if opens, closed := x.rateOpens(TypeRateKey(e.Type)); closed && (g.OpensAt == nil || opens.After(*g.OpensAt)) {
		g = gate(GateRate, true, "the rate limit of the type %q (limits.rate in plugins.yaml) is used up until %s", e.Type, opens.Format(time.RFC3339Nano))
		g.OpensAt = &opens
	}
	return g
}

// rateOpens is when a rate has room again, as far as this node knows.
func (x explaining) rateOpens(key string) (opens time.Time, closed bool) {
	if x.scheduler.rates == nil {
		return x.now, false
	}
	opens = x.scheduler.rates.RateOpensAt(x.now, key)
	return opens, opens.After(x.now)
}

package coretest

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

// TestLimiter proves that a limiter keeps the contract of core.Limiter. open
// returns a limiter whose allowances are whole, and a function that lets a time
// pass by the limiter's clock: it moves a Clock, or sleeps.
func TestLimiter(t *testing.T, open func(t testing.TB) (limiter core.Limiter, pass func(time.Duration))) {
	for behaviour, prove := range map[string]func(f *limiterFixture){
		"as many as the limit start at once":       limiterBurst,
		"then one starts each per/limit":           limiterSteady,
		"the wait is long enough and not too long": limiterWait,
		"an idle key regains its allowance only":   limiterRefills,
		"a refused request takes nothing":          limiterRefused,
		"keys are independent":                     limiterKeys,
		"one call decides in order":                limiterOrder,
		"nothing asked, nothing decided":           limiterNothing,
		"a caller that has given up takes nothing": limiterContext,
		"concurrent callers share one allowance":   limiterHammer,
	} {
		t.Run(behaviour, func(t *testing.T) {
			limiter, pass := open(t)
			prove(&limiterFixture{TB: t, Limiter: limiter, pass: pass})
		})
	}
}

type limiterFixture struct {
	testing.TB
	core.Limiter
	pass func(time.Duration)
}

// The limit of most tests: a distance of 300 ms is long for a machine and short
// for a sleep.
const (
	rateLimit = 3
	ratePer   = 900 * time.Millisecond
	rateStep  = ratePer / rateLimit
)

// take asks once for each key.
func (f *limiterFixture) take(keys ...string) []core.LimitDecision {
	f.Helper()
	requests := make([]core.LimitRequest, len(keys))
	for i, key := range keys {
		requests[i] = core.LimitRequest{Key: key, Limit: rateLimit, Per: ratePer}
	}
	decisions, err := f.Take(f.Context(), requests)
	require.NoError(f, err)
	require.Len(f, decisions, len(keys))
	for _, d := range decisions {
		require.Equal(f, d.Allowed, d.Wait == 0, "a wait goes with a refusal: %+v", d)
		require.GreaterOrEqual(f, d.Wait, time.Duration(0))
	}
	return decisions
}

// allowed asks n times for a key, in one call, so that no time passes meanwhile,
// and counts what was allowed.
func (f *limiterFixture) allowed(key string, n int) int {
	f.Helper()
	count := 0
	for _, d := range f.take(slices.Repeat([]string{key}, n)...) {
		if d.Allowed {
			count++
		}
	}
	return count
}

func limiterBurst(f *limiterFixture) {
	require.Equal(f, rateLimit, f.allowed("a", rateLimit+2))
}

func limiterSteady(f *limiterFixture) {
	f.allowed("a", rateLimit)
	for range 3 {
		require.Zero(f, f.allowed("a", 1))
		f.pass(rateStep + rateStep/10)
		require.Equal(f, 1, f.allowed("a", 1))
	}
}

func limiterWait(f *limiterFixture) {
	f.allowed("a", rateLimit)
	d := f.take("a")[0]
	require.False(f, d.Allowed)
	require.LessOrEqual(f, d.Wait, rateStep+time.Millisecond)
	f.pass(d.Wait + time.Millisecond)
	require.True(f, f.take("a")[0].Allowed, "it was told to ask again now")
}

func limiterRefills(f *limiterFixture) {
	f.allowed("a", rateLimit)
	f.pass(2 * ratePer)
	require.Equal(f, rateLimit, f.allowed("a", 2*rateLimit))
}

func limiterRefused(f *limiterFixture) {
	require.Equal(f, rateLimit, f.allowed("a", rateLimit+20))
	f.pass(rateStep + rateStep/10)
	require.True(f, f.take("a")[0].Allowed, "refusals were paid for")
}

func limiterKeys(f *limiterFixture) {
	require.Equal(f, rateLimit, f.allowed("a", rateLimit+1))
	require.Equal(f, rateLimit, f.allowed("b", rateLimit+1))
}

func limiterOrder(f *limiterFixture) {
	decisions := f.take("a", "a", "b", "a", "a", "b")
	allowed := make([]bool, len(decisions))
	for i, d := range decisions {
		allowed[i] = d.Allowed
	}
	require.Equal(f, []bool{true, true, true, true, false, true}, allowed)
}

func limiterNothing(f *limiterFixture) {
	require.Empty(f, f.take())
}

func limiterContext(f *limiterFixture) {
	ctx, cancel := context.WithCancel(f.Context())
	cancel()
	_, err := f.Take(ctx, []core.LimitRequest{{Key: "a", Limit: rateLimit, Per: ratePer}})
	require.Error(f, err)
	require.Equal(f, rateLimit, f.allowed("a", rateLimit))
}

func limiterHammer(f *limiterFixture) {
	const callers, each, limit = 8, 20, 37
	counts, errs := make([]int, callers), make([]error, callers)
	together(callers, func(i int) {
		for range each {
			decisions, err := f.Take(f.Context(), []core.LimitRequest{{Key: "shared", Limit: limit, Per: 24 * time.Hour}})
			if err != nil {
				errs[i] = err
				return
			}
			if decisions[0].Allowed {
				counts[i]++
			}
		}
	})
	total := 0
	for i, n := range counts {
		require.NoError(f, errs[i])
		total += n
	}
	require.Equal(f, limit, total)
}

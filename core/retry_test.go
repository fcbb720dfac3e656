package core_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core"
)

// tenYears is the longest duration that a user may give.
const tenYears = 10 * 366 * 24 * time.Hour

func retryable() *core.Failure { return &core.Failure{Class: core.ClassRetryable} }

func TestBackoffDelays(t *testing.T) {
	for _, tc := range []struct {
		name    string
		backoff core.Backoff
		delay   time.Duration
		cap     time.Duration // 0: none
		want    []time.Duration
	}{
		{"fixed", core.BackoffFixed, time.Second, time.Hour, []time.Duration{time.Second, time.Second, time.Second}},
		{"fixed at the cap", core.BackoffFixed, time.Hour, time.Hour, []time.Duration{time.Hour, time.Hour}},
		{"linear", core.BackoffLinear, time.Second, time.Hour, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}},
		{"linear capped", core.BackoffLinear, 2 * time.Second, 5 * time.Second, []time.Duration{2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second}},
		{"linear of nothing", core.BackoffLinear, 0, time.Hour, []time.Duration{0, 0, 0}},
		{"exponential", core.BackoffExponential, time.Second, time.Hour, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}},
		{"exponential capped", core.BackoffExponential, time.Second, 3 * time.Second, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second, 3 * time.Second}},
		{"exponential without a cap", core.BackoffExponential, time.Hour, 0, []time.Duration{time.Hour, 2 * time.Hour, 4 * time.Hour}},
		{"exponential of nothing", core.BackoffExponential, 0, 0, []time.Duration{0, 0, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := core.RetryPolicy{Attempts: 100, Delay: core.MillisOf(tc.delay), Backoff: tc.backoff, MaxDelay: core.MillisOf(tc.cap)}
			for i, want := range tc.want {
				got, again := p.After(i+1, retryable(), 0.5)
				require.True(t, again)
				require.Equal(t, want, got, "after attempt %d", i+1)
			}
		})
	}
}

func TestHugeDelaysStayAtTheCap(t *testing.T) {
	for _, backoff := range []core.Backoff{core.BackoffFixed, core.BackoffLinear, core.BackoffExponential} {
		for _, maxDelay := range []time.Duration{0, tenYears} {
			p := core.RetryPolicy{
				Attempts: math.MaxInt, Delay: core.MillisOf(tenYears), Backoff: backoff,
				MaxDelay: core.MillisOf(maxDelay), Jitter: true,
			}
			for _, attempt := range []int{1, 2, 63, 64, 99, math.MaxInt - 1} {
				got, again := p.After(attempt, retryable(), math.Nextafter(1, 0))
				require.True(t, again)
				require.InDelta(t, tenYears, got, float64(time.Microsecond), "%s after attempt %d", backoff, attempt)
				require.LessOrEqual(t, got, tenYears)
			}
		}
	}
}

func TestJitterSpreadsByATenth(t *testing.T) {
	p := core.RetryPolicy{Attempts: 3, Delay: 10_000, Backoff: core.BackoffFixed, MaxDelay: 60_000, Jitter: true}
	for _, tc := range []struct {
		spread float64
		want   time.Duration
	}{{0, 9 * time.Second}, {0.5, 10 * time.Second}, {0.75, 10500 * time.Millisecond}, {1, 11 * time.Second}} {
		got, _ := p.After(1, retryable(), tc.spread)
		require.InDelta(t, tc.want, got, float64(time.Millisecond), "spread %v", tc.spread)
	}
	p.Jitter = false
	got, _ := p.After(1, retryable(), 0)
	require.Equal(t, 10*time.Second, got, "without jitter the spread does not matter")
}

// TestJitterAtTheCapSpreads: delays at the cap are the herd that jitter is for.
func TestJitterAtTheCapSpreads(t *testing.T) {
	p := core.RetryPolicy{Attempts: 9, Delay: 1000, Backoff: core.BackoffExponential, MaxDelay: 4000, Jitter: true}
	for _, tc := range []struct {
		attempt     int
		least, most time.Duration
	}{
		{1, 900 * time.Millisecond, 1100 * time.Millisecond},
		{3, 3600 * time.Millisecond, 4 * time.Second},
		{8, 3600 * time.Millisecond, 4 * time.Second},
	} {
		seen := map[time.Duration]bool{}
		for i := range 100 {
			got, _ := p.After(tc.attempt, retryable(), float64(i)/100)
			require.GreaterOrEqual(t, got, tc.least)
			require.LessOrEqual(t, got, tc.most)
			seen[got] = true
		}
		require.Len(t, seen, 100, "after attempt %d", tc.attempt)
	}
}

func TestTheClassDecidesAboutARetry(t *testing.T) {
	p := core.RetryPolicy{Attempts: 3, Delay: 1000, Backoff: core.BackoffFixed, MaxDelay: 1000}
	for class, want := range map[core.Class]bool{
		core.ClassRetryable: true, core.ClassTimeout: true, "": true,
		core.ClassPermanent: false, core.ClassDenied: false, core.ClassCancelled: false,
	} {
		_, again := p.After(1, &core.Failure{Class: class}, 0)
		require.Equal(t, want, again, "class %q", class)
		_, again = p.After(1, &core.Failure{Class: class, RetryAfter: time.Second}, 0)
		require.Equal(t, want, again, "class %q whose plugin asks for a retry", class)
		_, again = p.After(3, &core.Failure{Class: class}, 0)
		require.False(t, again, "class %q after the last attempt", class)
	}
}

func TestAPluginsRetryAfterIsKept(t *testing.T) {
	p := core.RetryPolicy{Attempts: 2, Delay: 1000, Backoff: core.BackoffFixed, MaxDelay: 1000, Jitter: true}
	f := &core.Failure{Class: core.ClassRetryable, RetryAfter: 37 * time.Minute}
	got, again := p.After(1, f, 0)
	require.True(t, again)
	require.Equal(t, 37*time.Minute, got, "beyond the cap and without jitter")
	_, again = p.After(2, f, 0)
	require.False(t, again, "a wish does not add attempts")
}

func drawRetryPolicy(t *rapid.T) core.RetryPolicy {
	delay := rapid.Int64Range(0, int64(core.MillisOf(tenYears))).Draw(t, "delay")
	p := core.RetryPolicy{
		Attempts: rapid.IntRange(1, 100).Draw(t, "attempts"), Delay: core.Millis(delay),
		Backoff: rapid.SampledFrom([]core.Backoff{core.BackoffFixed, core.BackoffLinear, core.BackoffExponential}).Draw(t, "backoff"),
		Jitter:  rapid.Bool().Draw(t, "jitter"),
	}
	if rapid.Bool().Draw(t, "capped") {
		p.MaxDelay = core.Millis(rapid.Int64Range(delay, int64(core.MillisOf(tenYears))).Draw(t, "maxDelay"))
	}
	return p
}

func limitOf(p core.RetryPolicy) time.Duration {
	if p.MaxDelay == 0 {
		return tenYears
	}
	return p.MaxDelay.Duration()
}

func TestDelaysStayInBoundsAndGrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawRetryPolicy(t)
		last := time.Duration(0)
		for attempt := 1; ; attempt++ {
			spread := rapid.Float64Range(0, 0.999999).Draw(t, "spread")
			got, again := p.After(attempt, retryable(), spread)
			if !again {
				require.Equal(t, p.Attempts, attempt, "gave up early")
				return
			}
			require.GreaterOrEqual(t, got, time.Duration(0))
			require.LessOrEqual(t, got, limitOf(p))
			if !p.Jitter {
				require.GreaterOrEqual(t, got, last)
			}
			last = got
		}
	})
}

func TestJitterStaysWithinATenthOfTheDelay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawRetryPolicy(t)
		attempt := rapid.IntRange(1, 99).Draw(t, "attempt")
		p.Attempts, p.Jitter = 100, false
		plain, _ := p.After(attempt, retryable(), 0)
		p.Jitter = true
		got, _ := p.After(attempt, retryable(), rapid.Float64Range(0, 0.999999).Draw(t, "spread"))
		require.GreaterOrEqual(t, got, time.Duration(0.9*float64(plain))-time.Microsecond)
		require.LessOrEqual(t, got, min(limitOf(p), time.Duration(1.1*float64(plain))+time.Microsecond))
	})
}

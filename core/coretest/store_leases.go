package coretest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
)

func (s storeSuite) leases(t *testing.T) {
	s.run(t, "a heartbeat extends the leases that are held", heartbeatExtends)
	s.run(t, "a heartbeat tells which leases are lost", heartbeatLost)
	s.run(t, "a heartbeat tells which executions were asked to end", heartbeatCancel)
	s.run(t, "an expired lease that was not reaped can be saved", heartbeatSaves)
	s.run(t, "expired leases are reaped, and only those", reapExpired)
	s.run(t, "the longest expired are reaped first, up to the limit", reapOrder)
	s.run(t, "a reaped execution is what settle makes of it", reapSettles)
	s.run(t, "several reapers take each execution once", reapConcurrently)
	s.run(t, "nothing to do is no error", leasesEmpty)
}

func (f *fixture) beat(ttl time.Duration, leases ...core.Lease) core.HeartbeatReport {
	f.Helper()
	report, err := f.Heartbeat(f.Context(), leases, ttl)
	require.NoError(f, err)
	return report
}

func (f *fixture) reap(limit int, settle func(time.Time, *core.Execution)) []core.Execution {
	f.Helper()
	reaped, err := f.Reap(f.Context(), limit, settle)
	require.NoError(f, err)
	return reaped
}

func heartbeatExtends(f *fixture) {
	a, b, silent := f.putRunning(), f.putRunning(), f.putRunning()
	now := f.clock.Advance(testTTL - time.Second)
	report := f.beat(time.Minute, leaseOf(a), leaseOf(b))
	require.Empty(f, report.Lost)
	require.Empty(f, report.Cancel)
	for _, e := range []core.Execution{a, b} {
		e.LeaseUntil = now.Add(time.Minute)
		requireSameExecution(f, e, f.get(e.ID))
	}
	requireSameExecution(f, silent, f.get(silent.ID))
	f.clock.Advance(2 * time.Second)
	require.Equal(f, []string{silent.ID}, idsOf(f.reap(10, loseLease)))
}

func heartbeatLost(f *fixture) {
	held, finished, handedBack, superseded := f.putRunning(), f.putRunning(), f.putRunning(), f.putRunning()
	f.settle(finished, succeed)
	f.settle(handedBack, func(now time.Time, e *core.Execution) { e.HandBack(now) })
	heir := f.start(f.settle(superseded, func(now time.Time, e *core.Execution) { e.HandBack(now) }))[0]
	unknown := core.Lease{ExecutionID: core.NewID(), Token: 1}
	f.clock.Advance(time.Second)

	report := f.beat(time.Hour, leaseOf(held), leaseOf(finished), leaseOf(handedBack), leaseOf(superseded), unknown)
	require.ElementsMatch(f, []string{finished.ID, handedBack.ID, superseded.ID, unknown.ExecutionID}, report.Lost)
	requireSameExecution(f, heir, f.get(heir.ID)) // an old token extends nothing
}

func heartbeatCancel(f *fixture) {
	asked, other, zombie := f.putRunning(), f.putRunning(), f.putRunning()
	f.cancelNow(core.Cancellation{ExecutionID: asked.ID})
	f.cancelNow(core.Cancellation{ExecutionID: zombie.ID})
	f.settle(zombie, succeed)
	report := f.beat(testTTL, leaseOf(asked), leaseOf(other), leaseOf(zombie))
	require.Equal(f, []string{asked.ID}, report.Cancel)
	require.Equal(f, []string{zombie.ID}, report.Lost)
}

func heartbeatSaves(f *fixture) {
	late := f.putRunning()
	now := f.clock.Advance(time.Hour)
	require.Empty(f, f.beat(testTTL, leaseOf(late)).Lost)
	require.Equal(f, now.Add(testTTL), f.get(late.ID).LeaseUntil)
	require.Empty(f, f.reap(10, loseLease))
}

func reapExpired(f *fixture) {
	running := f.putRunning()
	f.putFree()
	f.putFinished(f.putTask())
	f.clock.Set(running.LeaseUntil)
	require.Empty(f, f.reap(10, loseLease), "the lease has not expired yet")
	f.clock.Advance(time.Microsecond)
	require.Equal(f, []string{running.ID}, idsOf(f.reap(10, loseLease)))
	require.Empty(f, f.reap(10, loseLease), "reaped twice")
}

func reapOrder(f *fixture) {
	var want []string
	for range 4 {
		want = append(want, f.putRunning().ID)
		f.clock.Advance(time.Second)
	}
	f.beat(testTTL, leaseOf(f.get(want[0]))) // now the last to expire
	want = append(want[1:], want[0])
	f.clock.Advance(time.Hour)
	require.Equal(f, want[:3], idsOf(f.reap(3, loseLease)))
	require.Equal(f, want[3:], idsOf(f.reap(3, loseLease)))
}

func reapSettles(f *fixture) {
	running, last := f.putRunning(), f.start(f.putFree(func(e *core.Execution) { e.Policy.Delivery = core.AtMostOnce }))[0]
	f.cancelNow(core.Cancellation{ExecutionID: running.ID})
	now := f.clock.Advance(time.Minute)
	want := map[string]core.Execution{}
	reaped := f.reap(10, func(at time.Time, e *core.Execution) {
		require.Equal(f, now, at)
		require.Equal(f, core.StatusRunning, e.Status)
		loseLease(at, e)
		want[e.ID] = *e
	})
	require.Len(f, reaped, 2)
	for _, e := range reaped {
		requireSameExecution(f, want[e.ID], e)
		requireSameExecution(f, want[e.ID], f.get(e.ID))
	}
	require.Equal(f, core.StatusCancelled, f.get(running.ID).Status)
	require.Equal(f, core.StatusLost, f.get(last.ID).Status)
}

func reapConcurrently(f *fixture) {
	const executions = 12
	var want []string
	for range executions {
		want = append(want, f.putRunning().ID)
	}
	f.clock.Advance(time.Hour)
	reaped, errs := make([][]core.Execution, hammerers), make([]error, hammerers)
	together(hammerers, func(i int) {
		for errs[i] == nil {
			var batch []core.Execution
			if batch, errs[i] = f.Reap(f.Context(), 2, loseLease); len(batch) == 0 {
				return
			}
			reaped[i] = append(reaped[i], batch...)
		}
	})
	var got []string
	for i := range reaped {
		require.NoError(f, errs[i])
		got = append(got, idsOf(reaped[i])...)
	}
	require.ElementsMatch(f, want, got)
	for _, id := range want {
		require.Len(f, f.get(id).Attempts, 1)
	}
}

func leasesEmpty(f *fixture) {
	report := f.beat(testTTL)
	require.Empty(f, report.Lost)
	require.Empty(f, report.Cancel)
	require.Empty(f, f.reap(10, loseLease))
}

package core_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
)

// later is an instant so long after coretest.Epoch.
func later(d time.Duration) time.Time { return coretest.Epoch().Add(d) }

// pending returns an execution of a task that retries twice after ten seconds.
func pending(options ...func(*core.Execution)) core.Execution {
	e := coretest.Execution(coretest.Task(), options...)
	e.Policy.RetryPolicy = core.RetryPolicy{Attempts: 3, Delay: 10_000, Backoff: core.BackoffFixed, MaxDelay: 10_000}
	return e
}

// running returns an execution in its first attempt, which began a second
// after Epoch.
func running(t require.TestingT, options ...func(*core.Execution)) core.Execution {
	e := pending(options...)
	require.NoError(t, e.Start("node-a", 7, later(time.Second), later(11*time.Second)))
	return e
}

func atMostOnce(e *core.Execution)      { e.Policy.Delivery = core.AtMostOnce }
func cancelRequested(e *core.Execution) { e.CancelRequested = true }

func TestStatusesAreLiveOrFinal(t *testing.T) {
	final := map[core.Status]bool{
		core.StatusPending: false, core.StatusQueued: false, core.StatusRunning: false, core.StatusRetrying: false,
		core.StatusSucceeded: true, core.StatusFailed: true, core.StatusCancelled: true,
		core.StatusLost: true, core.StatusSkipped: true, core.StatusMissed: true,
	}
	require.Len(t, core.Statuses(), len(final))
	for _, s := range core.Statuses() {
		want, known := final[s]
		require.True(t, known, s)
		require.Equal(t, want, s.Final(), s)
	}
}

func TestOnlyAWaitingExecutionStarts(t *testing.T) {
	waiting := map[core.Status]bool{core.StatusPending: true, core.StatusQueued: true, core.StatusRetrying: true}
	for _, s := range core.Statuses() {
		t.Run(string(s), func(t *testing.T) {
			e := pending(func(e *core.Execution) { e.Status = s })
			before := e
			err := e.Start("node-a", 7, later(time.Second), later(11*time.Second))
			if !waiting[s] {
				require.ErrorContains(t, err, "it is "+string(s))
				require.Equal(t, before, e, "a refusal changes nothing")
				return
			}
			require.NoError(t, err)
			require.Equal(t, core.StatusRunning, e.Status)
			require.Equal(t, 1, e.Attempt)
			require.Equal(t, int64(7), e.Token)
			require.Equal(t, "node-a", e.Worker)
			require.Equal(t, later(time.Second), *e.StartTime)
			require.Equal(t, later(time.Second), e.AttemptStart)
			require.Equal(t, later(11*time.Second), e.LeaseUntil)
		})
	}
}

func TestSucceed(t *testing.T) {
	e := running(t)
	e.Fail(&core.Failure{Code: core.CodeTimeout, Message: "slow"}, "p@1", 0, later(2*time.Second))
	require.NoError(t, e.Start("node-b", 8, later(12*time.Second), later(22*time.Second)))
	e.Succeed(core.Outcome{Plugin: "p@2", Result: json.RawMessage(`{"n":1}`)}, later(15*time.Second))
	require.Equal(t, core.StatusSucceeded, e.Status)
	require.Nil(t, e.Error, "the error of an earlier attempt is not the execution's")
	require.Nil(t, e.ErrorCode)
	require.JSONEq(t, `{"n":1}`, string(e.Result))
	require.Equal(t, "p@2", e.Plugin)
	require.Equal(t, later(15*time.Second), *e.EndTime)
	require.Equal(t, core.Millis(14_000), *e.Duration, "from the first attempt's start")
	require.Equal(t, []core.Attempt{
		{
			Number: 1, Status: core.StatusFailed, StartTime: later(time.Second), EndTime: later(2 * time.Second),
			Error: new("slow"), ErrorCode: new(core.CodeTimeout), Worker: "node-a", Plugin: "p@1",
		},
		{Number: 2, Status: core.StatusSucceeded, StartTime: later(12 * time.Second), EndTime: later(15 * time.Second), Worker: "node-b", Plugin: "p@2"},
	}, e.Attempts)
}

func TestFail(t *testing.T) {
	for _, tc := range []struct {
		name    string
		failure core.Failure
		change  func(*core.Execution)
		want    core.Status
		attempt core.Status
	}{
		{"retryable", core.Failure{Class: core.ClassRetryable}, nil, core.StatusRetrying, core.StatusFailed},
		{"timeout", core.Failure{Class: core.ClassTimeout}, nil, core.StatusRetrying, core.StatusFailed},
		{"permanent", core.Failure{Class: core.ClassPermanent}, nil, core.StatusFailed, core.StatusFailed},
		{"denied", core.Failure{Class: core.ClassDenied}, nil, core.StatusFailed, core.StatusFailed},
		{"cancelled", core.Failure{Class: core.ClassCancelled}, nil, core.StatusCancelled, core.StatusCancelled},
		{"last attempt", core.Failure{Class: core.ClassRetryable}, func(e *core.Execution) { e.Attempt = 3 }, core.StatusFailed, core.StatusFailed},
		{"cancel was asked for", core.Failure{Class: core.ClassRetryable}, cancelRequested, core.StatusCancelled, core.StatusFailed},
		{"at most once", core.Failure{Class: core.ClassRetryable}, atMostOnce, core.StatusFailed, core.StatusFailed},
		{"at most once, out of time", core.Failure{Class: core.ClassTimeout}, atMostOnce, core.StatusFailed, core.StatusFailed},
		{"at most once, and it says when", core.Failure{Class: core.ClassRetryable, RetryAfter: 10 * time.Second}, atMostOnce, core.StatusRetrying, core.StatusFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := running(t)
			if tc.change != nil {
				tc.change(&e)
			}
			tc.failure.Code, tc.failure.Message = core.CodeExecutionFailed, "it broke"
			e.Fail(&tc.failure, "p@1", 0, later(3*time.Second))
			require.Equal(t, tc.want, e.Status)
			require.Equal(t, "it broke", *e.Error)
			require.Equal(t, codeOf(e, core.CodeExecutionFailed), *e.ErrorCode)
			require.Equal(t, core.CodeExecutionFailed, *e.Attempts[0].ErrorCode)
			require.Len(t, e.Attempts, 1)
			require.Equal(t, tc.attempt, e.Attempts[0].Status)
			requireEnded(t, e, 3*time.Second)
		})
	}
}

// An attempt for which there was no plugin had no effect; one whose plugin was
// closed under it may have had one.
func TestAtMostOnceWithoutAPlugin(t *testing.T) {
	for plugin, want := range map[string]core.Status{"": core.StatusRetrying, "p@1": core.StatusFailed} {
		e := running(t)
		atMostOnce(&e)
		e.Fail(&core.Failure{Code: core.CodePluginUnavailable, Class: core.ClassRetryable}, plugin, 0, later(3*time.Second))
		require.Equal(t, want, e.Status, plugin)
	}
}

// codeOf is the code of what has ended with a code: that of a cancelled
// execution is always CANCELLED, however its last attempt ended.
func codeOf(e core.Execution, code core.Code) core.Code {
	if e.Status == core.StatusCancelled {
		return core.CodeCancelled
	}
	return code
}

// requireEnded demands that a final execution has an end, after so long, and
// that a retrying one is due after its delay and held by nobody.
func requireEnded(t *testing.T, e core.Execution, after time.Duration) {
	t.Helper()
	if e.Status.Final() {
		require.Equal(t, later(after), *e.EndTime)
		require.Equal(t, core.MillisOf(after-time.Second), *e.Duration)
		return
	}
	require.Nil(t, e.EndTime)
	require.Nil(t, e.Duration)
	require.Empty(t, e.Worker)
	require.Equal(t, later(after+10*time.Second), e.DueAt)
}

// lostBefore makes an execution one that has lost its worker so often.
func lostBefore(n int) func(*core.Execution) {
	return func(e *core.Execution) {
		for range n {
			e.Attempts = append(e.Attempts, core.Attempt{Status: core.StatusLost})
		}
	}
}

func TestLoseLease(t *testing.T) {
	for _, tc := range []struct {
		name    string
		changes []func(*core.Execution)
		want    core.Status
	}{
		{"at least once", nil, core.StatusRetrying},
		{"at least once, last attempt by policy", []func(*core.Execution){func(e *core.Execution) { e.Attempt = 3 }}, core.StatusRetrying},
		{"at least once, lost too often", []func(*core.Execution){lostBefore(4)}, core.StatusFailed},
		{"at most once", []func(*core.Execution){atMostOnce}, core.StatusLost},
		{"cancel was asked for", []func(*core.Execution){cancelRequested}, core.StatusCancelled},
		{"at most once, cancel was asked for", []func(*core.Execution){atMostOnce, cancelRequested}, core.StatusCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := running(t)
			for _, change := range tc.changes {
				change(&e)
			}
			e.LoseLease(later(20 * time.Second))
			require.Equal(t, tc.want, e.Status)
			require.Equal(t, codeOf(e, core.CodeLeaseLost), *e.ErrorCode)
			require.Contains(t, *e.Error, "node-a")
			last := e.Attempts[len(e.Attempts)-1]
			require.Equal(t, core.StatusLost, last.Status)
			require.Equal(t, core.CodeLeaseLost, *last.ErrorCode)
			if e.Status == core.StatusRetrying {
				require.Equal(t, later(20*time.Second), e.DueAt, "the delay of the policy is for failures of the work")
				return
			}
			requireEnded(t, e, 20*time.Second)
		})
	}
}

func TestHandBackSpendsNoAttempt(t *testing.T) {
	e := running(t)
	e.HandBack(later(5 * time.Second))
	require.Equal(t, core.StatusPending, e.Status)
	require.Zero(t, e.Attempt)
	require.Empty(t, e.Attempts)
	require.Nil(t, e.StartTime, "it has not begun")
	require.Empty(t, e.Worker)
	require.Equal(t, later(5*time.Second), e.DueAt)
}

func TestHandBackOfASecondAttemptKeepsTheFirst(t *testing.T) {
	e := running(t)
	e.Fail(&core.Failure{Code: core.CodeExecutionFailed}, "p@1", 0, later(2*time.Second))
	require.NoError(t, e.Start("node-b", 8, later(12*time.Second), later(22*time.Second)))
	e.HandBack(later(13 * time.Second))
	require.Equal(t, core.StatusPending, e.Status)
	require.Equal(t, 1, e.Attempt)
	require.Len(t, e.Attempts, 1)
	require.Equal(t, later(time.Second), *e.StartTime)
}

func TestWhatWasNotStartedSpendsNoAttempt(t *testing.T) {
	for _, change := range []func(*core.Execution){func(*core.Execution) {}, atMostOnce} {
		e := running(t)
		change(&e)
		e.NotStarted(later(5*time.Second), 30*time.Second)
		require.Equal(t, core.StatusPending, e.Status)
		require.Zero(t, e.Attempt)
		require.Nil(t, e.StartTime)
		require.Equal(t, later(35*time.Second), e.DueAt)
	}
	e := running(t)
	cancelRequested(&e)
	e.NotStarted(later(5*time.Second), 30*time.Second)
	require.Equal(t, core.StatusCancelled, e.Status)
}

func TestHandBackEndsWhatMayNotRunAgain(t *testing.T) {
	for _, tc := range []struct {
		name    string
		changes []func(*core.Execution)
		want    core.Status
	}{
		{"at most once", []func(*core.Execution){atMostOnce}, core.StatusLost},
		{"cancel was asked for", []func(*core.Execution){cancelRequested}, core.StatusCancelled},
		{"both", []func(*core.Execution){atMostOnce, cancelRequested}, core.StatusCancelled},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := running(t)
			for _, change := range tc.changes {
				change(&e)
			}
			e.HandBack(later(5 * time.Second))
			require.Equal(t, tc.want, e.Status)
			require.Equal(t, 1, e.Attempt, "the attempt is spent")
			require.Len(t, e.Attempts, 1)
			requireEnded(t, e, 5*time.Second)
		})
	}
}

func TestCancelAndDismiss(t *testing.T) {
	e := pending()
	e.Cancel("cancelled on request", later(time.Minute))
	require.Equal(t, core.StatusCancelled, e.Status)
	require.Equal(t, core.CodeCancelled, *e.ErrorCode)
	require.Equal(t, "cancelled on request", *e.Error)
	require.Equal(t, later(time.Minute), *e.EndTime)
	require.Nil(t, e.Duration, "it never began")
	require.Empty(t, e.Attempts)

	for _, s := range []core.Status{core.StatusSkipped, core.StatusMissed} {
		e := pending()
		e.Dismiss(s, "why", later(time.Minute))
		require.Equal(t, s, e.Status)
		require.Equal(t, "why", *e.Error)
		require.Nil(t, e.ErrorCode)
		require.Equal(t, later(time.Minute), *e.EndTime)
	}
}

func TestARetryingExecutionThatIsCancelledKeepsItsDuration(t *testing.T) {
	e := running(t)
	e.Fail(&core.Failure{Code: core.CodeExecutionFailed}, "p@1", 0, later(2*time.Second))
	e.Cancel("cancelled on request", later(4*time.Second))
	require.Equal(t, core.Millis(3000), *e.Duration)
	require.Len(t, e.Attempts, 1)
}

func TestOnlyABackfillIsNeverLate(t *testing.T) {
	task := coretest.Task(func(s *core.TaskSpec) { s.Alerts.LateAfterMs = 1000 })
	for _, trigger := range []core.Trigger{core.TriggerSchedule, core.TriggerManual, core.TriggerDependency, core.TriggerBackfill} {
		e := core.NewExecution(task, trigger, later(0), later(time.Minute), later(time.Minute))
		if trigger == core.TriggerBackfill {
			require.Nil(t, e.LateAt)
			continue
		}
		require.Equal(t, later(time.Minute+time.Second), *e.LateAt, trigger)
	}
}

func TestAClockThatWentBackGivesNoNegativeDuration(t *testing.T) {
	e := running(t)
	e.Succeed(core.Outcome{}, coretest.Epoch())
	require.Zero(t, *e.Duration)
}

func TestLongErrorTextsAreCutBetweenCharacters(t *testing.T) {
	const limit = 4 << 10
	for _, tc := range []struct{ name, text, want string }{
		{"short", "it broke", "it broke"},
		{"at the limit", strings.Repeat("x", limit), strings.Repeat("x", limit)},
		{"one over", strings.Repeat("x", limit+1), strings.Repeat("x", limit) + "…"},
		{"a character across the limit", strings.Repeat("x", limit-1) + "é", strings.Repeat("x", limit-1) + "…"},
		{"a wide character across the limit", strings.Repeat("x", limit-2) + "👋", strings.Repeat("x", limit-2) + "…"},
		{"a character that ends at the limit", strings.Repeat("x", limit-2) + "éx", strings.Repeat("x", limit-2) + "é…"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := running(t)
			e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Message: tc.text}, "p@1", 0, later(2*time.Second))
			require.Equal(t, tc.want, *e.Error)
			require.Equal(t, tc.want, *e.Attempts[0].Error)
			require.True(t, utf8.ValidString(*e.Error))
		})
	}
}

func TestARetryIsAFreshExecutionOfTheSameWork(t *testing.T) {
	old := running(t)
	old.Fail(&core.Failure{Code: core.CodeExecutionFailed, Message: "no", Class: core.ClassPermanent}, "p@1", 0, later(2*time.Second))
	old.Result, old.CancelRequested = json.RawMessage(`{}`), true
	got, err := core.NewRetry(old, later(time.Hour))
	require.NoError(t, err)
	want := pending()
	want.ID, want.TaskID, want.RetryOf, want.Trigger = got.ID, old.TaskID, &old.ID, core.TriggerRetry
	want.NominalTime, want.DueAt, want.CreatedAt = old.NominalTime, later(time.Hour), later(time.Hour)
	require.Equal(t, want, got)
	require.NotEqual(t, old.ID, got.ID)
}

func TestOnlyWhatDidNotSucceedIsRetried(t *testing.T) {
	allowed := map[core.Status]bool{
		core.StatusFailed: true, core.StatusCancelled: true, core.StatusLost: true,
		core.StatusSkipped: true, core.StatusMissed: true,
	}
	for _, s := range core.Statuses() {
		_, err := core.NewRetry(pending(func(e *core.Execution) { e.Status = s }), later(0))
		if allowed[s] {
			require.NoError(t, err, s)
			continue
		}
		require.Equal(t, core.CodeConflict, core.CodeOf(err), s)
	}
}

// TestEveryExecutionEndsOnce walks through random lives: attempts are counted
// without gaps, each is recorded once, and the life ends in one final state.
func TestEveryExecutionEndsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := pending(func(e *core.Execution) {
			e.Policy.Delivery = rapid.SampledFrom([]core.DeliveryPolicy{core.AtLeastOnce, core.AtMostOnce}).Draw(t, "delivery")
		})
		now, handBacks := later(0), 0
		for step := 0; !e.Status.Final(); step++ {
			require.Less(t, step, 100, "it does not end")
			now = now.Add(time.Second)
			require.NoError(t, e.Start("node-a", int64(step), now, now.Add(time.Minute)))
			require.LessOrEqual(t, e.Attempt, e.Policy.RetryPolicy.Attempts+5, "losses have a bound of their own")
			e.CancelRequested = e.CancelRequested || rapid.IntRange(0, 9).Draw(t, "cancel") == 0
			handBacks += live(t, &e, now.Add(time.Second), handBacks < 5)
			require.Len(t, e.Attempts, e.Attempt)
		}
		require.NotNil(t, e.EndTime)
		require.Error(t, e.Start("node-b", 99, now, now), "it came back")
		for i, a := range e.Attempts {
			require.Equal(t, i+1, a.Number)
		}
		if e.CancelRequested {
			require.Contains(t, []core.Status{core.StatusCancelled, core.StatusSucceeded, core.StatusFailed}, e.Status)
		}
	})
}

// live ends an attempt in some way and returns 1 when it was handed back.
func live(t *rapid.T, e *core.Execution, now time.Time, mayHandBack bool) int {
	switch ending := rapid.SampledFrom([]string{"succeed", "fail", "fail for good", "lose", "hand back"}).Draw(t, "ending"); {
	case ending == "succeed":
		e.Succeed(core.Outcome{}, now)
	case ending == "fail for good":
		e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassPermanent}, "p@1", 0, now)
	case ending == "lose":
		e.LoseLease(now)
	case ending == "hand back" && mayHandBack:
		e.HandBack(now)
		return 1
	default:
		e.Fail(&core.Failure{Code: core.CodeExecutionFailed, Class: core.ClassRetryable}, "p@1", 0, now)
	}
	return 0
}

func TestFailureOf(t *testing.T) {
	f := &core.Failure{Code: core.CodeTimeout, Message: "slow", Class: core.ClassTimeout}
	require.Same(t, f, core.FailureOf(fmt.Errorf("attempt: %w", f)))
	require.Equal(t, "TIMEOUT: slow", f.Error())
	other := core.FailureOf(fmt.Errorf("dial 10.0.0.1: secret"))
	require.Equal(t, core.CodeInternal, other.Code)
	require.Equal(t, core.ClassRetryable, other.Class)
	require.NotContains(t, other.Message, "secret")
}

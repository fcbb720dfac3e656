package core

// OverlapPolicy says what happens when an occurrence comes while an earlier
// execution of the same task has not ended.
type OverlapPolicy string

// The overlap policies.
const (
	OverlapSkip           OverlapPolicy = "skip"            // the new one is recorded as skipped; the default
	OverlapQueue          OverlapPolicy = "queue"           // one waits; further ones are skipped
	OverlapQueueAll       OverlapPolicy = "queue_all"       // all wait, up to MaxOverlapQueue
	OverlapCancelPrevious OverlapPolicy = "cancel_previous" // the earlier ones are cancelled, then the new one runs
	OverlapAllow          OverlapPolicy = "allow"           // they run side by side
)

// MaxOverlapQueue bounds how many executions of one task may wait.
const MaxOverlapQueue = 1000

// Active counts a task's executions that have not ended.
type Active struct {
	Running int // running now
	Waiting int // pending, queued or retrying
}

// Admission is what an overlap policy decides about a new execution.
type Admission struct {
	Admit          bool
	CancelPrevious bool   // cancel what is active
	Reason         string // why it is not admitted
}

// Admit decides about a new execution when a is active. The same rule serves
// schedules, manual executions, retries and backfills.
func (p OverlapPolicy) Admit(a Active) Admission {
	busy := a.Running+a.Waiting > 0
	switch {
	case p == OverlapAllow || !busy:
		return Admission{Admit: true}
	case p == OverlapCancelPrevious:
		return Admission{Admit: true, CancelPrevious: true}
	case p == OverlapQueue && a.Waiting == 0:
		return Admission{Admit: true}
	case p == OverlapQueueAll && a.Waiting < MaxOverlapQueue:
		return Admission{Admit: true}
	case p == OverlapQueue:
		return Admission{Reason: "an execution of this task is waiting already"}
	case p == OverlapQueueAll:
		return Admission{Reason: "too many executions of this task are waiting"}
	}
	return Admission{Reason: "the previous execution has not ended"}
}

// LockedError is the answer to somebody who asks for an execution that the
// policy does not admit: TASK_LOCKED, with the id of the oldest live execution.
func (p OverlapPolicy) LockedError(a Admission, oldest string) error {
	return Errorf(CodeTaskLocked, "overlap policy %s: %s (execution %s)", p, a.Reason, oldest)
}

// Exclusive reports whether at most one execution of the task may run at a time.
func (p OverlapPolicy) Exclusive() bool { return p != OverlapAllow }

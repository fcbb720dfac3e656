package core

import (
	"context"
	"errors"
	"time"
)

// Store is the durable truth. Each method is one atomic step: it happens whole
// or not at all, and what it has answered survives a crash. The store's clock
// decides what is due; callers never pass the time in. Decisions that must be
// taken inside a step are pure functions handed to it; they may be called more
// than once and must not call the store.
//
// Errors: NOT_FOUND, PRECONDITION_FAILED, CONFLICT, TASK_LOCKED as an *Error;
// anything else means that the store did not answer, and the step may or may
// not have happened; but with ErrRefused it has not. All methods are safe for concurrent use.
type Store interface {
	TaskStore
	ScheduleStore
	CalendarStore
	PlanStore
	ExecutionStore
	QueueStore
	WorkStore
	RequestStore
	OutboxStore
	NodeStore
	StateStore
	CheckpointStore
	MaintenanceStore
}

// AnyVersion disables the version check of an update or a delete.
const AnyVersion int64 = 0

// ErrIdempotencyReuse says that an idempotency key was used before, for a
// request with another content.
var ErrIdempotencyReuse = &Error{
	Code: CodeValidationFailed, Message: "this Idempotency-Key was used for a different request",
	Fields: []FieldProblem{{Field: "Idempotency-Key", Problem: "was used for a different request"}},
}

// ErrRefused says that a store cannot keep what it was given: another try of the
// same would end in the same way.
var ErrRefused = errors.New("the store cannot keep this")

// ErrReplayed says that the request was carried out before; the accompanying
// value is what it made then.
var ErrReplayed = errors.New("request was carried out before")

// Idempotency ties a create to a key that the caller chose. nil means none.
type Idempotency struct {
	Key         string // scope (route and caller) and key
	Fingerprint string // digest of the request's content
}

// RequestStore remembers which requests were carried out.
type RequestStore interface {
	// MadeBefore returns the id of what a request with this key made, "" when
	// there was none. It fails with ErrIdempotencyReuse when the key was used for
	// another content.
	MadeBefore(ctx context.Context, key Idempotency) (id string, err error)
}

// TaskStore keeps tasks. Writing a task whose Basis is no longer so fails with
// ErrBasisChanged.
type TaskStore interface {
	// CreateTask stores a new task; VALIDATION_FAILED when it depends on an
	// unknown one. With an idempotency key that was used for
	// the same content it returns the task made then and ErrReplayed.
	CreateTask(ctx context.Context, t Task, key *Idempotency) (Task, error)
	// Task returns a task or NOT_FOUND.
	Task(ctx context.Context, id string) (Task, error)
	// UpdateTask replaces a task by what change makes of it, if its version is
	// version (or AnyVersion); else PRECONDITION_FAILED. An error of change is
	// returned as it is and nothing happens. The version grows by one. A
	// dependency on an unknown task, or one that leads back to the task itself,
	// is VALIDATION_FAILED.
	UpdateTask(ctx context.Context, id string, version int64, change func(now time.Time, t Task) (Task, error)) (Task, error)
	// DeleteTask removes a task under the same condition, unless others depend
	// on it (CONFLICT), cancels its waiting
	// executions and asks the running ones to end. It returns the ids of those.
	DeleteTask(ctx context.Context, id string, version int64) (running []string, err error)
	// Tasks lists tasks, newest first.
	Tasks(ctx context.Context, f TaskFilter, p Page) ([]Task, error)
}

// ScheduleStore keeps shared schedules.
type ScheduleStore interface {
	// CreateSchedule is CreateTask for schedules.
	CreateSchedule(ctx context.Context, s Schedule, key *Idempotency) (Schedule, error)
	// Schedule returns a schedule or NOT_FOUND.
	Schedule(ctx context.Context, id string) (Schedule, error)
	// UpdateSchedule is UpdateTask for schedules; retime is applied to every
	// task that uses the schedule, in the same step.
	UpdateSchedule(ctx context.Context, id string, version int64,
		change func(now time.Time, s Schedule) (Schedule, error),
		retime func(now time.Time, s Schedule, t Task) (Task, error)) (Schedule, error)
	// DeleteSchedule removes a schedule, or fails with CONFLICT while tasks use it.
	DeleteSchedule(ctx context.Context, id string, version int64) error
	// Schedules lists schedules, newest first.
	Schedules(ctx context.Context, p Page) ([]Schedule, error)
}

// CalendarStore keeps named calendars.
type CalendarStore interface {
	// CreateCalendar is CreateTask for calendars; CONFLICT when the name is taken.
	CreateCalendar(ctx context.Context, c Calendar, key *Idempotency) (Calendar, error)
	// Calendar returns a calendar by its name, or NOT_FOUND.
	Calendar(ctx context.Context, name string) (Calendar, error)
	// CalendarByID is Calendar by id.
	CalendarByID(ctx context.Context, id string) (Calendar, error)
	// UpdateCalendar is UpdateTask for calendars; retime is applied to every
	// task that names it, in the same step, with all calendars of the task. The
	// name does not change.
	UpdateCalendar(ctx context.Context, name string, version int64,
		change func(now time.Time, c Calendar) (Calendar, error),
		retime func(now time.Time, set CalendarSet, t Task) (Task, error)) (Calendar, error)
	// DeleteCalendar removes a calendar, or fails with CONFLICT while tasks or
	// schedules name it.
	DeleteCalendar(ctx context.Context, name string, version int64) error
	// Calendars lists calendars, newest first.
	Calendars(ctx context.Context, p Page) ([]Calendar, error)
	// CalendarSet returns those of the named calendars that exist.
	CalendarSet(ctx context.Context, names []string) (CalendarSet, error)
}

// PlanStore turns due tasks into executions.
type PlanStore interface {
	BackfillStore
	// PlanDue takes up to limit enabled tasks that are due, longest due first,
	// asks decide about each, and applies all plans in one step. A task that
	// another planner takes at the same time is left out.
	PlanDue(ctx context.Context, limit int, decide func(now time.Time, d DueTask) Plan) (PlanReport, error)
	// Judge looks at up to limit executions that wait for dependencies: new ones,
	// those with a dependency that has ended since, and those whose patience has
	// ended. It asks rule about each and applies the verdicts in one step.
	Judge(ctx context.Context, limit int, rule func(now time.Time, e Execution, states []DependencyState) Verdict) (JudgeReport, error)
	// Dependencies returns what the tasks have done last, in the order of ids.
	// Unknown ones are left out.
	Dependencies(ctx context.Context, ids []string) ([]DependencyState, error)
	// CountDue counts the enabled tasks whose next run is in [from, to).
	CountDue(ctx context.Context, from, to time.Time) (int, error)
}

// DueTask is a task whose NextRun has come, with what a decision about it needs:
// its executions that have not ended, the calendars it names and the tasks it
// depends on.
type DueTask struct {
	Task         Task
	Active       Active
	Calendars    CalendarSet
	Dependencies []DependencyState // of the tasks in DependsOn, in that order
}

// Plan is what the planner decides about a due task.
type Plan struct {
	NextRun        *time.Time // nil: there is no further occurrence
	State          PlanState
	Executions     []Execution // pending ones to run; skipped and missed ones to record
	CancelPrevious bool        // end what is active before (overlap policy)
	Later          bool        // nothing is decided: the task stays due
}

// PlanReport says what a PlanDue did.
type PlanReport struct {
	Tasks    int           // tasks that were due
	Planned  []Execution   // executions now pending, skipped or missed
	Cancel   []string      // running executions that were asked to end
	Wait     time.Duration // until the next task is due; 0: more are due now; negative: none is
	Observed time.Time     // the store's time
}

// JudgeReport says what a Judge did.
type JudgeReport struct {
	Changed []Execution   // may be dispatched now, or have ended
	Wait    time.Duration // until there is something to look at; 0: now; negative: nothing waits
}

// ExecutionStore keeps executions, live ones and history.
type ExecutionStore interface {
	// CreateExecution stores a pending execution that somebody asked for,
	// unless its overlap policy forbids it now: TASK_LOCKED. A retry whose
	// RetryOf has a live execution already returns that one and ErrReplayed, as
	// does a known idempotency key.
	CreateExecution(ctx context.Context, e Execution, key *Idempotency) (Execution, []string, error)
	// Execution returns an execution, live or finished, or NOT_FOUND.
	Execution(ctx context.Context, id string) (Execution, error)
	// Executions lists live and finished executions, newest first.
	Executions(ctx context.Context, f ExecutionFilter, p Page) ([]Execution, error)
	// Occurred tells which nominal times in [from, to) of a task have an
	// execution that succeeded or has not ended, and its state.
	Occurred(ctx context.Context, taskID string, from, to time.Time) (map[time.Time]Status, error)
	// ExecutionLogs returns what the plugin logged, attempt by attempt.
	ExecutionLogs(ctx context.Context, id string) ([]AttemptLog, error)
	// Cancel ends the waiting executions of a task, or one execution, and asks
	// those that run to end. A once task whose occurrence is not yet planned is
	// disabled in the same step. Errors: NOT_FOUND; CONFLICT for one execution
	// that has ended.
	Cancel(ctx context.Context, c Cancellation) (CancelReport, error)
}

// AttemptLog is what one attempt logged.
type AttemptLog struct {
	Attempt int       `json:"attempt"`
	Lines   []LogLine `json:"lines"`
	Dropped int       `json:"dropped"` // lines beyond the plugin's limit
}

// Cancellation selects what to cancel: a task's executions, or one execution.
type Cancellation struct {
	TaskID      string
	ExecutionID string
	Reason      string
}

// CancelReport says what a Cancel did.
type CancelReport struct {
	Cancelled []Execution // were waiting and have ended
	Running   []string    // are running and were asked to end
	Disabled  bool        // the once task was disabled before it was due
}

// MarkedAhead is how far in the future a mark may lie without the clock having
// been set back: two transactions may begin in one order and end in the other.
const MarkedAhead = time.Second

// QueueStore moves executions into the queue.
type QueueStore interface {
	// LimitTypes sets how many executions of a task type may be queued or run at
	// once, by type; 0 is no limit, and NoneHere lets none start through this
	// value of the store: others that share the data have limits of their own. It is called before the engine starts and may
	// be asked at any time.
	LimitTypes(limit func(taskType string) int)
	// Occupancy counts who is queued or runs with a concurrency key ("" is none)
	// and of a type.
	Occupancy(ctx context.Context, key, taskType string) (Occupancy, error)
	// Live looks at the executions of a task that have not ended, of which it
	// returns up to limit. Nothing live, or an unknown task, is an empty report.
	Live(ctx context.Context, taskID string, limit int) (LiveReport, error)
	// Ready lists up to limit executions that may be handed to the queue now:
	// due, not queued yet, waiting for no dependency, and not behind another queued or running execution of
	// their exclusive task, a full concurrency key or a full type, or a rate limit
	// that closed says is closed (its key in RateLimit, "" is none; nil closes
	// none). In the order of Execution.Rank.
	Ready(ctx context.Context, limit int, closed func(taskType, rateKey string) bool) (ReadyReport, error)
	// MarkQueued marks those as queued, or defers those with a time. It returns
	// the ids it marked; the others have changed meanwhile.
	MarkQueued(ctx context.Context, marks []QueueMark) ([]string, error)
	// Unqueue makes those of the executions pending again that are queued: the
	// queue did not take them.
	Unqueue(ctx context.Context, ids []string) error
	// UnqueueStale does the same with up to limit executions of some types, or of
	// all for none, that were marked longer than age ago: the queue has lost them. Of those that were marked
	// more than MarkedAhead after now nobody knows how long ago that was, because
	// the clock was set back; they count too. It returns how many.
	UnqueueStale(ctx context.Context, types []string, age time.Duration, limit int) (int, error)
}

// WorkStore moves executions through their attempts.
type WorkStore interface {
	// Claim starts an attempt of each execution that is waiting and whose gates
	// (exclusive task, concurrency key, type) are open, under a lease of ttl for
	// owner, with a fencing token that no earlier claim had. The others are
	// left out; of these, the queued ones that a gate holds or that are not due
	// (the clock was set back) are pending again.
	Claim(ctx context.Context, ids []string, owner string, ttl time.Duration) ([]Execution, error)
	// Heartbeat extends the leases that are still held. It reports those that
	// are lost and those that were asked to end.
	Heartbeat(ctx context.Context, leases []Lease, ttl time.Duration) (HeartbeatReport, error)
	// SaveProgress keeps how far attempts say they are, until their executions
	// end. Those whose executions were claimed again since, or have ended, are
	// left out.
	SaveProgress(ctx context.Context, reports []ProgressReport) error
	// Finish applies the end of attempts, each guarded by its token: settle
	// makes the new state out of the stored one. It reports per completion
	// whether it was applied; false means that the lease was lost.
	Finish(ctx context.Context, done []Completion) ([]Finished, error)
	// Reap applies settle to up to limit running executions whose lease has
	// expired and returns them in their new state.
	Reap(ctx context.Context, limit int, settle func(now time.Time, e *Execution)) ([]Execution, error)
}

// NoneHere is the limit of a type that this node leaves to others.
const NoneHere = -1

// TypeFull reports whether a type with a limit has no free slot while held of
// its executions hold one.
func TypeFull(limit, held int) bool { return limit < 0 || limit > 0 && held >= limit }

// LiveReport is a look at the executions of a task that have not ended.
type LiveReport struct {
	Active Active
	Holder *Execution  // the oldest that is queued or runs: others of an exclusive task wait for it
	Oldest []Execution // in the order of their creation
}

// ReadyReport is a look at the executions that wait.
type ReadyReport struct {
	Executions []ReadyExecution
	Wait       time.Duration // until the next one is due; 0: more are due now; negative: none waits
	Observed   time.Time
}

// ReadyExecution is what a dispatcher needs to know of an execution that may be
// handed to the queue.
type ReadyExecution struct {
	ID        string
	Type      string
	Priority  int
	Rank      time.Time  // Execution.Rank
	Hours     *Hours     // nil is at any time
	RateLimit *RateLimit // its own; nil is none
}

// ReadyOf returns what a dispatcher needs to know of an execution.
func ReadyOf(e Execution) ReadyExecution {
	return ReadyExecution{
		ID: e.ID, Type: e.Type, Priority: e.Policy.Priority, Rank: e.Rank(), Hours: e.Hours, RateLimit: e.Policy.RateLimit,
	}
}

// QueueMark marks an execution as queued, or puts it off until DeferTo.
type QueueMark struct {
	ID      string
	DeferTo time.Time
}

// Lease names a claim.
type Lease struct {
	ExecutionID string
	Token       int64
}

// HeartbeatReport is the answer to a heartbeat.
type HeartbeatReport struct {
	Lost   []string // executions whose lease is gone: stop the work
	Cancel []string // executions that were asked to end
}

// Completion is the end of an attempt.
type Completion struct {
	Lease
	// Claimed is the execution as Claim has returned it, which spares the store
	// reading all of it again; nil makes it read. It is not changed.
	Claimed *Execution
	Log     AttemptLog
	// Settle says what becomes of the stored execution. It may be called several
	// times, the first ones with an execution that is not quite what is stored;
	// what the last call makes of it counts.
	Settle func(now time.Time, e *Execution)
	// Effects are applied when Settle makes it a success.
	Effects Effects
}

// Finished is what became of a completion.
type Finished struct {
	Applied   bool
	Execution Execution // in its new state, when applied
}

// MaintenanceStore keeps the store small and tells whether it is well.
type MaintenanceStore interface {
	// Prune removes up to limit finished executions, idempotency keys, state of
	// plugins that has expired and undelivered messages that are beyond the retention, and returns how many. It may look at a part of the
	// tasks at a time; the next call goes on with the others.
	Prune(ctx context.Context, keep Retention, limit int) (int, error)
	Pruner
	// Stats counts what the health page and the metrics show.
	Stats(ctx context.Context) (Stats, error)
	// Ping answers when the store does.
	Ping(ctx context.Context) error
}

// Retention says how long finished things are kept; 0 keeps them for ever.
type Retention struct {
	History         time.Duration
	HistoryPerTask  int // finished executions kept of one task, the newest
	IdempotencyKeys time.Duration
	Outbox          time.Duration // messages that nobody took
}

// Stats counts live things.
type Stats struct {
	Tasks   int            // enabled tasks
	Waiting map[Status]int // live executions by state
}

package core

// Trigger says why an execution exists.
type Trigger string

// The triggers.
const (
	TriggerSchedule   Trigger = "schedule"
	TriggerManual     Trigger = "manual"
	TriggerRetry      Trigger = "retry"
	TriggerDependency Trigger = "dependency"
	TriggerBackfill   Trigger = "backfill"
)

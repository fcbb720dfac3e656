package coretest

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

// fullTask returns a task in which no field has its zero value, so that a field
// which a store forgets is seen.
func fullTask(scheduleID string, dependsOn ...string) core.Task {
	at := func(d time.Duration) *time.Time { t := Epoch().Add(d + 123456*time.Microsecond); return &t }
	return core.Task{
		ID: core.NewID(),
		TaskSpec: core.TaskSpec{
			Name: "Täglicher Gruß 👋", Description: "says \"hello\"; it's a test", Type: "reminder",
			Timing: fullTiming(), ScheduleID: &scheduleID, Policy: fullPolicy(),
			DependsOn: dependsOn, Data: json.RawMessage(`{"text":"hi"}`), Labels: map[string]string{"team": "x", "a/b": "y z"}, Enabled: true,
		},
		NextRun: at(time.Hour), LastRun: at(-time.Hour), PauseReason: new("stream is off"),
		CreatedAt: *at(-48 * time.Hour), UpdatedAt: *at(-24 * time.Hour), Version: 7,
		Plan: core.PlanState{NextNominal: at(30 * time.Minute), LastNominal: at(-2 * time.Hour), Runs: 4, Failures: 2, Since: at(-3 * time.Hour)},
	}
}

func fullTiming() core.Timing {
	at := func(d time.Duration) *time.Time { t := Epoch().Add(d + time.Microsecond); return &t }
	return core.Timing{
		ScheduleType: core.ScheduleCron, RunAt: at(time.Minute), IntervalMs: 60_000,
		CronExpression: "0 9 * * MON", Timezone: "Europe/Berlin", StartAt: at(-time.Hour), EndAt: at(1000 * time.Hour),
		MaxRuns: 9, JitterMs: 250, Calendars: []string{"de-holidays", "maintenance"},
		DST: schedule.DST{Gap: schedule.GapShift, Fold: schedule.FoldFirst},
		ExecutionWindows: []schedule.Window{
			{Days: []string{"MON", "TUE"}, Start: "09:00", End: "17:00", Timezone: "Asia/Tokyo"},
		},
		OutsideWindow: schedule.OutsideDefer,
	}
}

func fullPolicy() core.Policy {
	return core.Policy{
		Misfire: core.Misfire{Policy: core.MisfireAll, WindowMs: 120_000},
		Overlap: core.OverlapQueueAll, Priority: 8, TimeoutMs: 4_500, Delivery: core.AtMostOnce,
		RetryPolicy: core.RetryPolicy{
			Attempts: 5, Delay: 1_500, Backoff: core.BackoffLinear, MaxDelay: 90_000, Jitter: true,
		},
		ConcurrencyKey: "channel:1", MaxConcurrency: 3, PauseAfterFailures: 5,
		Alerts:           core.Alerts{LateAfterMs: 900, Missed: true, Failed: true},
		DependencyPolicy: core.DependencyPolicy{Condition: core.OnCompletion, OnFailure: core.DependencyWaits, TimeoutMs: 700},
		RateLimit:        &core.RateLimit{Key: "api", Limit: 30, PerMs: 60_000},
	}
}

func fullSchedule() core.Schedule {
	return core.Schedule{
		ID:           core.NewID(),
		ScheduleSpec: core.ScheduleSpec{Name: "weekly", Description: "on Mondays", Timing: fullTiming()},
		CreatedAt:    Epoch().Add(-time.Hour), UpdatedAt: Epoch().Add(-time.Minute), Version: 3,
	}
}

// fillAttempt gives a non-zero value to every field of a running execution that
// an attempt may change, and leaves it in the state s.
func fillAttempt(e *core.Execution, s core.Status, now time.Time) {
	message, code, duration := "it broke", core.CodeExecutionFailed, core.Millis(1234)
	e.Status, e.EndTime, e.Duration = s, &now, &duration
	e.Error, e.ErrorCode = &message, &code
	e.Result, e.Plugin = json.RawMessage(`{"sent":true}`), "reminder@1.2.3"
	e.DueAt = now.Add(time.Millisecond)
	e.LateAt = &now
	e.Awaits = &core.Awaited{Tasks: []string{core.NewID()}, Since: now, Until: &now}
	e.Attempts = []core.Attempt{{
		Number: 1, Status: core.StatusFailed, StartTime: e.AttemptStart, EndTime: now,
		Error: &message, ErrorCode: &code, Worker: "node-z", Plugin: "reminder@1.2.2",
	}}
}

// requireFilled fails when anything in v has its zero value: then a field was
// added to core that the round trip does not cover yet.
func requireFilled(t testing.TB, v any) {
	t.Helper()
	if path := zeroIn(reflect.ValueOf(v), reflect.TypeOf(v).Name()); path != "" {
		require.Failf(t, "value is not filled", "%s is zero: give it a value in filled.go", path)
	}
}

// zeroIn returns the path of the first zero value in v, or "".
func zeroIn(v reflect.Value, path string) string {
	if v.IsZero() {
		return path
	}
	switch v.Kind() {
	case reflect.Pointer:
		return zeroIn(v.Elem(), path)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return ""
		}
		for i := range v.Len() {
			if p := zeroIn(v.Index(i), fmt.Sprintf("%s[%d]", path, i)); p != "" {
				return p
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return ""
		}
		for i := range v.NumField() {
			switch v.Type().Field(i).Type {
			case reflect.TypeFor[*core.Basis](): // it is looked at and not kept
				continue
			case reflect.TypeFor[*core.Progress](): // it is kept by SaveProgress
				continue
			}
			if p := zeroIn(v.Field(i), path+"."+v.Type().Field(i).Name); p != "" {
				return p
			}
		}
	}
	return ""
}

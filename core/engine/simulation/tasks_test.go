package simulation

import (
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/schedule"
)

// keys are the concurrency keys with their limits.
var keys = []struct {
	name  string
	limit int
}{{"", 1}, {"", 1}, {"", 1}, {"one", 1}, {"two", 2}, {"three", 3}}

// drawSpec draws a task. Others are the ids it may depend on.
func drawSpec(d *dice, spec core.TaskSpec, name string, now time.Time, others []string) core.TaskSpec {
	spec.Name, spec.Type = name, pick(d, "free", "free", "single", "few", "few")
	drawPolicy(d, &spec)
	drawTiming(d, &spec, now, len(others) > 0)
	if spec.ScheduleType == core.ScheduleDependency || len(others) > 0 && d.chance(0.15) {
		drawDependencies(d, &spec, others)
	}
	return spec
}

// drawTiming draws when the task runs.
func drawTiming(d *dice, spec *core.TaskSpec, now time.Time, mayFollow bool) {
	spec.Timing = core.Timing{}
	switch n := d.below(100); {
	case n < 45:
		spec.IntervalMs = core.Millis(d.below(90_000) + 3000)
	case n < 65:
		spec.CronExpression = pick(d, "* * * * *", "*/2 * * * *", "*/10 * * * * *", "30 */3 * * * *", "@every 45s")
		spec.Timezone = pick(d, "UTC", "Europe/Berlin", "America/St_Johns")
	case n < 75:
		at := now.Add(d.between(-time.Minute, 10*time.Minute))
		spec.RunAt = &at
	case n < 88 && mayFollow:
		spec.ScheduleType = core.ScheduleDependency
	}
	if spec.IntervalMs == 0 && spec.CronExpression == "" {
		return
	}
	if d.chance(0.15) {
		spec.MaxRuns = 1 + d.below(20)
	}
	if d.chance(0.15) {
		spec.JitterMs = core.Millis(d.below(20_000) + 1)
	}
	if d.chance(0.1) {
		spec.ExecutionWindows = []schedule.Window{{Start: "00:00", End: "00:20"}, {Start: "00:40", End: "01:00"}, {Start: "01:10", End: "23:00"}}
		spec.OutsideWindow = pick(d, schedule.OutsideDefer, schedule.OutsideSkip)
	}
	if d.chance(0.1) {
		end := now.Add(d.between(5*time.Minute, time.Hour))
		spec.EndAt = &end
	}
}

// drawPolicy draws how the executions are run.
func drawPolicy(d *dice, spec *core.TaskSpec) {
	p := &spec.Policy
	p.Overlap = pick(d, core.OverlapSkip, core.OverlapQueue, core.OverlapQueueAll, core.OverlapCancelPrevious, core.OverlapAllow)
	p.Misfire.Policy = pick(d, core.MisfireLatest, core.MisfireAll, core.MisfireSkip)
	p.Misfire.WindowMs = core.MillisOf(pick(d, 0, time.Minute, 10*time.Minute, time.Hour))
	p.Priority = d.below(10)
	p.TimeoutMs = core.Millis(d.below(60_000) + 1000)
	p.Delivery = pick(d, core.AtLeastOnce, core.AtLeastOnce, core.AtMostOnce)
	p.RetryPolicy.Attempts = 1 + d.below(4)
	p.RetryPolicy.Delay = core.Millis(d.below(20_000))
	p.RetryPolicy.Backoff = pick(d, core.BackoffFixed, core.BackoffLinear, core.BackoffExponential)
	p.RetryPolicy.Jitter = d.chance(0.3)
	key := keys[d.below(len(keys))]
	p.ConcurrencyKey, p.MaxConcurrency = key.name, key.limit
	p.PauseAfterFailures = pick(d, 0, 0, 0, 3)
	p.Alerts.LateAfterMs = core.MillisOf(pick(d, 0, time.Second, time.Minute))
	p.RateLimit = nil
	if d.chance(0.15) {
		p.RateLimit = &core.RateLimit{Key: pick(d, "", "shared"), Limit: 1 + d.below(3), PerMs: core.MillisOf(10 * time.Second)}
	}
}

func drawDependencies(d *dice, spec *core.TaskSpec, others []string) {
	first := d.below(len(others))
	spec.DependsOn = []string{others[first]}
	if len(others) > 1 && d.chance(0.4) {
		spec.DependsOn = append(spec.DependsOn, others[(first+1)%len(others)])
	}
	spec.DependencyPolicy = core.DependencyPolicy{
		Condition: pick(d, core.OnSuccess, core.OnCompletion),
		OnFailure: pick(d, core.DependencyFails, core.DependencySkips, core.DependencyWaits),
		TimeoutMs: core.MillisOf(pick(d, 0, time.Minute, 10*time.Minute)),
	}
}

// nameOf is unique, and no name is part of another.
func nameOf(n int) string { return fmt.Sprintf("task <%d>", n) }

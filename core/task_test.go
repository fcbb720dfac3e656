package core_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/core/coretest"
	"github.com/nexuscore/scheduler/core/schedule"
)

func letters(n int) string { return strings.Repeat("a", n) }

func labels(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprint("label", i)] = "x"
	}
	return all
}

// The longest duration a user may give, and one too long.
const (
	maxMillis = 10 * 366 * 24 * 3600 * 1000
	tooLong   = maxMillis + 1
)

// specCase changes a valid spec; fields are what is wrong then.
type specCase struct {
	name   string
	change func(*core.TaskSpec)
	fields []string
}

func checkSpecs(t *testing.T, cases []specCase) {
	t.Helper()
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			err := coretest.Task(tc.change).Validate()
			if tc.fields == nil {
				require.NoError(t, err)
				return
			}
			requireFields(t, core.CodeValidationFailed, tc.fields, err)
		})
	}
}

func TestTextsOfATask(t *testing.T) {
	checkSpecs(t, []specCase{
		{"longest name", func(s *core.TaskSpec) { s.Name = letters(255) }, nil},
		{"longest name in wide characters", func(s *core.TaskSpec) { s.Name = strings.Repeat("👋", 255) }, nil},
		{"no name", func(s *core.TaskSpec) { s.Name = "" }, []string{"/name"}},
		{"long name", func(s *core.TaskSpec) { s.Name = letters(256) }, []string{"/name"}},
		{"name that is no text", func(s *core.TaskSpec) { s.Name = "a\xff" }, []string{"/name"}},
		{"longest description", func(s *core.TaskSpec) { s.Description = letters(2000) }, nil},
		{"long description", func(s *core.TaskSpec) { s.Description = letters(2001) }, []string{"/description"}},
		{"longest type", func(s *core.TaskSpec) { s.Type = letters(50) }, nil},
		{"all characters of a type", func(s *core.TaskSpec) { s.Type = "a1_.-" }, nil},
		{"no type", func(s *core.TaskSpec) { s.Type = "" }, []string{"/type"}},
		{"long type", func(s *core.TaskSpec) { s.Type = letters(51) }, []string{"/type"}},
		{"type in capitals", func(s *core.TaskSpec) { s.Type = "Reminder" }, []string{"/type"}},
		{"type that begins with a digit", func(s *core.TaskSpec) { s.Type = "1a" }, []string{"/type"}},
		{"type with a line break", func(s *core.TaskSpec) { s.Type = "a\n" }, []string{"/type"}},
		{"all at once", func(s *core.TaskSpec) { s.Name, s.Type, s.Priority = "", "", 10 }, []string{"/name", "/type", "/priority"}},
	})
}

func TestDataAndLabelsOfATask(t *testing.T) {
	data := func(raw string) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { s.Data = json.RawMessage(raw) }
	}
	label := func(name, value string) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { s.Labels = map[string]string{name: value} }
	}
	checkSpecs(t, []specCase{
		{"largest data", data(`{"x":"` + letters(64<<10-8) + `"}`), nil},
		{"large data", data(`{"x":"` + letters(64<<10-7) + `"}`), []string{"/data"}},
		{"no data", data(""), []string{"/data"}},
		{"data that is a list", data(`[]`), []string{"/data"}},
		{"data that is null", data(`null`), []string{"/data"}},
		{"most labels", func(s *core.TaskSpec) { s.Labels = labels(32) }, nil},
		{"many labels", func(s *core.TaskSpec) { s.Labels = labels(33) }, []string{"/labels"}},
		{"longest label", label(letters(63), letters(255)), nil},
		{"empty label value", label("team", ""), nil},
		{"all characters of a label", label("a/B_.-9", "ü"), nil},
		{"long label name", label(letters(64), "x"), []string{"/labels"}},
		{"empty label name", label("", "x"), []string{"/labels"}},
		{"label name with a space", label("a b", "x"), []string{"/labels"}},
		{"long label value", label("team", letters(256)), []string{"/labels/team"}},
	})
}

func TestPolicyOfATask(t *testing.T) {
	policy := func(change func(*core.Policy)) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { change(&s.Policy) }
	}
	checkSpecs(t, []specCase{
		{"lowest priority", policy(func(p *core.Policy) { p.Priority = 0 }), nil},
		{"highest priority", policy(func(p *core.Policy) { p.Priority = 9 }), nil},
		{"priority below", policy(func(p *core.Policy) { p.Priority = -1 }), []string{"/priority"}},
		{"priority above", policy(func(p *core.Policy) { p.Priority = 10 }), []string{"/priority"}},
		{"longest timeout", policy(func(p *core.Policy) { p.TimeoutMs = maxMillis }), nil},
		{"no timeout", policy(func(p *core.Policy) { p.TimeoutMs = 0 }), []string{"/timeoutMs"}},
		{"long timeout", policy(func(p *core.Policy) { p.TimeoutMs = tooLong }), []string{"/timeoutMs"}},
		{"unknown overlap", policy(func(p *core.Policy) { p.Overlap = "both" }), []string{"/overlap"}},
		{"no overlap", policy(func(p *core.Policy) { p.Overlap = "" }), []string{"/overlap"}},
		{"unknown delivery", policy(func(p *core.Policy) { p.Delivery = "once" }), []string{"/delivery"}},
		{"unknown misfire", policy(func(p *core.Policy) { p.Misfire.Policy = "first" }), []string{"/misfire/policy"}},
		{"no misfire window", policy(func(p *core.Policy) { p.Misfire.WindowMs = 0 }), nil},
		{"negative misfire window", policy(func(p *core.Policy) { p.Misfire.WindowMs = -1 }), []string{"/misfire/windowMs"}},
		{"long misfire window", policy(func(p *core.Policy) { p.Misfire.WindowMs = tooLong }), []string{"/misfire/windowMs"}},
		{"longest concurrency key", policy(func(p *core.Policy) { p.ConcurrencyKey = letters(200) }), nil},
		{"long concurrency key", policy(func(p *core.Policy) { p.ConcurrencyKey = letters(201) }), []string{"/concurrencyKey"}},
		{"most concurrency", policy(func(p *core.Policy) { p.MaxConcurrency = 10_000 }), nil},
		{"no concurrency", policy(func(p *core.Policy) { p.MaxConcurrency = 0 }), []string{"/maxConcurrency"}},
		{"much concurrency", policy(func(p *core.Policy) { p.MaxConcurrency = 10_001 }), []string{"/maxConcurrency"}},
	})
}

func TestRetryPolicyAndRateLimitOfATask(t *testing.T) {
	retry := func(change func(*core.RetryPolicy)) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { change(&s.RetryPolicy) }
	}
	rate := func(l core.RateLimit) func(*core.TaskSpec) {
		return func(s *core.TaskSpec) { s.RateLimit = &l }
	}
	checkSpecs(t, []specCase{
		{"one attempt", retry(func(p *core.RetryPolicy) { p.Attempts = 1 }), nil},
		{"most attempts", retry(func(p *core.RetryPolicy) { p.Attempts = 100 }), nil},
		{"no attempts", retry(func(p *core.RetryPolicy) { p.Attempts = 0 }), []string{"/retryPolicy/attempts"}},
		{"many attempts", retry(func(p *core.RetryPolicy) { p.Attempts = 101 }), []string{"/retryPolicy/attempts"}},
		{"no delay", retry(func(p *core.RetryPolicy) { p.Delay = 0 }), nil},
		{"negative delay", retry(func(p *core.RetryPolicy) { p.Delay = -1 }), []string{"/retryPolicy/delay"}},
		{"long delay", retry(func(p *core.RetryPolicy) { p.Delay, p.MaxDelay = tooLong, 0 }), []string{"/retryPolicy/delay"}},
		{"no cap", retry(func(p *core.RetryPolicy) { p.MaxDelay = 0 }), nil},
		{"cap that is the delay", retry(func(p *core.RetryPolicy) { p.Delay, p.MaxDelay = 5, 5 }), nil},
		{"cap below the delay", retry(func(p *core.RetryPolicy) { p.Delay, p.MaxDelay = 5, 4 }), []string{"/retryPolicy/maxDelay"}},
		{"long cap", retry(func(p *core.RetryPolicy) { p.MaxDelay = tooLong }), []string{"/retryPolicy/maxDelay"}},
		{"unknown backoff", retry(func(p *core.RetryPolicy) { p.Backoff = "random" }), []string{"/retryPolicy/backoff"}},
		{"rate limit", rate(core.RateLimit{Key: letters(200), Limit: 1_000_000, PerMs: maxMillis}), nil},
		{"smallest rate limit", rate(core.RateLimit{Limit: 1, PerMs: 1}), nil},
		{"empty rate limit", rate(core.RateLimit{}), []string{"/rateLimit/limit", "/rateLimit/perMs"}},
		{"large rate limit", rate(core.RateLimit{Key: letters(201), Limit: 1_000_001, PerMs: tooLong}), []string{"/rateLimit/key", "/rateLimit/limit", "/rateLimit/perMs"}},
	})
}

func TestTimingBoundsOfATask(t *testing.T) {
	checkSpecs(t, []specCase{
		{"most windows", func(s *core.TaskSpec) { s.ExecutionWindows = make([]schedule.Window, 32) }, nil},
		{"many windows", func(s *core.TaskSpec) { s.ExecutionWindows = make([]schedule.Window, 33) }, []string{"/executionWindows"}},
		{"most calendars", func(s *core.TaskSpec) { s.Calendars = make([]string, 16) }, nil},
		{"many calendars", func(s *core.TaskSpec) { s.Calendars = make([]string, 17) }, []string{"/calendars"}},
		{"dependency", func(s *core.TaskSpec) { s.ScheduleType = core.ScheduleDependency }, []string{"/dependsOn"}},
		{"schedule id", func(s *core.TaskSpec) { s.ScheduleID = new(core.NewID()) }, nil},
		{"schedule id that is none", func(s *core.TaskSpec) { s.ScheduleID = new("daily") }, []string{"/scheduleId"}},
	})
}

func TestANewTaskIsReadBackAsItWasWritten(t *testing.T) {
	at := time.Date(2026, 3, 2, 11, 0, 0, 123456789, time.FixedZone("", 3600))
	task := core.NewTask(core.TaskSpec{Timing: core.Timing{RunAt: &at}}, at)
	cut := time.Date(2026, 3, 2, 10, 0, 0, 123456000, time.UTC)
	require.Equal(t, cut, *task.RunAt)
	require.Equal(t, cut, task.CreatedAt)
	require.Equal(t, cut, task.UpdatedAt)
	require.Equal(t, int64(1), task.Version)
	require.NotNil(t, task.Labels)
	require.NotNil(t, task.Calendars)
	require.NotNil(t, task.ExecutionWindows)
}

func TestParseID(t *testing.T) {
	id := core.NewID()
	for _, tc := range []struct {
		name, in, want string
		ok             bool
	}{
		{"canonical", id, id, true},
		{"capitals", strings.ToUpper(id), id, true},
		{"braces", "{" + id + "}", "", false},
		{"urn", "urn:uuid:" + id, "", false},
		{"bare", strings.ReplaceAll(id, "-", ""), "", false},
		{"empty", "", "", false},
		{"36 other characters", strings.Repeat("x", 36), "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, ok := core.ParseID(tc.in)
			require.Equal(t, tc.ok, ok)
			if ok {
				require.Equal(t, tc.want, got)
			}
		})
	}
}

func TestIDsSortByTheTimeTheyWereMade(t *testing.T) {
	last := ""
	for range 1000 {
		id := core.NewID()
		require.Greater(t, id, last)
		last = id
	}
}

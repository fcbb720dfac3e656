package schedule_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// Every refusal names what is wrong and what to write instead.
func TestParseErrors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"60 * * * *":                           "minute 60 is out of 0–59 (the last minute is 59)",
		"0 24 * * *":                           "hour 24 is out of 0–23 (the last hour is 23)",
		"0 0 * * 9":                            "day of week 9 is out of 0–7 (use 0–7)",
		"0 0 0 1 1 * 1969":                     "year 1969 is out of 1970–2199 (the supported years are 1970–2199)",
		"*/61 * * * *":                         "minute step 61 is out of 1–59",
		"*/0 * * * *":                          "minute step 0 would never move on",
		"0/15 * * * *":                         `minute "0/15" has a step without a range (write "0-59/15")`,
		"/30 * * * *":                          `write "*/30"`,
		"*/x * * * *":                          `minute step "x" is not a number`,
		"0 22-2 * * *":                         "hour range 22-2 runs backwards (write two ranges: 22-23,0-2)",
		"0 0 * * FRI-MON":                      "write two ranges: FRI-SAT,SUN-MON",
		"0 0 * * 5-1":                          "write two ranges: 5-6,0-1",
		"0 0 * * SAT-TUE":                      "write two ranges: SAT,SUN-TUE",
		"0 0 * NOV-FEB *":                      "write two ranges: NOV-DEC,JAN-FEB",
		"0 0 * JANUARY *":                      `month "JANUARY" is not understood (use 1–12 or a three-letter English name)`,
		"0 0 l * *":                            "L and W must be capital letters",
		"0 0 * * L":                            `"FRI#L" is the last Friday of the month`,
		"0 0 L-3 * *":                          `day of month "L" is not understood`,
		"L 0 * * *":                            "L, W and # are for the day fields",
		"0 0 1-15W * *":                        `W stands for one day, such as "15W"`,
		"0 0 1,15W * *":                        "W stands for one day and must stand alone",
		"0 0 15L * *":                          `day of month "15L" is not understood`,
		"0 0 * * MON#6":                        "use #1 to #5, or #L for the last",
		"0 0 * * MON-FRI#1":                    `list the days: "MON#1,TUE#1"`,
		"0 0 +1 * *":                           `"+" may only begin the day of week field`,
		"? * * * *":                            `minute may not be "?"`,
		"* * *":                                "it has 3 fields, not 5, 6 or 7",
		"":                                     "it is empty",
		" \t ":                                 "it is empty",
		"1,,2 * * * *":                         "minute has an empty item",
		"1- * * * *":                           "a range needs a value on each side",
		"TZ=UTC":                               "it carries a time zone (use the timezone field)",
		"TZ=0":                                 "it carries a time zone",
		"TZ=":                                  "it carries a time zone",
		"TZ=TZ=TZ=":                            "it carries a time zone",
		"CRON_TZ=UTC":                          "it carries a time zone",
		"cron_tz=UTC 0 0 * * *":                "it carries a time zone",
		"0 0 * * ＊":                            "it has a character that is not plain ASCII at byte 9",
		"0 0 *\n* *":                           "it has a character that is not plain ASCII at byte 6",
		"@Daily":                               "nicknames are in small letters: @daily",
		"@decennially":                         "it is not a known nickname",
		"@every":                               "@every is not followed by a duration",
		"@every soon":                          "@every is not followed by a duration",
		"@every 0s":                            "@every 0s is not longer than zero",
		"@every -5s":                           "@every -5s is not longer than zero",
		"@every 1ms":                           "@every 1ms is not a whole number of seconds (use a recurring schedule with intervalMs)",
		"@every 1.5s":                          "@every 1.5s is not a whole number of seconds",
		"H(0-29 * * * *":                       `H is written "H", "H(0-29)" or "H/15"`,
		"H(0-99) * * * *":                      "minute 99 is out of 0–59",
		"0 0 0 1 1 * H":                        "year may not be hashed",
		strings.Repeat("1,", 60) + "1 * * * *": "it is longer than 100 bytes",
	} {
		_, err := schedule.ParseCron(expr, "")
		require.ErrorContains(t, err, want, expr)
		var e *schedule.Error
		require.ErrorAs(t, err, &e, expr)
		require.Equal(t, "cronExpression", e.Field)
		require.True(t, strings.HasPrefix(expr, strings.TrimSuffix(e.Value, "…")), expr)
	}
}

func TestRebootParsesAndIsRefused(t *testing.T) {
	t.Parallel()
	c, err := schedule.ParseCron("@reboot", "")
	require.NoError(t, err)
	require.True(t, c.Next(time.Now()).IsZero())
	require.True(t, c.Prev(time.Now()).IsZero())
	_, err = schedule.Compile(schedule.Config{Kind: schedule.KindCron, Cron: "@reboot"})
	require.ErrorContains(t, err, "@reboot asks for an event")
	_, err = schedule.Parser{}.Parse("@reboot")
	require.ErrorContains(t, err, "@reboot asks for an event")
}

// The seed chooses H, always the same and spread over the range.
func TestHashedFields(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	minutes, days, lastDays := map[int]int{}, map[int]int{}, map[int]int{}
	for i := range 3000 {
		seed := fmt.Sprintf("task-%d", i)
		one, err := schedule.ParseCron("H H H * *", seed)
		require.NoError(t, err)
		two, err := schedule.ParseCron("H H H * *", seed)
		require.NoError(t, err)
		next := one.Next(at)
		require.Equal(t, next, two.Next(at))
		minutes[next.Minute()]++
		days[next.Day()]++

		ranged, err := schedule.ParseCron("H(10-19) H(2-3) * * *", seed)
		require.NoError(t, err)
		next = ranged.Next(at)
		require.True(t, next.Minute() >= 10 && next.Minute() <= 19, next)
		require.True(t, next.Hour() == 2 || next.Hour() == 3, next)

		spread, err := schedule.ParseCron("0 0 H/10 1 *", seed)
		require.NoError(t, err)
		last := spread.Prev(time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC))
		require.Greater(t, last.Day(), 21, "a step runs to the end of the month")
		lastDays[last.Day()]++

		stepped, err := schedule.ParseCron("H/15 * * * *", seed)
		require.NoError(t, err)
		first := stepped.Next(at.Add(-time.Second))
		require.Less(t, first.Minute(), 15)
		for k := 1; k < 5; k++ {
			require.Equal(t, first.Add(time.Duration(k)*15*time.Minute), stepped.Next(first.Add(time.Duration(k-1)*15*time.Minute)))
		}
	}
	require.Len(t, minutes, 60)
	require.Len(t, days, 28)
	require.Len(t, lastDays, 10)
	for minute, n := range minutes {
		require.InDelta(t, 50, n, 35, "minute %d", minute)
	}
}

// What H chooses is seen by users and must not change between releases.
func TestHashedFieldsAreStable(t *testing.T) {
	t.Parallel()
	c, err := schedule.ParseCron("H H * * *", "0190b1f0-0000-7000-8000-000000000001")
	require.NoError(t, err)
	require.Equal(t, hashedGolden, c.Describe())
}

const hashedGolden = "At 08:33 every day"

// The types fit where robfig/cron wants them.
func TestRobfigInterfaces(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	runner := cron.New(cron.WithParser(schedule.Parser{}), cron.WithLocation(berlin))
	id, err := runner.AddFunc("30 2 * * FRI#L", func() {})
	require.NoError(t, err)
	next := runner.Entry(id).Schedule.Next(time.Date(2026, 3, 1, 0, 0, 0, 0, berlin))
	require.Equal(t, time.Date(2026, 3, 27, 2, 30, 0, 0, berlin), next)
	_, err = runner.AddFunc("61 * * * *", func() {})
	require.Error(t, err)

	fixed, err := schedule.Parser{Location: berlin}.Parse("0 9 * * *")
	require.NoError(t, err)
	got := fixed.Next(time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC))
	require.Equal(t, time.Date(2026, 7, 1, 7, 0, 0, 0, time.UTC), got)
}

func TestFixedTime(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]bool{
		"30 2 * * *": true, "0 0-23 * * *": true, "* 30 2 * * *": true, "H H * * *": true, "@daily": true,
		"*/5 2 * * *": false, "30 * * * *": false, "30 */2 * * *": false, "@hourly": false, "@every 90s": false,
	} {
		c, err := schedule.ParseCron(expr, "")
		require.NoError(t, err)
		require.Equal(t, want, c.FixedTime(), expr)
		require.Equal(t, expr, c.String())
	}
}

package schedule_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

func TestDescribeCron(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"30 2 * * FRI#L":          "At 02:30 on the last Friday of every month",
		"30 2 * * *":              "At 02:30 every day",
		"* * * * *":               "Every minute",
		"* * * * * *":             "Every second",
		"*/10 * * * * *":          "Every 10 seconds",
		"*/15 * * * *":            "Every 15 minutes",
		"@hourly":                 "Every hour",
		"0 */2 * * *":             "Every 2 hours",
		"30 */2 * * *":            "Every 2 hours at :30",
		"20 * * * *":              "Every hour at :20",
		"5,35 * * * *":            "At minutes 5 and 35 of every hour",
		"10-20 * * * *":           "Every minute from 10 to 20 of every hour",
		"*/5 9-17 * * 1-5":        "Every 5 minutes from 09:00 to 17:59 on Monday to Friday",
		"0 9-17 * * MON-FRI":      "Every hour at :00 from 09:00 to 17:59 on Monday to Friday",
		"0 1,2,3,5,7,11,13 * * *": "Every hour at :00 in the hours 01, 02, 03, 05, 07, 11 and 13",
		"*/30 */4 * * *":          "Every 30 minutes of every 4th hour",
		"*/20 10-30 * * * *":      "Every 20 seconds, every minute from 10 to 30 of every hour",
		"0 9,18 * * *":            "At 09:00 and 18:00 every day",
		"15 30 9 * * *":           "At 09:30:15 every day",
		"0 0 13 * 5":              "At 00:00 on the 13th of every month or on Friday",
		"0 0 13 * +5":             "At 00:00 on the 13th of every month if that is also Friday",
		"0 0 13 6 5":              "At 00:00 on the 13th of June or on Friday in June",
		"0 0 */2 * MON":           "At 00:00 on the 1st, the 3rd, the 5th, the 7th, the 9th, the 11th, the 13th, the 15th, the 17th, the 19th, the 21st, the 23rd, the 25th, the 27th, the 29th and the 31st of every month if that is also Monday",
		"0 0 1-7 * *":             "At 00:00 on the 1st to the 7th of every month",
		"0 0 L * *":               "At 00:00 on the last day of every month",
		"0 0 LW * *":              "At 00:00 on the last workday of every month",
		"0 0 15W 1,3 *":           "At 00:00 on the workday nearest the 15th of January and March",
		"0 0 * * TUE#3,THU#1":     "At 00:00 on the third Tuesday and the first Thursday of every month",
		"0 0 * 2 MON#2":           "At 00:00 on the second Monday of February",
		"0 12 * 6-8 *":            "At 12:00 every day in June to August",
		"0 12 * 6-8 SUN":          "At 12:00 on Sunday in June to August",
		"@yearly":                 "At 00:00 on the 1st of January",
		"@weekly":                 "At 00:00 on Sunday",
		"0 0 0 1 1 * 2030-2032":   "At 00:00 on the 1st of January in 2030 to 2032",
		"0 0 0 1 1 * 2030,2035":   "At 00:00 on the 1st of January in 2030 and 2035",
		"0 0 0 1 1 * */2":         "At 00:00 on the 1st of January in every 2nd year from 1970 to 2199",
		"@every 90s":              "Every 90 seconds",
		"@every 1h30m":            "Every 90 minutes",
	} {
		s := compile(t, schedule.Config{Kind: schedule.KindCron, Cron: expr})
		require.Equal(t, want, s.Describe(), expr)
	}
}

func TestDescribeOtherKinds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC)
	for want, c := range map[string]schedule.Config{
		"Once at 2026-07-01 11:00": {Kind: schedule.KindOnce, RunAt: at, Timezone: "Europe/Berlin"},
		"Every 24 hours":           {Kind: schedule.KindRecurring, Interval: 24 * time.Hour},
		"Every hour":               {Kind: schedule.KindRecurring, Interval: time.Hour},
		"Every minute":             {Kind: schedule.KindRecurring, Interval: time.Minute},
		"Every 1500 milliseconds":  {Kind: schedule.KindRecurring, Interval: 1500 * time.Millisecond},
		"Only when asked":          {Kind: schedule.KindManual},
		"After its dependencies":   {Kind: schedule.KindDependency},
	} {
		require.Equal(t, want, compile(t, c).Describe())
	}
}

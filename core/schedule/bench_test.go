package schedule_test

import (
	"testing"
	"time"

	"github.com/robfig/cron/v3"
	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/core/schedule"
)

// BenchmarkNext runs beside robfig/cron's Next on the same expressions, each
// continuing from its own last result, in the zone of New York.
func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, expr string }{
		{"every minute", "* * * * *"},
		{"every 15 minutes", "*/15 * * * *"},
		{"daily", "30 2 * * *"},
		{"weekdays", "0 9 * * 1-5"},
		{"monthly", "0 0 1 * *"},
		{"leap day", "0 0 29 2 *"},
	} {
		loc, err := time.LoadLocation("America/New_York")
		require.NoError(b, err)
		b.Run(c.name+"/ours", func(b *testing.B) {
			s := compile(b, schedule.Config{Kind: schedule.KindCron, Cron: c.expr, Timezone: "America/New_York"})
			benchmarkWalk(b, func(t time.Time) time.Time { o, _ := s.Next(t); return o.Nominal })
		})
		b.Run(c.name+"/robfig", func(b *testing.B) {
			s, err := cron.ParseStandard(c.expr)
			require.NoError(b, err)
			benchmarkWalk(b, func(t time.Time) time.Time { return s.Next(t.In(loc)) })
		})
	}
}

// BenchmarkNextSparse has what robfig/cron cannot say.
func BenchmarkNextSparse(b *testing.B) {
	for _, expr := range []string{"0 0 29 2 MON#5", "0 0 29 2 +MON#5", "0 0 30 2 *", "0 0 LW * *", "30 2 * * FRI#L"} {
		b.Run(expr, func(b *testing.B) {
			s := compile(b, schedule.Config{Kind: schedule.KindCron, Cron: expr, Timezone: "America/New_York"})
			benchmarkWalk(b, func(t time.Time) time.Time { o, _ := s.Next(t); return o.Nominal })
		})
	}
}

func BenchmarkNextPlaced(b *testing.B) {
	s := compile(b, schedule.Config{
		Kind: schedule.KindCron, Cron: "*/5 * * * *", Timezone: "Europe/Berlin", Jitter: time.Minute, Seed: "task",
		Windows:   []schedule.Window{{Days: []string{"MON", "TUE", "WED", "THU", "FRI"}, Start: "09:00", End: "17:00"}},
		Calendars: []schedule.Calendar{{Yearly: []string{"12-25", "01-01"}}},
	})
	benchmarkWalk(b, func(t time.Time) time.Time { o, _ := s.Next(t); return o.Nominal })
}

func BenchmarkParse(b *testing.B) {
	for name, parse := range map[string]func(string) error{
		"ours":   func(e string) error { _, err := schedule.ParseCron(e, "task"); return err },
		"robfig": func(e string) error { _, err := cron.ParseStandard(e); return err },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.NoError(b, parse("*/15 9-17 * * 1-5"))
			}
		})
	}
}

// benchmarkWalk follows a schedule through the years from 2026 to 2036 and then
// begins again.
func benchmarkWalk(b *testing.B, next func(time.Time) time.Time) {
	b.ReportAllocs()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := start
	for b.Loop() {
		if at = next(at); at.Year() > 2036 || at.Year() < 2026 {
			at = start
		}
	}
}

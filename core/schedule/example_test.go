package schedule_test

import (
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

func ExampleCompile() {
	s, err := schedule.Compile(schedule.Config{
		Kind:     schedule.KindCron,
		Cron:     "30 2 * * *",
		Timezone: "America/New_York",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Describe())
	at := time.Date(2026, 3, 7, 0, 0, 0, 0, time.UTC)
	for _, o := range s.Between(at, at.AddDate(0, 0, 3), 10) {
		fmt.Println(o.At.In(s.Location()).Format("Mon 2 Jan 15:04 MST"), o.Notes)
	}
	// Output:
	// At 02:30 every day
	// Sat 7 Mar 02:30 EST []
	// Sun 8 Mar 03:00 EDT [DST_GAP]
	// Mon 9 Mar 02:30 EDT []
}

func ExampleParseCron() {
	_, err := schedule.ParseCron("0 22-2 * * *", "")
	fmt.Println(err)
	// Output:
	// cronExpression "0 22-2 * * *": hour range 22-2 runs backwards (write two ranges: 22-23,0-2)
}

func ExampleCalendar() {
	s, _ := schedule.Compile(schedule.Config{
		Kind: schedule.KindCron,
		Cron: "0 9 L * *",
		Calendars: []schedule.Calendar{{
			Name: "weekend", Weekdays: []string{"SAT", "SUN"}, OnExcluded: schedule.ExcludedPrevious,
		}},
	})
	o, _ := s.Next(time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	fmt.Println(o.Nominal.Format("Mon 2 Jan 15:04"), "starts", o.At.Format("Mon 2 Jan 15:04"), o.Notes)
	// Output:
	// Sun 31 May 09:00 starts Fri 29 May 09:00 [MOVED_BY_CALENDAR]
}

// Zonecheck prints the next run of a schedule that needs the zone database. The
// tests start it where no such database is installed.
package main

import (
	"fmt"
	"os"
	"time"

	"github.com/nexuscore/scheduler/core/schedule"
)

func main() {
	s, err := schedule.Compile(schedule.Config{Kind: schedule.KindCron, Cron: "30 2 * * *", Timezone: "America/New_York"})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	o, _ := s.Next(time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC))
	fmt.Println(o.At.In(s.Location()).Format(time.RFC3339))
}

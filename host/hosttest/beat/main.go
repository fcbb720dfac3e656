// Command beat says how much the machine silences a program that does nothing: it
// wants to do something every millisecond and answers every line that it reads
// with the longest time, in nanoseconds, for which it did not come to it since
// the line before.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/nexuscore/scheduler/host/hosttest/silence"
)

func main() {
	var longest atomic.Int64
	go silence.Watch(nil, func(d time.Duration) {
		for {
			before := longest.Load()
			if int64(d) <= before || longest.CompareAndSwap(before, int64(d)) {
				return
			}
		}
	})
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(longest.Swap(0))
	}
}

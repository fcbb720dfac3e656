// Command beat says how much the machine silences a program that does nothing: it
// wants to do something every millisecond and answers every line that it reads
// with the longest time, in nanoseconds, for which it did not come to it since
// the line before.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sync"
	"time"
)

func main() {
	var mu sync.Mutex
	var longest time.Duration
	go func() {
		for last := time.Now(); ; {
			time.Sleep(time.Millisecond)
			now := time.Now()
			mu.Lock()
			longest = max(longest, now.Sub(last)-time.Millisecond)
			mu.Unlock()
			last = now
		}
	}()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		mu.Lock()
		fmt.Println(int64(longest))
		longest = 0
		mu.Unlock()
	}
}

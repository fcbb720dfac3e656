package wasm

import (
	"runtime"
	"time"
)

// meter measures the processor time of one run, if it is limited. While it
// counts, the goroutine is tied to its thread, whose clock is read.
type meter struct {
	limit time.Duration // 0: not measured
	used  time.Duration
	since time.Duration // on the thread's clock
}

func (m *meter) start() {
	if m.limit > 0 {
		runtime.LockOSThread()
		m.since = threadTime()
	}
}

func (m *meter) stop() {
	if m.limit > 0 {
		m.used += threadTime() - m.since
		runtime.UnlockOSThread()
	}
}

// lap takes the time that was used so far into account, and tells whether it is
// too much.
func (m *meter) lap() bool {
	if m.limit > 0 {
		now := threadTime()
		m.used, m.since = m.used+now-m.since, now
	}
	return m.exceeded()
}

func (m *meter) exceeded() bool { return m.limit > 0 && m.used > m.limit }

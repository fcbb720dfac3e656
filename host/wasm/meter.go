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

func (m *meter) exceeded() bool { return m.limit > 0 && m.used > m.limit }

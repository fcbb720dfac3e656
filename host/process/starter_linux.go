package process

import "runtime"

// starter runs functions in one thread that lives until close. Processes are
// started there: the kernel kills them when the thread that started them ends,
// and Go ends threads as it likes.
type starter struct {
	work chan func()
}

func newStarter() *starter {
	s := &starter{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		for f := range s.work {
			f()
		}
	}()
	return s
}

// do calls f in the thread and returns when f did.
func (s *starter) do(f func()) {
	done := make(chan struct{})
	s.work <- func() {
		defer close(done)
		f()
	}
	<-done
}

// close lets the thread go. Nothing that it started may be alive.
func (s *starter) close() { close(s.work) }

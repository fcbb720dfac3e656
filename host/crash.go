package host

import (
	"bytes"
	"strings"
)

const (
	maxCrashText = 32 << 10 // bytes that are kept
	maxReason    = 2 << 10  // bytes that are shown
)

// crashMarks begin what Go's runtime says about a crash, before the stacks.
var crashMarks = []string{"panic: ", "fatal error: ", "SIGSEGV: ", "SIGBUS: ", "SIGILL: ", "SIGFPE: ", "SIGABRT: "}

// CrashText keeps the end of what a program wrote to its standard error, where
// a crashing runtime says why. The zero value is ready. It is not safe for
// concurrent use.
type CrashText struct {
	tail []byte
}

// Add adds what the program wrote.
func (c *CrashText) Add(p []byte) {
	if len(p) >= maxCrashText {
		p = p[len(p)-maxCrashText:]
		c.tail = c.tail[:0]
	}
	if over := len(c.tail) + len(p) - maxCrashText; over > 0 {
		c.tail = append(c.tail[:0], c.tail[over:]...)
	}
	c.tail = append(c.tail, p...)
}

// Reason finds why the program crashed: a Go panic without its stack, or the
// last line. It is empty when nothing was written.
func (c *CrashText) Reason() string {
	for _, mark := range crashMarks {
		if at := bytes.LastIndex(c.tail, []byte(mark)); at >= 0 {
			reason, _, _ := bytes.Cut(c.tail[at:], []byte("\n\ngoroutine "))
			reason, _, _ = bytes.Cut(reason, []byte("\n\nruntime stack:"))
			return shortened(string(bytes.TrimSpace(reason)))
		}
	}
	lines := bytes.Split(bytes.TrimSpace(c.tail), []byte("\n"))
	return shortened(string(bytes.TrimSpace(lines[len(lines)-1])))
}

// OutOfMemory tells whether the program said that it got no memory, as Go, C++
// and Rust programs do.
func (c *CrashText) OutOfMemory() bool {
	reason := c.Reason()
	for _, sign := range []string{"out of memory", "cannot allocate memory", "std::bad_alloc", "memory allocation of"} {
		if strings.Contains(reason, sign) {
			return true
		}
	}
	return false
}

func shortened(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason] + cutMark
	}
	return strings.ToValidUTF8(text, "")
}

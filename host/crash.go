package host

import (
	"bytes"
	"strings"
)

const (
	maxCrashText = 4 << 10 // bytes that are kept, once from where a crash began and once of the end
	maxReason    = 2 << 10 // bytes that are shown
)

// crashMarks begin what Go's runtime says about a crash, before the stacks.
var crashMarks = []string{"panic: ", "fatal error: ", "SIGSEGV: ", "SIGBUS: ", "SIGILL: ", "SIGFPE: ", "SIGABRT: "}

// CrashText keeps of what a program writes to its standard error where it says
// why it crashes: the text after the last crash began, or else the last line.
// The zero value is ready. It is not safe for concurrent use.
type CrashText struct {
	crash []byte // from the last mark on
	tail  []byte
}

// Add adds what the program wrote.
func (c *CrashText) Add(p []byte) {
	const overlap = 16 // a mark may have come in two pieces
	from := max(0, len(c.tail)-overlap)
	fresh := append(append([]byte(nil), c.tail[from:]...), p...)
	if at := lastMark(fresh); at >= 0 && at+overlap > len(c.tail)-from {
		c.crash = append(c.crash[:0], fresh[at:min(len(fresh), at+maxCrashText)]...)
	} else if c.crash != nil {
		c.crash = append(c.crash, p[:min(len(p), maxCrashText-len(c.crash))]...)
	}
	c.tail = append(c.tail, p[max(0, len(p)-maxCrashText):]...)
	c.tail = c.tail[max(0, len(c.tail)-maxCrashText):]
}

// lastMark finds where the last crash begins, -1 for nowhere. A panic that a
// fatal error follows is two.
func lastMark(p []byte) int {
	last := -1
	for _, mark := range crashMarks {
		last = max(last, bytes.LastIndex(p, []byte(mark)))
	}
	return last
}

// Reason is why the program crashed, without stacks. It is empty when nothing
// was written.
func (c *CrashText) Reason() string {
	if c.crash != nil {
		reason, _, _ := bytes.Cut(c.crash, []byte("\n\ngoroutine "))
		reason, _, _ = bytes.Cut(reason, []byte("\n\nruntime stack:"))
		return shortened(string(bytes.TrimSpace(reason)))
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
	// Go's collector uses the memory for its queues without looking whether it
	// got any.
	return strings.HasPrefix(reason, "SIGSEGV: ") &&
		(bytes.Contains(c.crash, []byte("runtime.(*spanQueue)")) || bytes.Contains(c.crash, []byte("runtime.(*spanSPMC)")))
}

func shortened(text string) string {
	if len(text) > maxReason {
		text = text[:maxReason] + cutMark
	}
	return strings.ToValidUTF8(text, "")
}

package simulation

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// trace remembers the last steps and the first violation.
type trace struct {
	clock core.Clock

	mu        sync.Mutex
	begin     time.Time
	lines     []string
	violation string
	about     []string // ids that the violation is about
}

const (
	maxTrace = 20_000
	maxShown = 60
)

// note writes a line. Those that begin with * concern everybody.
func (t *trace) note(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock.Now()
	if t.begin.IsZero() {
		t.begin = now
	}
	if len(t.lines) == maxTrace {
		t.lines = slices.Delete(t.lines, 0, maxTrace/2)
	}
	t.lines = append(t.lines, fmt.Sprintf("%12s  ", now.Sub(t.begin).Round(time.Microsecond))+fmt.Sprintf(format, args...))
}

// violate keeps the first violation; about are the ids of whom it concerns.
func (t *trace) violate(about []string, format string, args ...any) {
	t.mu.Lock()
	first := t.violation == ""
	if first {
		t.violation, t.about = fmt.Sprintf(format, args...), about
	}
	t.mu.Unlock()
	if first {
		t.note("* VIOLATION: "+format, args...)
	}
}

func (t *trace) failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.violation != ""
}

// report tells the violation and the last steps that concern it.
func (t *trace) report(seed uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.violation == "" {
		return ""
	}
	var shown []string
	for _, line := range t.lines {
		if t.concerns(line) {
			shown = append(shown, line)
		}
	}
	shown = shown[max(0, len(shown)-maxShown):]
	return fmt.Sprintf("seed %d: %s\n%s", seed, t.violation, strings.Join(shown, "\n"))
}

func (t *trace) concerns(line string) bool {
	return strings.Contains(line, "  * ") || slices.ContainsFunc(t.about, func(id string) bool { return strings.Contains(line, short(id)) })
}

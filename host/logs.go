package host

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
	"github.com/nexuscore/scheduler/sdk/wire"
)

const (
	maxLogFrame   = 64 << 10 // bytes that are decoded for a line
	maxLogMessage = 8 << 10  // bytes of one line; what is beyond is cut off
	logLineCost   = 32       // bytes charged for a line beside its text, so that empty lines are not free
	cutMark       = "… (cut)"
)

// logbook keeps the log lines of one run: the first ones that fit into a number
// of bytes; the rest are counted. It also knows how much the run may log, kept or
// not. It is safe for concurrent use.
type logbook struct {
	limits Limits
	logger hclog.Logger // gets each kept line at debug
	now    func() time.Time

	mu      sync.Mutex
	logged  int  // lines so far
	bytes   Size // of these
	room    Size
	lines   []core.LogLine
	dropped int
	partial map[Stream][]byte // the unfinished line of each stream
}

func newLogbook(limits Limits, logger hclog.Logger) *logbook {
	return &logbook{limits: limits, logger: logger, now: core.SystemClock{}.Now, room: limits.Logs, partial: map[Stream][]byte{}}
}

// line adds one line that the plugin logged. fields is its fields as JSON.
func (b *logbook) line(l wire.LogLine, fields int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.add(l, fields)
}

// admit counts a line that the plugin logs, of n bytes, and tells whether it is to
// be read. One that is too large, or comes after a dropped one, is dropped. The
// error is the end of the run.
func (b *logbook) admit(n int) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.logged++
	b.bytes += Size(n)
	switch {
	case b.logged > b.limits.LogLines:
		return false, overLog("more than %d lines in its log (limit logLines)", b.limits.LogLines)
	case b.bytes > b.limits.LogBytes:
		return false, overLog("more than %s in its log (limit logBytes)", b.limits.LogBytes)
	case n > maxLogFrame || b.dropped > 0:
		b.dropped++
		return false, nil
	}
	return true, nil
}

func overLog(format string, args ...any) error {
	return &core.Failure{Code: core.CodePluginLogLimit, Class: core.ClassRetryable, Message: fmt.Sprintf(format, args...)}
}

func (b *logbook) add(l wire.LogLine, fields int) {
	l.Message = clip(l.Message, maxLogMessage)
	cost := Size(len(l.Message) + fields + logLineCost)
	if cost > b.room || b.dropped > 0 { // no short line after a dropped one: the log has one end
		b.dropped++
		return
	}
	b.room -= cost
	l.Fields = fieldsWithoutNUL(l.Fields)
	b.lines = append(b.lines, core.LogLine{Time: b.now().UTC(), Level: level(l.Level), Message: l.Message, Fields: l.Fields})
	if b.logger.IsDebug() {
		b.logger.Debug("plugin log", "level", level(l.Level), "text", l.Message, "fields", l.Fields)
	}
}

// write adds what the program wrote to one of its streams, line by line. The
// memory of an unfinished line is bounded.
func (b *logbook) write(stream Stream, p []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			b.partial[stream] = appendBounded(b.partial[stream], p)
			return
		}
		text := appendBounded(b.partial[stream], p[:i])
		b.partial[stream] = nil
		b.raw(stream, text)
		p = p[i+1:]
	}
}

func (b *logbook) raw(stream Stream, text []byte) {
	lvl := "info"
	if stream == Stderr {
		lvl = "warn"
	}
	b.add(wire.LogLine{Level: lvl, Message: string(text), Fields: map[string]any{"stream": string(stream)}}, 0)
}

// close finishes the last lines of the streams and returns the log.
func (b *logbook) close() (lines []core.LogLine, dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, stream := range []Stream{Stdout, Stderr} {
		if text := b.partial[stream]; len(text) > 0 {
			b.raw(stream, text)
		}
	}
	b.partial = map[Stream][]byte{}
	return b.lines, b.dropped
}

func appendBounded(dst, p []byte) []byte {
	return append(dst, p[:min(len(p), maxLogMessage+1-min(len(dst), maxLogMessage+1))]...)
}

// clip makes text of a plugin fit to be stored and shown: valid UTF-8 of at
// most limit bytes, without control characters that move a terminal's cursor.
func clip(s string, limit int) string {
	cut := len(s) > limit
	if cut {
		s = s[:limit]
	}
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' && r != '\n' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut {
		return s + cutMark
	}
	return s
}

func level(s string) string {
	switch s {
	case "debug", "info", "warn", "error":
		return s
	}
	return "info"
}

// sizeOf returns how many bytes fields take as JSON.
func sizeOf(fields map[string]any) int {
	if len(fields) == 0 {
		return 0
	}
	b, err := json.Marshal(fields)
	if err != nil {
		return maxLogMessage
	}
	return len(b)
}

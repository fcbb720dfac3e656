package sdk

import (
	"fmt"
	"strings"

	"github.com/nexuscore/scheduler/sdk/wire"
)

// Logger writes lines to the execution's log, where the API shows them. The
// host keeps as many bytes as the plugin's limit allows and counts the rest.
// Logging never fails a run.
type Logger struct {
	caller Caller
}

// Debug writes a line for whoever looks for a defect. The arguments after the
// message are keys, strings, each followed by its value.
func (l Logger) Debug(message string, keysAndValues ...any) { l.write("debug", message, keysAndValues) }

// Info writes a line about what happened; arguments as for Debug.
func (l Logger) Info(message string, keysAndValues ...any) { l.write("info", message, keysAndValues) }

// Warn writes a line about what went wrong and was dealt with; arguments as for
// Debug.
func (l Logger) Warn(message string, keysAndValues ...any) { l.write("warn", message, keysAndValues) }

// Error writes a line about what went wrong; arguments as for Debug.
func (l Logger) Error(message string, keysAndValues ...any) { l.write("error", message, keysAndValues) }

func (l Logger) write(level, message string, keysAndValues []any) {
	line := wire.LogLine{Level: level, Message: message, Fields: fields(keysAndValues)}
	in, err := wire.Encode(line, nil)
	if err != nil { // a value that JSON cannot hold must not cost the whole line
		line.Fields = map[string]any{"fields": strings.TrimSpace(fmt.Sprintln(keysAndValues...))}
		if in, err = wire.Encode(line, nil); err != nil {
			return
		}
	}
	_, _ = l.caller.Call(wire.OpLog, in) // a lost line is no reason to fail the work
}

// fields pairs keys with values. Errors become their text, which JSON would
// render as an empty object.
func fields(keysAndValues []any) map[string]any {
	if len(keysAndValues) == 0 {
		return nil
	}
	out := make(map[string]any, (len(keysAndValues)+1)/2)
	for i := 0; i < len(keysAndValues); i += 2 {
		key := fmt.Sprint(keysAndValues[i])
		if i+1 == len(keysAndValues) {
			out["extra"] = key
			break
		}
		value := keysAndValues[i+1]
		if err, ok := value.(error); ok {
			value = err.Error()
		}
		out[key] = value
	}
	return out
}

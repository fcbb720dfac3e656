// Package template fills in what a task's texts leave open: when the occurrence
// is, what the task is called, and values of the task's own data.
//
//	Live at {{format .NominalTime "15:04"}}, <t:{{.NominalTime.Unix}}:R>: {{.Data.game}}
//
// It is the language of the standard library's text/template, with the functions
// format and in.
package template

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"text/template"

	"github.com/nexuscore/scheduler/sdk"
)

// MaxText is how long a filled-in text may be, in bytes.
const MaxText = 8 << 10

// Input is the part of a task's data that templates read. Embed it.
type Input struct {
	Timezone string         `json:"timezone,omitempty" doc:"IANA time zone in which templates show times" schema:"minLength=1; maxLength=64; default=UTC"`
	Values   map[string]any `json:"values,omitempty" doc:"What templates find under .Data"`
}

// Facts is what a template can name.
type Facts struct {
	NominalTime Moment // when the occurrence was meant to be; the same in every attempt
	TaskID      string
	TaskName    string
	TaskType    string
	ExecutionID string
	Trigger     string
	Attempt     int // from 1
	MaxAttempts int
	Data        map[string]any // the values of Input
}

// Texts fills in the texts of one run. Its zero value is of no use; it is not
// safe for concurrent use.
type Texts struct {
	facts Facts
}

// New makes the texts of a run. An unknown time zone is a permanent error.
func New(e sdk.Execution, in Input) (*Texts, error) {
	zone, err := load(in.Timezone)
	if err != nil {
		return nil, sdk.Permanent(fmt.Errorf("timezone: %w", err))
	}
	return &Texts{Facts{
		NominalTime: Moment{e.NominalTime.In(zone)},
		TaskID:      e.TaskID, TaskName: e.TaskName, TaskType: e.Type, ExecutionID: e.ID, Trigger: e.Trigger,
		Attempt: e.Attempt, MaxAttempts: e.MaxAttempts, Data: whole(in.Values).(map[string]any),
	}}, nil
}

// Fill returns a text with everything filled in. field is where it stands in the
// task's data, for errors. These are permanent: a template that cannot be read,
// one that names what is not there, and a result of more than MaxText bytes.
func (t *Texts) Fill(field, text string) (string, error) {
	if !strings.Contains(text, "{{") {
		return text, nil
	}
	parsed, err := template.New(field).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		return "", sdk.Permanent(clean(field, err))
	}
	out := bounded{left: MaxText}
	if err := parsed.Execute(&out, t.facts); err != nil {
		return "", sdk.Permanent(clean(field, err))
	}
	return out.String(), nil
}

// FillAll fills in texts where they stand. Those that are nil are passed over.
func (t *Texts) FillAll(field string, texts ...*string) error {
	for _, text := range texts {
		if text == nil {
			continue
		}
		filled, err := t.Fill(field, *text)
		if err != nil {
			return err
		}
		*text = filled
	}
	return nil
}

// whole makes integers of the numbers that are, which JSON does not tell apart:
// a million is to be shown as 1000000, and to equal 1000000.
// What is null is shown as nothing.
func whole(v any) any {
	switch v := v.(type) {
	case nil:
		return nothing(nil)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = whole(element)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[name] = whole(member)
		}
		return out
	}
	return v
}

// nothing is a null in a text: a dash, whatever the verb of printf. For if and
// with it is false, and range finds nothing in it.
type nothing []struct{}

// Format implements fmt.Formatter.
func (nothing) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("–")) } // into a text

// functions are those beside the ones of text/template.
var functions = template.FuncMap{"format": format, "in": in}

// clean says what is wrong with a template without the names that only its
// implementation knows.
func clean(field string, err error) error {
	if errors.Is(err, errTooLong) {
		return fmt.Errorf("%s: %w", field, errTooLong)
	}
	text := strings.TrimPrefix(err.Error(), "template: "+field+":")
	text = strings.ReplaceAll(text, fmt.Sprintf("executing %q ", field), "")
	return fmt.Errorf("%s: template, line %s", field, text)
}

var errTooLong = fmt.Errorf("the template makes a text of more than %d bytes", MaxText)

// bounded is a text that does not grow beyond a bound.
type bounded struct {
	strings.Builder
	left int
}

// Write adds to the text, or fails as a whole.
func (b *bounded) Write(p []byte) (int, error) {
	if len(p) > b.left {
		return 0, errTooLong
	}
	b.left -= len(p)
	return b.Builder.Write(p)
}

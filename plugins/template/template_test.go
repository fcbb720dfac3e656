package template_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nexuscore/scheduler/plugins/template"
	"github.com/nexuscore/scheduler/sdk"
)

func texts(t *testing.T, in template.Input) *template.Texts {
	t.Helper()
	made, err := template.New(sdk.Execution{
		ID: "e-1", TaskID: "t-1", TaskName: "Stream", Type: "reminder", Trigger: "schedule", Attempt: 2, MaxAttempts: 3,
		NominalTime: time.Date(2026, 7, 1, 17, 30, 0, 0, time.UTC),
	}, in)
	require.NoError(t, err)
	return made
}

func TestTextsAreFilledIn(t *testing.T) {
	in := template.Input{Timezone: "Europe/Berlin", Values: map[string]any{
		"game": "Chess", "players": []any{"Ada", "Bob"}, "count": 3.0, "deep": map[string]any{"er": "x", "list": []any{1e6}}, "half": 0.5, "none": nil,
	}}
	for text, want := range map[string]string{
		"nothing to fill in }}":                                                   "nothing to fill in }}",
		"{{.NominalTime}}":                                                        "2026-07-01 19:30 CEST",
		`{{format .NominalTime "15:04"}}`:                                         "19:30",
		`{{format (in .NominalTime "America/New_York") "15:04"}}`:                 "13:30",
		"<t:{{.NominalTime.Unix}}:R>":                                             "<t:1782927000:R>",
		"{{.NominalTime.Weekday}}":                                                "Wednesday",
		"{{.TaskName}} {{.TaskType}} {{.Trigger}}":                                "Stream reminder schedule",
		"{{.ExecutionID}} {{.TaskID}}":                                            "e-1 t-1",
		"{{.Attempt}} of {{.MaxAttempts}}":                                        "2 of 3",
		"{{.Data.game}}, {{.Data.count}}, {{.Data.deep.er}}":                      "Chess, 3, x",
		"{{range .Data.players}}{{.}} {{end}}":                                    "Ada Bob ",
		`{{if eq .Data.game "Chess"}}think{{end}}`:                                "think",
		"{{.Data.deep.list}} {{.Data.half}}":                                      "[1000000] 0.5",
		"{{if gt .Data.count 2}}many{{end}}":                                      "many",
		`{{.Data.none}} {{printf "%.1f" .Data.none}}`:                             "– –",
		"{{if .Data.none}}some{{end}}{{range .Data.none}}some{{else}}none{{end}}": "none",
		`{{"{{"}}`: "{{",
	} {
		got, err := texts(t, in).Fill("message", text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	got, err := texts(t, template.Input{}).Fill("message", "{{.NominalTime}}")
	require.NoError(t, err)
	require.Equal(t, "2026-07-01 17:30 UTC", got)
}

func TestWhatCannotBeFilledInFailsForGood(t *testing.T) {
	for text, want := range map[string]string{
		"{{.Data.missing}}":          `message: template, line 1:7: at <.Data.missing>: map has no entry for key "missing"`,
		"{{.Nothing}}":               `message: template, line 1:2: at <.Nothing>: can't evaluate field Nothing in type template.Facts`,
		"one\n{{":                    `message: template, line 2: unclosed action`,
		"{{secret:discord_token}}":   `message: template, line 1: function "secret" not defined`,
		"{{range 9000}}x{{end}}":     "message: the template makes a text of more than 8192 bytes",
		`{{in .NominalTime "Mars"}}`: `message: template, line 1:2: at <in .NominalTime "Mars">: error calling in: unknown time zone "Mars"; write an IANA name such as Europe/Berlin`,
		`{{define "a"}}{{template "a"}}{{end}}{{template "a"}}`: "exceeded maximum template depth",
	} {
		_, err := texts(t, template.Input{Values: map[string]any{"x": 1}}).Fill("message", text)
		require.ErrorContains(t, err, want)
		require.True(t, sdk.IsPermanent(err))
	}
	_, err := texts(t, template.Input{}).Fill("message", strings.Repeat("{{.TaskName}}", template.MaxText/6))
	require.NoError(t, err)
}

func TestZonesAreThoseOfTheDatabase(t *testing.T) {
	for _, zone := range []string{"Mars", "Local", "../UTC"} {
		_, err := template.New(sdk.Execution{}, template.Input{Timezone: zone})
		require.EqualError(t, err, `timezone: unknown time zone "`+zone+`"; write an IANA name such as Europe/Berlin`)
		require.True(t, sdk.IsPermanent(err))
	}
}

func TestFillAllLeavesOutWhatIsNotThere(t *testing.T) {
	a, b := "{{.Attempt}}", "b"
	require.NoError(t, texts(t, template.Input{}).FillAll("topic", &a, nil, &b))
	require.Equal(t, []string{"2", "b"}, []string{a, b})
	bad := "{{.Attempt"
	require.ErrorContains(t, texts(t, template.Input{}).FillAll("topic", &a, &bad), "topic: template, line 1")
}

package main

import (
	_ "embed"
	"fmt"
	"time"

	"github.com/nexuscore/scheduler/plugins/platforms"
	"github.com/nexuscore/scheduler/sdk"
)

// input is a task's data. Which members go together is in rules.json.
type input struct {
	Name    string   `json:"name" doc:"What the figures are called; the event is aggregation.<name>" schema:"pattern=^[a-z][a-z0-9_-]{0,63}$"`
	Sources []source `json:"sources" doc:"Where the rows come from" schema:"minItems=1; maxItems=20"`

	GroupBy []string `json:"groupBy,omitempty" doc:"JSON Pointers into a row: rows that have the same there are a group" schema:"minItems=1; maxItems=5; uniqueItems=true; items.pattern=^(/([^~/]|~[01])*)+$; items.maxLength=256"`
	Metrics []metric `json:"metrics,omitempty" doc:"Figures of all rows and of each group" schema:"minItems=1; maxItems=32"`
	Top     []top    `json:"top,omitempty" doc:"The most frequent or largest values" schema:"minItems=1; maxItems=8"`

	WindowMS  int64  `json:"windowMs,omitempty" doc:"How far back from the time that the occurrence is meant for rows count" schema:"minimum=1000; maximum=31622400000"`
	TimeField string `json:"timeField,omitempty" doc:"JSON Pointer to a row's time, RFC 3339; without it rows are as old as the run that collected them, and kept for the window" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`

	StoreAs string `json:"storeAs,omitempty" doc:"Keeps the result under this key of the task type's state" schema:"pattern=^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"`
	Publish bool   `json:"publish,omitempty" doc:"Publishes the result as an event"`
	Post    *post  `json:"post,omitempty" doc:"Tells people"`
}

// source is where rows come from.
type source struct {
	Kind string `json:"kind" schema:"enum=helix_streams|discord_guild|http"`

	UserIDs  []string `json:"userIds,omitempty" doc:"helix_streams: whose streams, those that are live" schema:"minItems=1; maxItems=1000; uniqueItems=true; items.pattern=^[0-9]{1,20}$"`
	GuildIDs []string `json:"guildIds,omitempty" doc:"discord_guild: which servers" schema:"minItems=1; maxItems=50; uniqueItems=true; items.pattern=^[0-9]{1,20}$"`

	URL        string            `json:"url,omitempty" doc:"http: the address" schema:"minLength=1; maxLength=4096"`
	Headers    map[string]string `json:"headers,omitempty" doc:"http: headers; {{secret:name}} stands for a secret"`
	Items      string            `json:"items,omitempty" doc:"http: JSON Pointer to the rows in the answer, an array or one object; without it the answer itself" schema:"pattern=^(/([^~/]|~[01])*)*$; maxLength=256"`
	Pagination *pagination       `json:"pagination,omitempty" doc:"http: how the next page is asked for"`
	MaxPages   int               `json:"maxPages,omitempty" doc:"http: how many pages a run asks for at most" schema:"minimum=1; maximum=100; default=10"`
	CursorKey  string            `json:"cursorKey,omitempty" doc:"http: keeps the last cursor under this name, and the next run goes on from there" schema:"pattern=^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"`
}

// pagination finds the next page in an answer.
type pagination struct {
	Cursor    string `json:"cursor,omitempty" doc:"JSON Pointer to the cursor of the next page" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`
	Parameter string `json:"parameter,omitempty" doc:"Parameter of the query that takes the cursor" schema:"pattern=^[A-Za-z0-9_.~-]{1,64}$"`
	Next      string `json:"next,omitempty" doc:"JSON Pointer to the address of the next page, instead of cursor" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`
}

// metric is one figure.
type metric struct {
	As    string `json:"as" doc:"What the figure is called" schema:"pattern=^[A-Za-z_][A-Za-z0-9_]{0,63}$"`
	Op    string `json:"op" doc:"p50, p95, p99.9 and so on are percentiles by nearest rank: the least value that at least so many percent of the values do not exceed" schema:"pattern=^(count|sum|avg|min|max|p(100|[0-9]{1,2}([.][0-9]{1,2})?))$"`
	Field string `json:"field,omitempty" doc:"JSON Pointer to the value in a row; a count without it counts rows" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`
}

// top is a list of values.
type top struct {
	As    string `json:"as" doc:"What the list is called" schema:"pattern=^[A-Za-z_][A-Za-z0-9_]{0,63}$"`
	Field string `json:"field" doc:"JSON Pointer to the value" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`
	By    string `json:"by,omitempty" doc:"JSON Pointer to a number: ranks by its sum instead of by how often the value is there" schema:"pattern=^(/([^~/]|~[01])*)+$; maxLength=256"`
	K     int    `json:"k" doc:"How many" schema:"minimum=1; maximum=100"`
}

// post is a message about the result.
type post struct {
	Platform  string `json:"platform" schema:"enum=discord|twitch"`
	ChannelID string `json:"channelId" doc:"Id of the channel; on Twitch of the broadcaster" schema:"pattern=^[0-9]{1,20}$"`
	Content   string `json:"content" doc:"The text, a template: .Data is the result" schema:"minLength=1; maxLength=4000"`
	Timezone  string `json:"timezone,omitempty" doc:"IANA time zone in which the template shows times" schema:"minLength=1; maxLength=64; default=UTC"`
}

// rules says which members of input need and exclude each other.
//
//go:embed rules.json
var rules string

func plugin() sdk.Plugin {
	return sdk.Typed(sdk.Plugin{
		Name:         "aggregation",
		Version:      "1.0.0",
		Summary:      "Collects rows from Twitch, Discord and JSON endpoints and makes figures of them.",
		Capabilities: []sdk.Capability{sdk.CapabilityHTTP, sdk.CapabilitySecrets, sdk.CapabilityState},
		Optional:     []sdk.Capability{sdk.CapabilityPublish},
		DataSchema:   sdk.SchemaWith[input](rules),
		ConfigSchema: sdk.SchemaOf[platforms.Config](),
		Sample: `{"name":"sample","sources":[{"kind":"http","url":"https://example.com/","items":"/none"}],
			"metrics":[{"as":"n","op":"count"},{"as":"p","op":"p95","field":"/x"}]}`,
	}, handle)
}

// check finds what the schema cannot say. Its error is permanent.
func (in input) check() error {
	names := map[string]bool{}
	for i, m := range in.Metrics {
		if names[m.As] {
			return sdk.Permanent(fmt.Errorf("metrics/%d/as: %q is the name of an earlier metric; every one needs a name of its own", i, m.As))
		}
		names[m.As] = true
	}
	clear(names)
	for i, top := range in.Top {
		if names[top.As] {
			return sdk.Permanent(fmt.Errorf("top/%d/as: %q is the name of an earlier list; every one needs a name of its own", i, top.As))
		}
		names[top.As] = true
	}
	return nil
}

func (in input) window() time.Duration { return time.Duration(in.WindowMS) * time.Millisecond }

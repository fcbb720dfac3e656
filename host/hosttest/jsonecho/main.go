// Command jsonecho is a plugin for benchmarks: it reads a task's data into a
// struct and answers with another, as most plugins do.
package main

import (
	"github.com/nexuscore/scheduler/sdk"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// order is a task's data, about half a kilobyte of JSON.
type order struct {
	RunID   string            `json:"runId"`
	Attempt int               `json:"attempt"`
	Config  map[string]string `json:"config"`
	Payload struct {
		Note  string   `json:"note"`
		Items []string `json:"items"`
		Price float64  `json:"price"`
	} `json:"payload"`
}

type answer struct {
	RunID string  `json:"runId"`
	Note  string  `json:"note"`
	Items int     `json:"items"`
	Price float64 `json:"price"`
}

func handle(c *sdk.Context) (any, error) {
	var o order
	if err := c.Bind(&o); err != nil {
		return nil, err
	}
	return answer{RunID: o.RunID, Note: o.Payload.Note, Items: len(o.Payload.Items), Price: o.Payload.Price * float64(o.Attempt)}, nil
}

func init() {
	p := sdk.Plugin{Name: "jsonecho", Version: "1.0.0", Handle: handle}
	sdk.Register(p)
	for range 20 {
		rehearse(&p)
	}
}

// rehearse runs the handler before the image is taken that every run starts
// from. The tables that encoding/json makes of a type when it meets it first are
// in the image then, and after some times the heap has the size that a run
// needs.
func rehearse(p *sdk.Plugin) {
	const sample = `{"runId": "x", "attempt": 1, "config": {"a": "b"}, "payload": {"note": "n", "items": ["i"], "price": 1.5}}`
	request, err := wire.Encode(wire.Request{ABI: wire.ABI, ContentType: wire.ContentJSON}, []byte(sample))
	if err != nil {
		panic(err)
	}
	sdk.Serve(p, request, nil) // the handler calls no operation
}

func main() { sdk.Main() }

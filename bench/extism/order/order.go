// Package order is the logic that is measured: half a kilobyte of JSON is read
// into a struct, and a smaller one comes back. It is the same in every guest and
// in the native call.
package order

// Order is what goes in.
type Order struct {
	RunID   string            `json:"runId"`
	Attempt int               `json:"attempt"`
	Config  map[string]string `json:"config"`
	Payload Payload           `json:"payload"`
}

// Payload is the larger part of an Order.
type Payload struct {
	Note  string   `json:"note"`
	Items []string `json:"items"`
	Price float64  `json:"price"`
}

// Answer is what comes out.
type Answer struct {
	RunID string  `json:"runId"`
	Note  string  `json:"note"`
	Items int     `json:"items"`
	Price float64 `json:"price"`
}

// Handle does the work.
func Handle(o Order) Answer {
	return Answer{RunID: o.RunID, Note: o.Payload.Note, Items: len(o.Payload.Items), Price: o.Payload.Price * float64(o.Attempt)}
}

// Sample is an Order as JSON, 459 bytes long.
const Sample = `{"runId": "01J8ZK3V4Q9M7T2B5N6P8R0S1X", "attempt": 2, "config": {"url": "https://example.com/api", "mode": "full", "region": "eu-central-1"}, ` +
	`"payload": {"note": "a note of some length that says nothing in particular, but says it at length, so that the order is as long as many are in the wild, ` +
	`where somebody pasted half of a message into it and nobody minded", "items": ["one", "two", "three", "four", "five"], "price": 12.5}}`

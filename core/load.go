package core

import "context"

// Load is how busy a node is.
type Load struct {
	Node    string `json:"node"`
	Running int    `json:"running"` // executions that run on it
	Slots   int    `json:"slots"`   // executions that may run on it at once
	Waiting int    `json:"waiting"` // executions in its queue
	Room    int    `json:"room"`    // how many more the queue takes
}

// LoadReporter tells the load of this node. The engine is one.
type LoadReporter interface {
	// Load looks at the node now.
	Load(ctx context.Context) (Load, error)
}

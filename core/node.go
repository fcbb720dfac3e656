package core

import (
	"context"
	"encoding/json"
	"time"
)

// Node is what a node of the service says about itself.
type Node struct {
	ID        string       `json:"id"`
	Version   string       `json:"version"`   // of the service
	StartedAt time.Time    `json:"startedAt"` // by the node's clock
	SeenAt    time.Time    `json:"seenAt"`    // of its last report, by the store's clock
	Publishes bool         `json:"publishes"` // takes events to whoever listens
	Load      Load         `json:"load"`
	Plugins   []NodePlugin `json:"plugins"`
}

// NodePlugin is a task type that a node can run.
type NodePlugin struct {
	Type       string      `json:"type"`
	State      PluginState `json:"state"`
	Version    string      `json:"version"`
	Digest     string      `json:"digest"` // sha256 of the artifact, hex
	Generation int         `json:"generation"`
	// RolledBack and Held are as in PluginStatus; Held is the version only.
	RolledBack bool   `json:"rolledBack,omitzero"`
	Held       string `json:"held,omitempty"`
	// DataSchema is the JSON Schema of the type's data, so that other nodes can
	// check it; empty is none.
	DataSchema json.RawMessage `json:"dataSchema,omitempty"`
}

// NodeStore knows the nodes that share the store.
type NodeStore interface {
	// ReportNode keeps what a node says and returns the store's time. SeenAt is
	// set by the store.
	ReportNode(ctx context.Context, n Node) (time.Time, error)
	// Nodes lists the nodes that have reported within the last age, by id.
	Nodes(ctx context.Context, age time.Duration) ([]Node, error)
	// ForgetNode removes a node that shuts down. One that is not there is no
	// error.
	ForgetNode(ctx context.Context, id string) error
}

// NodeAge is how long after its last report a node counts as live.
const NodeAge = 30 * time.Second

// Nodes lists the live nodes by id.
func (s *Scheduler) Nodes(ctx context.Context) ([]Node, error) { return s.store.Nodes(ctx, NodeAge) }

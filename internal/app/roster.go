package app

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nexuscore/scheduler/core"
)

// roster knows which task types this node runs and which only others do, so
// that each node takes what it can run.
type roster struct {
	node   string
	nodes  core.NodeStore
	types  core.TypeCatalogue
	take   func(types []string) // hears of every change of the node's own types
	log    hclog.Logger
	clock  core.Clock
	shared bool // other nodes may be there

	mu        sync.Mutex
	own       map[string]bool            // nil: not looked yet
	elsewhere map[string]json.RawMessage // types that live nodes beside this one run, with their data's schema
	orphans   map[string]time.Time       // types that nobody is known to run, since when
}

const (
	ownPeriod   = time.Second // a reload of plugins is seen so soon
	nodesPeriod = 5 * time.Second
	// orphanTime is how long a type must be without a node before this one fails
	// its executions: a node that starts, or has just loaded the type, is not
	// known to the others before its next report and their next look.
	orphanTime = 20 * time.Second
)

// leaves reports whether the node should leave a type to others.
func (r *roster) leaves(taskType string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.shared || r.own == nil || r.own[taskType]:
		return false
	case r.isElsewhere(taskType):
		return true
	}
	now := r.clock.Now()
	since, ok := r.orphans[taskType]
	if !ok {
		since = now
		r.orphans[taskType] = now
	}
	return now.Sub(since) < orphanTime
}

// isElsewhere is for whoever holds the mutex.
func (r *roster) isElsewhere(taskType string) bool {
	_, ok := r.elsewhere[taskType]
	return ok
}

// schemaElsewhere returns the schema of a type that other nodes run and this one
// does not.
func (r *roster) schemaElsewhere(taskType string) (schema json.RawMessage, elsewhere bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.own == nil || r.own[taskType] || !r.isElsewhere(taskType) {
		return nil, false
	}
	return r.elsewhere[taskType], true
}

// run keeps the roster until ctx ends.
func (r *roster) run(ctx context.Context) {
	own, nodes := time.NewTicker(ownPeriod), time.NewTicker(nodesPeriod)
	defer own.Stop()
	defer nodes.Stop()
	r.lookAtOwn()
	r.lookAtNodes(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-own.C:
			r.lookAtOwn()
		case <-nodes.C:
			r.lookAtNodes(ctx)
		}
	}
}

func (r *roster) lookAtOwn() {
	own := map[string]bool{}
	var names []string
	for _, p := range r.types.Plugins() {
		if p.State.Runs() {
			own[p.Type] = true
			names = append(names, p.Type)
		}
	}
	slices.Sort(names)
	r.mu.Lock()
	changed := r.own == nil || len(own) != len(r.own)
	for t := range own {
		changed = changed || !r.own[t]
	}
	r.own = own
	adopt(r, own)
	r.mu.Unlock()
	if changed {
		r.take(names)
	}
}

func (r *roster) lookAtNodes(ctx context.Context) {
	if !r.shared {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	nodes, err := r.nodes.Nodes(ctx, core.NodeAge)
	if err != nil {
		r.log.Debug("nodes cannot be listed; the last list stands", "error", err)
		return
	}
	elsewhere := map[string]json.RawMessage{}
	for _, n := range nodes {
		if n.ID == r.node {
			continue
		}
		for _, p := range n.Plugins {
			if p.State.Runs() {
				elsewhere[p.Type] = p.DataSchema
			}
		}
	}
	r.mu.Lock()
	r.elsewhere = elsewhere
	adopt(r, elsewhere)
	r.mu.Unlock()
}

// adopt notes that somebody runs these types. The caller holds mu.
func adopt[V any](r *roster, types map[string]V) {
	for t := range types {
		delete(r.orphans, t)
	}
}

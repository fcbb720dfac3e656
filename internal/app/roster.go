package app

import (
	"context"
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
	shared bool // other nodes may be there

	mu        sync.RWMutex
	own       map[string]bool // nil: not looked yet
	elsewhere map[string]bool // types that live nodes beside this one run
}

const (
	ownPeriod   = time.Second // a reload of plugins is seen so soon
	nodesPeriod = 5 * time.Second
)

// leaves reports whether the node should leave a type to others.
func (r *roster) leaves(taskType string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.own != nil && !r.own[taskType] && r.elsewhere[taskType]
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
		if p.State == stateLoaded {
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
	r.mu.Unlock()
	if changed {
		r.take(names)
	}
}

// stateLoaded is the state of a plugin that can run.
const stateLoaded = "loaded"

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
	elsewhere := map[string]bool{}
	for _, n := range nodes {
		if n.ID == r.node {
			continue
		}
		for _, p := range n.Plugins {
			if p.State == stateLoaded {
				elsewhere[p.Type] = true
			}
		}
	}
	r.mu.Lock()
	r.elsewhere = elsewhere
	r.mu.Unlock()
}

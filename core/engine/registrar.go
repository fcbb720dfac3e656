package engine

import (
	"context"
	"time"

	"github.com/nexuscore/scheduler/core"
)

// registrar tells the store that this node lives, what it can run and how busy
// it is. People read it, and the other nodes: they leave to it what only it can
// run.
type registrar struct {
	cfg     Config
	load    core.LoadReporter
	started time.Time
}

// maxSkew is the difference of clocks that is worth a warning: what a node logs
// and measures by its own clock is then misleading. Nothing else depends on it.
const maxSkew = time.Second

// step reports once.
func (r *registrar) step(ctx context.Context) (time.Duration, error) {
	every := r.cfg.LeaseTTL
	n := core.Node{ID: r.cfg.Owner, Version: r.cfg.Version, StartedAt: core.Instant(r.started), Plugins: []core.NodePlugin{}, Publishes: r.cfg.publishes()}
	if load, err := r.load.Load(ctx); err == nil { // a queue that is away does not keep the node from being there
		n.Load = load
	}
	if r.cfg.Types != nil {
		for _, p := range r.cfg.Types.Plugins() {
			n.Plugins = append(n.Plugins, nodePlugin(p))
		}
	}
	asked := r.cfg.Clock.Now()
	at, err := r.cfg.Store.ReportNode(ctx, n)
	if err != nil {
		return 0, err
	}
	if skew := asked.Sub(at); skew > maxSkew || r.cfg.Clock.Now().Sub(at) < -maxSkew {
		r.cfg.Logger.Warn("this node's clock and the store's differ; see to the time synchronisation", "skew", skew.Round(time.Millisecond))
	}
	return every, nil
}

// nodePlugin is what other nodes, and people, hear of a plugin.
func nodePlugin(p core.PluginStatus) core.NodePlugin {
	n := core.NodePlugin{
		Type: p.Type, State: p.State, Version: p.Version, Digest: p.Digest, Generation: p.Generation,
		DataSchema: p.DataSchema, RolledBack: p.RolledBack,
	}
	if p.Held != nil {
		n.Held = p.Held.Version
	}
	return n
}

// forget removes the node when it shuts down.
func (r *registrar) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.cfg.Store.ForgetNode(ctx, r.cfg.Owner); err != nil {
		r.cfg.Logger.Debug("node not removed from the registry; it fades", "error", err)
	}
}

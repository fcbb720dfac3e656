package workbench

import (
	"context"
	"maps"
	"slices"

	"github.com/nexuscore/scheduler/host"
	"github.com/nexuscore/scheduler/sdk/wire"
)

// without returns the runtimes, whose plugins say that they can do without a
// capability: the host would not load them otherwise when it is not granted. ""
// changes nothing.
func (b *Bench) without(capability string) map[string]host.Runtime {
	if capability == "" {
		return b.runtimes
	}
	modest := maps.Clone(b.runtimes)
	for name, r := range modest {
		modest[name] = modestRuntime{r, capability}
	}
	return modest
}

type modestRuntime struct {
	host.Runtime
	capability string
}

// Load implements host.Runtime.
func (r modestRuntime) Load(ctx context.Context, a host.Artifact) (host.Plugin, error) {
	p, err := r.Runtime.Load(ctx, a)
	if err != nil {
		return nil, err
	}
	return modestPlugin{p, r.capability}, nil
}

type modestPlugin struct {
	host.Plugin
	capability string
}

// Describe implements host.Plugin.
func (p modestPlugin) Describe(ctx context.Context) ([]byte, error) {
	frame, err := p.Plugin.Describe(ctx)
	if err != nil || frame == nil {
		return frame, err
	}
	var m wire.Manifest
	if _, err := wire.Decode(frame, &m); err != nil {
		return nil, err
	}
	if at := slices.Index(m.Capabilities, p.capability); at >= 0 {
		m.Capabilities = slices.Delete(m.Capabilities, at, at+1)
		m.Optional = append(m.Optional, p.capability)
	}
	return wire.Encode(m, nil)
}

package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexuscore/scheduler/core"
)

// Plugins lists the plugins of a node.
type Plugins interface {
	Plugins() []core.PluginStatus
}

// plugins reads what is known of plugins at the moment somebody asks. There are
// as many series as the operator lists types.
type plugins struct {
	source Plugins

	info, state, crashes *prometheus.Desc
}

// WatchPlugins adds the gauges of plugins. It is called once.
func (m *Metrics) WatchPlugins(p Plugins) {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, append([]string{"type"}, labels...), nil)
	}
	m.registry.MustRegister(&plugins{
		source:  p,
		info:    desc("plugin_info", "Always 1; the labels name the program in force on this node.", "version", "digest"),
		state:   desc("plugin_state", "1 for the state that the plugin is in on this node.", "state"),
		crashes: desc("plugin_crashes_total", "Runs that crashed: traps, processes that ended, the memory limit."),
	})
}

// Describe implements prometheus.Collector.
func (p *plugins) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{p.info, p.state, p.crashes} {
		out <- d
	}
}

// Collect implements prometheus.Collector.
func (p *plugins) Collect(out chan<- prometheus.Metric) {
	for _, s := range p.source.Plugins() {
		for _, state := range core.PluginStates() {
			value := 0.0
			if s.State == state {
				value = 1
			}
			out <- prometheus.MustNewConstMetric(p.state, prometheus.GaugeValue, value, s.Type, string(state))
		}
		if s.State != core.PluginFailed {
			out <- prometheus.MustNewConstMetric(p.info, prometheus.GaugeValue, 1, s.Type, s.Version, s.Digest)
		}
		out <- prometheus.MustNewConstMetric(p.crashes, prometheus.CounterValue, float64(s.Calls.Crashed), s.Type)
	}
}

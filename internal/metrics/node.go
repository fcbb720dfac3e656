package metrics

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexuscore/scheduler/core"
)

// Store is what is looked at when somebody asks for the metrics.
type Store interface {
	Stats(ctx context.Context) (core.Stats, error)
}

// scrapeTime bounds the look at the store and the queue.
const scrapeTime = 2 * time.Second

// node reads gauges at the moment they are asked for.
type node struct {
	store Store
	load  core.LoadReporter

	up, tasks, live, slots, busy, waiting, room *prometheus.Desc
}

// Watch adds the gauges of a store and a node. It is called once.
func (m *Metrics) Watch(s Store, l core.LoadReporter) {
	gauge := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	m.registry.MustRegister(&node{
		store: s, load: l,
		up:      gauge("store_up", "Whether the store answered when the metrics were read."),
		tasks:   gauge("tasks_enabled", "Enabled tasks."),
		live:    gauge("executions", "Executions that have not ended, by state, on all nodes.", "status"),
		slots:   gauge("slots", "Executions that may run on this node at once."),
		busy:    gauge("slots_busy", "Executions that run on this node."),
		waiting: gauge("queue_length", "Executions in the queue."),
		room:    gauge("queue_room", "Executions that the queue still takes."),
	})
}

// Describe implements prometheus.Collector.
func (n *node) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{n.up, n.tasks, n.live, n.slots, n.busy, n.waiting, n.room} {
		out <- d
	}
}

// Collect implements prometheus.Collector. What does not answer is left out.
func (n *node) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	send := func(d *prometheus.Desc, v int, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	if stats, err := n.store.Stats(ctx); err != nil {
		send(n.up, 0)
	} else {
		send(n.up, 1)
		send(n.tasks, stats.Tasks)
		for _, s := range core.Statuses() {
			if !s.Final() {
				send(n.live, stats.Waiting[s], string(s))
			}
		}
	}
	if l, err := n.load.Load(ctx); err == nil {
		send(n.slots, l.Slots)
		send(n.busy, l.Running)
		send(n.waiting, l.Waiting)
		send(n.room, l.Room)
	}
}

// Package metrics shows Prometheus what the service does: how much, how fast,
// how late and with what result. docs/monitoring.md lists every metric.
package metrics

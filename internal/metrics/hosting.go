package metrics

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nexuscore/scheduler/core"
)

// Buckets in seconds: from an operation that reaches nothing to a request that
// takes its time, and from a module of the cache to one that is compiled.
var (
	callBuckets = []float64{.00001, .0001, .001, .01, .1, .5, 1, 5, 30, 300}
	loadBuckets = []float64{.01, .05, .1, .5, 1, 2.5, 5, 10, 30, 120}
)

// hosting counts what plugins do.
type hosting struct {
	calls    *prometheus.CounterVec
	callTime *prometheus.HistogramVec
	requests *prometheus.CounterVec
	bytes    *prometheus.CounterVec
	runs     *prometheus.CounterVec
	runTime  *prometheus.HistogramVec
	computed *prometheus.CounterVec
	loadTime *prometheus.HistogramVec
}

func (m *Metrics) newHosting() hosting {
	return hosting{
		calls:    m.counter("plugin_calls_total", "Operations that plugins called, by task type, operation and outcome.", "type", "op", "outcome"),
		callTime: m.histogram("plugin_call_duration_seconds", "Operations that plugins called, by operation and outcome.", callBuckets, "op", "outcome"),
		requests: m.counter("plugin_requests_total", "HTTP requests of plugins, by task type and class of the status.", "type", "status"),
		bytes:    m.counter("plugin_request_bytes_total", "Bytes of the bodies of HTTP requests (out) and answers (in), by task type.", "type", "direction"),
		runs:     m.counter("plugin_runs_total", "Runs of plugins, by task type and outcome: ok or an error code.", "type", "outcome"),
		runTime:  m.histogram("plugin_run_duration_seconds", "Wall time of one run, by task type.", durationBuckets, "type"),
		computed: m.counter("plugin_cpu_seconds_total", "Processor time of runs, by task type.", "type"),
		loadTime: m.histogram("plugin_load_duration_seconds", "Loading of a program, by runtime and outcome.", loadBuckets, "runtime", "outcome"),
	}
}

// ObserveCall counts an operation of a plugin.
func (m *Metrics) ObserveCall(taskType, op, outcome string, took time.Duration) {
	m.hosting.calls.WithLabelValues(m.types.name(taskType), op, outcome).Inc()
	m.hosting.callTime.WithLabelValues(op, outcome).Observe(took.Seconds())
}

// ObserveRequest counts an HTTP request of a plugin. A status of 0 is no answer.
func (m *Metrics) ObserveRequest(taskType string, status int, sent, received int64) {
	typ := m.types.name(taskType)
	m.hosting.requests.WithLabelValues(typ, class(status)).Inc()
	m.hosting.bytes.WithLabelValues(typ, "out").Add(float64(sent))
	m.hosting.bytes.WithLabelValues(typ, "in").Add(float64(received))
}

// class is a status as 2xx, or none.
func class(status int) string {
	if status < 100 || status > 599 {
		return "none"
	}
	return strconv.Itoa(status/100) + "xx"
}

// ObserveRun counts a run of a plugin. No code is a success.
func (m *Metrics) ObserveRun(taskType string, code core.Code, took, cpu time.Duration) {
	typ, outcome := m.types.name(taskType), "ok"
	if code != "" {
		outcome = string(code)
	}
	m.hosting.runs.WithLabelValues(typ, outcome).Inc()
	m.hosting.runTime.WithLabelValues(typ).Observe(took.Seconds())
	m.hosting.computed.WithLabelValues(typ).Add(cpu.Seconds())
}

// ObserveLoad counts the loading of a plugin.
func (m *Metrics) ObserveLoad(runtime string, loaded bool, took time.Duration) {
	outcome := "loaded"
	if !loaded {
		outcome = "failed"
	}
	m.hosting.loadTime.WithLabelValues(runtime, outcome).Observe(took.Seconds())
}

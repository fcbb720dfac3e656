package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/nexuscore/scheduler/core"
)

// Metrics counts what it observes and looks at the node when somebody asks. It
// is a core.Observer, a host.Observer and safe for concurrent use.
type Metrics struct {
	registry *prometheus.Registry
	types    *bounded

	planned  *prometheus.CounterVec
	finished *prometheus.CounterVec
	failed   *prometheus.CounterVec
	duration *prometheus.HistogramVec
	lateness *prometheus.HistogramVec
	late     *prometheus.CounterVec
	givenUp  *prometheus.CounterVec
	expired  prometheus.Counter
	faults   *prometheus.CounterVec
	locks    *prometheus.HistogramVec
	hosting  hosting
}

// Buckets in seconds: from a quick plugin to the default timeout, and from a
// start on time to one that somebody notices.
var (
	durationBuckets = []float64{.001, .005, .01, .05, .1, .5, 1, 5, 10, 30, 60, 300, 1800}
	latenessBuckets = []float64{.001, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30, 60, 600, 3600}
	lockBuckets     = []float64{.0001, .0005, .001, .005, .01, .05, .1, .5, 1, 5}
)

// New makes metrics of a service in a version, beside those of the process and
// the Go runtime.
func New(version string) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), types: newBounded()}
	m.planned = m.counter("executions_planned_total", "Executions planned, by task type and trigger.", "type", "trigger")
	m.finished = m.counter("executions_finished_total", "Executions that have ended, by task type and final state.", "type", "status")
	m.failed = m.counter("attempts_failed_total", "Attempts that failed and are followed by another one, by task type and error code.", "type", "code")
	m.duration = m.histogram("execution_duration_seconds", "From the first start to the end, by task type.", durationBuckets, "type")
	m.lateness = m.histogram("start_lateness_seconds", "From the due time to the start of an attempt, by task type.", latenessBuckets, "type")
	m.late = m.counter("executions_late_total", "Executions that had not started in time (alerts.lateAfterMs), by task type.", "type")
	m.givenUp = m.counter("messages_given_up_total", "Messages that were not delivered and will not be, by kind: alert or notification.", "kind")
	m.faults = m.counter("engine_faults_total", "Steps of the engine that failed and were repeated, by part.", "part")
	m.locks = m.histogram("lock_acquisition_seconds", "Attempts to take a lease, by result.", lockBuckets, "result")
	m.hosting = m.newHosting()
	m.expired = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: namespace, Name: "leases_expired_total", Help: "Executions taken back because their worker was silent.",
	})
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "Always 1; the label has the version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(m.expired, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

const namespace = "scheduler"

func (m *Metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	m.registry.MustRegister(c)
	return c
}

func (m *Metrics) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	m.registry.MustRegister(h)
	return h
}

// Observe implements core.Observer.
func (m *Metrics) Observe(e core.Event) {
	switch e.Kind {
	case core.EventFault:
		m.faults.WithLabelValues(e.Part).Inc()
		return
	case core.EventHealed:
		return
	case core.EventGivenUp:
		m.givenUp.WithLabelValues(string(e.Message)).Inc()
		return
	}
	typ := m.types.name(e.Execution.Type)
	switch e.Kind {
	case core.EventPlanned:
		m.planned.WithLabelValues(typ, string(e.Execution.Trigger)).Inc()
		if e.Execution.Status.Final() {
			m.finish(typ, e.Execution)
		}
	case core.EventStarted:
		m.lateness.WithLabelValues(typ).Observe(e.Lateness.Seconds())
	case core.EventAttempt:
		if e.Execution.ErrorCode != nil {
			m.failed.WithLabelValues(typ, string(*e.Execution.ErrorCode)).Inc()
		}
	case core.EventFinished:
		m.finish(typ, e.Execution)
	case core.EventReaped:
		m.expired.Inc()
	case core.EventLate:
		m.late.WithLabelValues(typ).Inc()
	}
}

func (m *Metrics) finish(typ string, e *core.Execution) {
	m.finished.WithLabelValues(typ, string(e.Status)).Inc()
	if e.StartTime != nil && e.EndTime != nil {
		m.duration.WithLabelValues(typ).Observe(e.EndTime.Sub(*e.StartTime).Seconds())
	}
}

// Handler answers GET /metrics in the format that the caller accepts.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 4, Timeout: 10 * time.Second,
	})
}

var _ core.Observer = (*Metrics)(nil)

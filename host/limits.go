package host

import "time"

// Limits bound one plugin. Each one broken ends the run with a code of its own,
// except Logs, beyond which lines are counted and dropped, Concurrency and Rate,
// beyond which runs wait, and Crashes. What a program writes to its standard
// output and error is bounded by Logs alone.
type Limits struct {
	Memory      Size          // linear memory of one run, or the data of a process; PLUGIN_MEMORY_LIMIT
	Timeout     time.Duration // wall time of one run; TIMEOUT. The attempt's own deadline may be earlier
	CPU         time.Duration // processor time of one run, 0 for no limit, which plugins.yaml cannot ask for; PLUGIN_CPU_LIMIT
	Output      Size          // response of one run; PLUGIN_OUTPUT_LIMIT
	Logs        Size          // log lines of one run that are kept, with 32 bytes a line added
	LogLines    int           // lines that one run logs, kept or not; PLUGIN_LOG_LIMIT
	LogBytes    Size          // bytes of these, as the program sends them; PLUGIN_LOG_LIMIT
	HostCalls   int           // operations of one run, log not counted; PLUGIN_CALL_LIMIT
	KV          Size          // keys and values that the plugin keeps; PLUGIN_STATE_LIMIT
	Concurrency int           // runs at the same time

	HTTPRequests      int  // HTTP requests sent in one run, redirects included; PLUGIN_EGRESS_LIMIT
	HTTPRequestBytes  Size // body of one HTTP request; PLUGIN_EGRESS_LIMIT
	HTTPResponseBytes Size // body of one HTTP response, decompressed; PLUGIN_EGRESS_LIMIT
	HTTPBytes         Size // bodies of all HTTP requests and responses of one run, as they are sent; PLUGIN_EGRESS_LIMIT

	Rate Rate // runs that start in a period; further ones wait

	Crashes int // in a row, after which the plugin is quarantined
}

// Defaults of the limits that plugins.yaml does not set. The default of Timeout
// is Config.DefaultTimeout, for that of CPU see limitCPU, and LogBytes is never
// less than Logs.
const (
	DefaultMemory      = 64 * MiB
	DefaultOutput      = 1 * MiB
	DefaultLogs        = 64 * KiB
	DefaultLogLines    = 10_000
	DefaultLogBytes    = 4 * MiB
	DefaultCPU         = 10 * time.Second
	DefaultHostCalls   = 1000
	DefaultConcurrency = 8
	DefaultKV          = 1 * MiB
	DefaultCrashes     = 5

	DefaultHTTPRequests      = 100
	DefaultHTTPRequestBytes  = 1 * MiB
	DefaultHTTPResponseBytes = 4 * MiB
	DefaultHTTPBytes         = 32 * MiB // one exchange at its largest fits
)

// Bounds of what plugins.yaml may set.
const (
	maxMemory      = 4 * GiB // what a 32-bit module can address
	maxOutput      = 64 * MiB
	maxLogs        = 16 * MiB
	maxLogLines    = 1_000_000
	maxLogBytes    = 1 * GiB
	maxHostCalls   = 1_000_000
	maxConcurrency = 1000
	maxKV          = 256 * MiB
	maxTimeout     = 24 * time.Hour
	maxCrashes     = 1000

	maxHTTPRequests = 10_000
	maxHTTPBytes    = 15 * MiB // a frame of an operation is 16 MiB at most, with its header
	maxHTTPTotal    = 64 * GiB
)

func defaultLimits(timeout time.Duration) Limits {
	return Limits{
		Memory: DefaultMemory, Timeout: timeout, Output: DefaultOutput, Logs: DefaultLogs, LogLines: DefaultLogLines,
		HostCalls: DefaultHostCalls, Concurrency: DefaultConcurrency, KV: DefaultKV, Crashes: DefaultCrashes,
		HTTPRequests: DefaultHTTPRequests, HTTPRequestBytes: DefaultHTTPRequestBytes, HTTPResponseBytes: DefaultHTTPResponseBytes, HTTPBytes: DefaultHTTPBytes,
	}
}

// limitCPU fills in what a run may compute where plugins.yaml does not say: ten
// seconds, or its time if that is shorter.
//
// Where several runs share a process, what it computes is shared equally among
// them, so that one which waits pays for those beside it. As long as each uses no
// more than one processor, that is less than the time that has passed; so their
// default is the run's time.
func (l *Limits) limitCPU(shared bool) {
	switch {
	case l.CPU > 0:
	case shared && l.Concurrency > 1:
		l.CPU = l.Timeout
	default:
		l.CPU = min(DefaultCPU, l.Timeout)
	}
}

// status renders the limits that are in force, in the words of plugins.yaml.
func (l Limits) status() map[string]any {
	status := map[string]any{
		"memory": l.Memory.String(), "timeout": l.Timeout.String(), "output": l.Output.String(),
		"logs": l.Logs.String(), "logLines": l.LogLines, "logBytes": l.LogBytes.String(), "cpu": l.CPU.String(), "hostCalls": l.HostCalls, "concurrency": l.Concurrency, "kv": l.KV.String(), "crashes": l.Crashes,
		"httpRequests": l.HTTPRequests, "httpRequestBytes": l.HTTPRequestBytes.String(), "httpResponseBytes": l.HTTPResponseBytes.String(),
		"httpBytes": l.HTTPBytes.String(),
	}
	if l.Rate.Limit > 0 {
		status["rate"] = l.Rate.String()
	}
	return status
}

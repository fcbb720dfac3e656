package redact

import (
	"bytes"
	"io"
	"log"
	"slices"

	"github.com/hashicorp/go-hclog"
)

// Logger returns a logger that writes to l with every secret masked, and so do
// the loggers made from it.
func Logger(l hclog.Logger) hclog.Logger { return &logger{Logger: l} }

// logger masks what is handed to the logger in it, when it is written: masking
// costs more than not writing.
type logger struct {
	hclog.Logger
	fields []any // of With
}

// full is the logger in it with the fields.
func (l *logger) full() hclog.Logger {
	if len(l.fields) == 0 {
		return l.Logger
	}
	return l.Logger.With(args(l.fields)...)
}

// Log implements hclog.Logger.
func (l *logger) Log(level hclog.Level, msg string, given ...any) {
	if level >= l.GetLevel() {
		l.full().Log(level, Text(msg), args(given)...)
	}
}

// Trace implements hclog.Logger.
func (l *logger) Trace(msg string, given ...any) { l.Log(hclog.Trace, msg, given...) }

// Debug implements hclog.Logger.
func (l *logger) Debug(msg string, given ...any) { l.Log(hclog.Debug, msg, given...) }

// Info implements hclog.Logger.
func (l *logger) Info(msg string, given ...any) { l.Log(hclog.Info, msg, given...) }

// Warn implements hclog.Logger.
func (l *logger) Warn(msg string, given ...any) { l.Log(hclog.Warn, msg, given...) }

// Error implements hclog.Logger.
func (l *logger) Error(msg string, given ...any) { l.Log(hclog.Error, msg, given...) }

// With implements hclog.Logger.
func (l *logger) With(given ...any) hclog.Logger {
	return &logger{l.Logger, slices.Concat(l.fields, given)}
}

// ImpliedArgs implements hclog.Logger.
func (l *logger) ImpliedArgs() []any { return l.full().ImpliedArgs() }

// Named implements hclog.Logger.
func (l *logger) Named(name string) hclog.Logger { return &logger{l.Logger.Named(name), l.fields} }

// ResetNamed implements hclog.Logger.
func (l *logger) ResetNamed(name string) hclog.Logger {
	return &logger{l.Logger.ResetNamed(name), l.fields}
}

// StandardLogger implements hclog.Logger.
func (l *logger) StandardLogger(opts *hclog.StandardLoggerOptions) *log.Logger {
	if opts == nil {
		opts = &hclog.StandardLoggerOptions{}
	}
	return log.New(l.StandardWriter(opts), "", 0)
}

// StandardWriter implements hclog.Logger. Each write is a line, as the standard
// library's loggers write them.
func (l *logger) StandardWriter(opts *hclog.StandardLoggerOptions) io.Writer {
	return lineWriter{l.full().StandardWriter(opts)}
}

type lineWriter struct{ to io.Writer }

func (w lineWriter) Write(p []byte) (int, error) {
	if _, err := w.to.Write([]byte(Text(string(bytes.TrimRight(p, "\n"))))); err != nil {
		return 0, err
	}
	return len(p), nil
}

var _ hclog.Logger = (*logger)(nil)

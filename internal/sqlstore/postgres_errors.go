package sqlstore

import (
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/lib/pq"
)

// exclusiveKey is the index that keeps an exclusive task from running twice.
const exclusiveKey = "executions_exclusive_running_key"

// postgresRepeatable reports whether a transaction is undone for certain, by
// something that may be over: others were in the way, or the connection broke
// before the commit was sent. A commit without an answer may have happened; that
// is for the caller to find out.
func postgresRepeatable(err error) bool {
	if e := pq.As(err); e != nil {
		switch e.Code {
		case "40001", "40P01": // serialization failure, deadlock
			return true
		case "55P03":
			// A lock that was not to be waited for; not one that was waited for too long.
			return e.Routine != "ProcessInterrupts"
		case "23505":
			// Somebody else has started an execution of the task since we looked.
			return e.Constraint == exclusiveKey
		}
		if committing(err) {
			return false
		}
		return e.Code.Class() == "08" || e.Code == "57P01" || e.Code == "57P02" || e.Code == "57P03" // connection, shutdown, crash, starting
	}
	if committing(err) {
		return false
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// postgresAway reports whether the server is gone, stops, has no room or takes no
// writes. A commit without an answer is not that: it may have happened.
func postgresAway(err error) bool {
	if committing(err) {
		return false
	}
	e := pq.As(err)
	if e == nil {
		return postgresRepeatable(err) // the connection broke
	}
	switch e.Code {
	case "25006", "55P03", "57014": // read-only, a lock or a statement that took too long
		return true
	}
	return e.Code.Class() == "53" || postgresRepeatable(err) // no room, no memory, too many connections
}

// postgresRefuses reports whether the server cannot keep what it was given: data
// that are none, that break a constraint, or that are too large.
func postgresRefuses(err error) bool {
	e := pq.As(err)
	if e == nil {
		return false
	}
	class := e.Code.Class()
	return class == "22" || class == "23" || class == "54"
}

func committing(err error) bool {
	_, ok := errors.AsType[commitError](err)
	return ok
}

// lockTimeout reports whether a statement waited too long for a lock.
func lockTimeout(err error) bool {
	e := pq.As(err)
	return e != nil && e.Code == "55P03"
}

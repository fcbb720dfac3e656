package sqlstore

import (
	"errors"
	"fmt"

	"github.com/nexuscore/scheduler/core"
)

// verbatim carries an error of a caller's function through the transaction: the
// contract promises it back as it is.
type verbatim struct{ error }

// Unwrap returns the caller's error.
func (v verbatim) Unwrap() error { return v.error }

// wrap is the one border that errors cross on their way out. What the contract
// names passes as it is; a broken constraint becomes a CONFLICT, a database that
// does not serve UNAVAILABLE, what it cannot keep core.ErrRefused; all else is wrapped with the operation. sql.ErrNoRows is translated where it occurs,
// because only there is it known what was not found.
func (s *Store) wrap(operation string, err error) error {
	if err == nil {
		return nil
	}
	if v, ok := errors.AsType[verbatim](err); ok {
		return v.error
	}
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	switch s.dialect.violation(err) {
	case uniqueViolation:
		return &core.Error{Code: core.CodeConflict, Message: operation + ": it exists already", Err: err}
	case foreignKeyViolation:
		return &core.Error{Code: core.CodeConflict, Message: operation + ": what it refers to does not exist, or is still referred to", Err: err}
	}
	if s.dialect.away(err) {
		return &core.Error{Code: core.CodeUnavailable, Message: operation + ": the database does not serve now; try again", Err: err}
	}
	if s.dialect.refuses(err) {
		return fmt.Errorf("%s: %w: %w", operation, core.ErrRefused, err)
	}
	return fmt.Errorf("%s: %w", operation, err)
}

func notFound(kind, id string) error {
	return core.Errorf(core.CodeNotFound, "%s %s does not exist", kind, id)
}

// checkVersion compares the version that a caller read with the stored one.
func checkVersion(kind, id string, want, have int64) error {
	if want == core.AnyVersion || want == have {
		return nil
	}
	e := core.Errorf(core.CodePreconditionFailed, "%s %s is at version %d, not %d; read it again", kind, id, have, want)
	e.Details = map[string]any{"version": have, "requested": want}
	return e
}

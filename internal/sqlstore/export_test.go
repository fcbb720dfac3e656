package sqlstore

import "testing"

// NeverWait lets a store fail where it would wait in the order that may be a
// circle.
func NeverWait(p *Postgres) { p.strict = true }

// QueryOne asks a store's own session.
func QueryOne(t testing.TB, p *Postgres, dest any, query string) error {
	t.Helper()
	return p.writer.GetContext(t.Context(), dest, query)
}

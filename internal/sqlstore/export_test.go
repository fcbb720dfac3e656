package sqlstore

import "testing"

// QueryOne asks a store's own session.
func QueryOne(t testing.TB, p *Postgres, dest any, query string) error {
	t.Helper()
	return p.writer.GetContext(t.Context(), dest, query)
}

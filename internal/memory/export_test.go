package memory

// Held returns how many leases a locker remembers.
func Held(l *Locker) int { return l.leases.Len() }

// Limited returns how many keys a limiter remembers.
func Limited(l *Limiter) int { return l.full.Len() }

// Checkpoints returns how many checkpoints a store remembers.
func Checkpoints(s *Store) int { return len(s.executions.checkpoints) }

package sqlstore

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/lib/pq"
)

// The first halves of our advisory locks.
const (
	nameLocks = 0x6e637301 // of hold
	slotLocks = 0x6e637302 // of holdSlots
)

// slotLockCount bounds how many locks a claim takes, because the database has
// room for some thousands in all. Keys that share a lock wait for each other
// without need, for the few milliseconds of a claim.
const slotLockCount = 256

// holdName locks a name until the transaction ends. Two names of one hash wait
// for each other, and no harm is done.
func holdName(ctx context.Context, c conn, shared bool, name string) error {
	lock := `pg_advisory_xact_lock`
	if shared {
		lock = `pg_advisory_xact_lock_shared`
	}
	_, err := c.exec(ctx, `SELECT `+lock+`(?::int, ?::int)`, nameLocks, int32(hash(name)))
	return err
}

// holdSlots locks what a claim counts. Without it two claims that run at once
// would each count the same free slot: neither sees what the other has not
// committed. The locks are taken in one order, so that nobody waits in a circle.
func holdSlots(ctx context.Context, c conn, keys, types []string) error {
	slots := make([]int64, 0, len(keys)+len(types))
	for _, key := range keys {
		slots = append(slots, int64(hash("key "+key)%slotLockCount))
	}
	for _, kind := range types {
		slots = append(slots, int64(hash("type "+kind)%slotLockCount))
	}
	slices.Sort(slots)
	_, err := c.exec(ctx, `
		SELECT pg_advisory_xact_lock(?::int, slot) FROM unnest(?::int[]) AS slot`,
		slotLocks, pq.Int64Array(slices.Compact(slots)))
	return err
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // never fails
	return h.Sum32()
}

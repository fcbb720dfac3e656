package loader

// maxTable is how many elements the tables of a module may have together. A
// table is no linear memory: eight bytes an element are taken from the server
// beside the memory limit.
const maxTable = 1 << 20

// table is a table type (5.3.9).
type table struct {
	element byte
	limits
}

func readTable(r *reader) table {
	t := table{element: r.referenceType(), limits: readLimits(r)}
	if r.err == nil && t.flags&^1 != 0 {
		r.fail("the module's table is shared or 64 bits wide; build it without threads and memory64")
	}
	if r.err == nil && (t.min > maxTable || t.capped() && t.max > maxTable) {
		r.failf("the module declares a table of %d elements, at most %d are allowed", max(t.min, t.max), maxTable)
	}
	if r.err == nil && t.capped() && t.max < t.min {
		r.fail("the bounds of a table contradict each other")
	}
	return t
}

// tableTotal is how many elements the tables start with.
func (d *decoder) tableTotal() (total uint64) {
	for _, t := range d.tables {
		total += t.min
	}
	return total
}

// encodeTables writes every table with a maximum. All tables together stay
// below the bound: what is left of it is divided.
func (d *decoder) encodeTables() (items code) {
	for _, t := range d.tables {
		limit := max(t.min, uint64(maxTable/len(d.tables)))
		if t.capped() {
			limit = min(limit, t.max)
		}
		items = items.op(t.element, 1).u64(t.min).u64(limit)
	}
	return items
}

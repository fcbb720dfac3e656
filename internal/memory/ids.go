package memory

import (
	"iter"
	"slices"
)

// ids is a sorted list of ids, for pages. Ids grow with time, so that most are
// added at the end and most are removed at the beginning; both are cheap.
type ids struct{ sorted []string }

func (l *ids) add(id string) {
	if i, found := slices.BinarySearch(l.sorted, id); !found {
		l.sorted = slices.Insert(l.sorted, i, id)
	}
}

func (l *ids) remove(id string) {
	i, found := slices.BinarySearch(l.sorted, id)
	if !found {
		return
	}
	if i >= len(l.sorted)/2 {
		l.sorted = slices.Delete(l.sorted, i, i+1)
		return
	}
	copy(l.sorted[1:i+1], l.sorted[:i])
	l.sorted[0] = ""
	l.sorted = l.sorted[1:]
}

// before walks the ids below after, the newest first; "" starts at the newest.
func (l *ids) before(after string) iter.Seq[string] {
	return func(yield func(string) bool) {
		end := len(l.sorted)
		if after != "" {
			end, _ = slices.BinarySearch(l.sorted, after)
		}
		for i := end - 1; i >= 0; i-- {
			if !yield(l.sorted[i]) {
				return
			}
		}
	}
}

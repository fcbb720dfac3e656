package memory

import (
	"container/heap"
	"iter"
)

// index keeps values in an order, each under an id: a binary heap that knows
// where each value lies. Setting and removing cost O(log n), the first value
// O(1), and walking the first k values O(k log k). Values must not change while
// they are in the index.
type index[T any] struct {
	compare func(a, b T) int
	entries []indexed[T]
	at      map[string]int
}

type indexed[T any] struct {
	id    string
	value T
}

func newIndex[T any](compare func(a, b T) int) *index[T] {
	return &index[T]{compare: compare, at: map[string]int{}}
}

// set puts a value under an id, in place of the one that was there.
func (x *index[T]) set(id string, value T) {
	if i, ok := x.at[id]; ok {
		x.entries[i].value = value
		heap.Fix(x, i)
		return
	}
	heap.Push(x, indexed[T]{id: id, value: value})
}

// remove forgets the id; it need not be there.
func (x *index[T]) remove(id string) {
	if i, ok := x.at[id]; ok {
		heap.Remove(x, i)
	}
}

// first returns the least value.
func (x *index[T]) first() (id string, value T, ok bool) {
	if len(x.entries) == 0 {
		return "", value, false
	}
	return x.entries[0].id, x.entries[0].value, true
}

// all walks the values in order. The index must not change meanwhile.
func (x *index[T]) all() iter.Seq[T] {
	return func(yield func(T) bool) {
		if len(x.entries) == 0 {
			return
		}
		// The next value is always a child of one that was walked already.
		f := &frontier[T]{index: x, at: []int{0}}
		for f.Len() > 0 {
			i := heap.Pop(f).(int)
			if !yield(x.entries[i].value) {
				return
			}
			for child := 2*i + 1; child <= 2*i+2 && child < len(x.entries); child++ {
				heap.Push(f, child)
			}
		}
	}
}

// Len, Less, Swap, Push and Pop are heap.Interface.

func (x *index[T]) Len() int { return len(x.entries) }

func (x *index[T]) Less(i, j int) bool {
	return x.compare(x.entries[i].value, x.entries[j].value) < 0
}

func (x *index[T]) Swap(i, j int) {
	x.entries[i], x.entries[j] = x.entries[j], x.entries[i]
	x.at[x.entries[i].id], x.at[x.entries[j].id] = i, j
}

func (x *index[T]) Push(v any) {
	e := v.(indexed[T])
	x.at[e.id] = len(x.entries)
	x.entries = append(x.entries, e)
}

func (x *index[T]) Pop() any {
	last := len(x.entries) - 1
	e := x.entries[last]
	x.entries[last] = indexed[T]{}
	x.entries = x.entries[:last]
	delete(x.at, e.id)
	return e
}

// frontier is a heap of the positions that may come next in a walk.
type frontier[T any] struct {
	index *index[T]
	at    []int
}

func (f *frontier[T]) Len() int           { return len(f.at) }
func (f *frontier[T]) Less(i, j int) bool { return f.index.Less(f.at[i], f.at[j]) }
func (f *frontier[T]) Swap(i, j int)      { f.at[i], f.at[j] = f.at[j], f.at[i] }
func (f *frontier[T]) Push(v any)         { f.at = append(f.at, v.(int)) }

func (f *frontier[T]) Pop() any {
	last := len(f.at) - 1
	i := f.at[last]
	f.at = f.at[:last]
	return i
}

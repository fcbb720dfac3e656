package memory

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// ranked is a value of the index under test.
type ranked struct {
	rank int
	id   string
}

func byRank(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id)) }

// The index is compared with a map that is sorted whenever it is asked.
func TestIndexKeepsTheOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	x, model := newIndex(byRank), map[string]ranked{}
	for range 5000 {
		id := fmt.Sprint(r.IntN(60))
		if r.IntN(3) == 0 {
			x.remove(id)
			delete(model, id)
		} else {
			v := ranked{rank: r.IntN(20), id: id}
			x.set(id, v)
			model[id] = v
		}
		want := make([]ranked, 0, len(model))
		for _, v := range model {
			want = append(want, v)
		}
		slices.SortFunc(want, byRank)
		require.Equal(t, want, slices.AppendSeq(make([]ranked, 0), x.all()))
		id, first, ok := x.first()
		require.Equal(t, len(want) > 0, ok)
		if ok {
			require.Equal(t, want[0], first)
			require.Equal(t, first.id, id)
		}
	}
}

func TestIndexWalkMayStop(t *testing.T) {
	x := newIndex(byRank)
	for i := range 100 {
		x.set(fmt.Sprint(i), ranked{rank: 100 - i})
	}
	var got []int
	for v := range x.all() {
		if got = append(got, v.rank); len(got) == 3 {
			break
		}
	}
	require.Equal(t, []int{1, 2, 3}, got)
}

func TestIDsKeepTheOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	var l ids
	model := map[string]bool{}
	for range 3000 {
		id := fmt.Sprintf("%03d", r.IntN(80))
		if r.IntN(2) == 0 {
			l.add(id)
			model[id] = true
		} else {
			l.remove(id)
			delete(model, id)
		}
		after := fmt.Sprintf("%03d", r.IntN(90))
		want := []string{}
		for known := range model {
			if known < after {
				want = append(want, known)
			}
		}
		slices.Sort(want)
		slices.Reverse(want)
		require.Equal(t, want, slices.AppendSeq([]string{}, l.before(after)))
		require.Len(t, slices.Collect(l.before("")), len(model))
	}
}

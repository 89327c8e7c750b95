package db

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestSorted compares a sorted with a map: with ids in order, in reverse and at
// random, and across the boundaries of its chunks.
func TestSorted(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		chance := rand.New(rand.NewPCG(seed, 2))
		var s sorted[int]
		model := map[int]int{}
		ids := 1 + chance.IntN(4*chunkLength)
		apart := 1
		if seed%8 >= 4 {
			apart = 1 << 22 // ids need more than 32 bits
		}
		for step := range 6 * chunkLength {
			id := 1 + chance.IntN(ids)
			switch seed % 4 {
			case 1:
				id = step + 1
			case 2:
				id = 6*chunkLength - step
			}
			id *= apart
			if chance.IntN(3) == 0 {
				id = (1 + chance.IntN(ids)) * apart
				s.remove(id)
				delete(model, id)
			} else {
				s.put(id, step)
				model[id] = step
			}
			if step%97 != 0 {
				continue
			}
			keys := slices.Sorted(maps.Keys(model))
			want := make([]int, 0, len(keys))
			for _, id := range keys {
				want = append(want, model[id])
			}
			if got := s.all(); !slices.Equal(got, want) || s.len() != len(want) {
				t.Fatalf("seed %d, step %d: all = %v; want %v", seed, step, got, want)
			}
			from := (chance.IntN(ids+2) - 1) * apart
			i, found := slices.BinarySearch(keys, from)
			if found {
				i++
			}
			if got := slices.Collect(values(s.after(from))); !slices.Equal(got, want[i:]) {
				t.Fatalf("seed %d, step %d: after(%d) = %v; want %v", seed, step, from, got, want[i:])
			}
			for _, id := range []int{from, (1 + chance.IntN(ids)) * apart} {
				row, ok := s.get(id)
				if wantRow, there := model[id]; row != wantRow || ok != there {
					t.Fatalf("seed %d, step %d: get(%d) = %d, %t", seed, step, id, row, ok)
				}
			}
		}
		for _, id := range []int{math.MaxInt, math.MinInt} {
			if got := slices.Collect(values(s.after(id))); (len(got) > 0) != (id < 0) {
				t.Errorf("after(%d) has %d rows", id, len(got))
			}
		}
		for range s.after(0) {
			break // a reader may stop
		}
		for id := range model {
			s.remove(id)
		}
		if s.len() != 0 || len(s.chunks) != 0 {
			t.Errorf("seed %d: %d rows in %d chunks remain", seed, s.len(), len(s.chunks))
		}
	}
}

func TestSortedRange(t *testing.T) {
	t.Parallel()
	var s sorted[int]
	if got := s.list(Range{Desc: true}); len(got) != 0 {
		t.Errorf("an empty one has %v", got)
	}
	var ids []int
	for id := 3; id <= 5000; id += 3 {
		s.put(id, id)
		ids = append(ids, id)
	}
	for _, from := range []int{0, 1, 3, 4, 1500, 1535, 1536, 1537, 4998, 4999, 9000} {
		for _, n := range []int{0, 1, 2, 511, 512, 513, 9000} {
			for _, desc := range []bool{false, true} {
				var want []int
				for _, id := range ids {
					if !desc && id > from || desc && (id < from || from == 0) {
						want = append(want, id)
					}
				}
				if desc {
					slices.Reverse(want)
				}
				if n > 0 {
					want = want[:min(n, len(want))]
				}
				p := Range{desc, from, n}
				if got := s.list(p); !slices.Equal(got, want) {
					t.Fatalf("%+v has %d rows; want %d", p, len(got), len(want))
				}
			}
		}
	}
}

// BenchmarkSorted compares chunks with one sorted slice, for a million ids: a row
// in the middle is removed and put back, as when an item changes its category.
func BenchmarkSorted(b *testing.B) {
	const size = 1_000_000
	b.Run("chunks", func(b *testing.B) {
		var s sorted[struct{}]
		for id := range size {
			s.put(id, struct{}{})
		}
		for b.Loop() {
			s.remove(size / 3)
			s.put(size/3, struct{}{})
		}
	})
	b.Run("slice", func(b *testing.B) {
		ids := make([]int, size)
		for id := range ids {
			ids[id] = id
		}
		for b.Loop() {
			i, _ := slices.BinarySearch(ids, size/3)
			ids = slices.Delete(ids, i, i+1)
			ids = slices.Insert(ids, i, size/3)
		}
	})
}

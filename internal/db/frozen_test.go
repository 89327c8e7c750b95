package db

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
)

// TestFreeze lets a list change in every way, and looks whether the copies that were
// frozen on the way are still as they were.
func TestFreeze(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		chance := rand.New(rand.NewPCG(seed, 3))
		var s sorted[int]
		type copied struct {
			frozen *sorted[int]
			ids    []int
			rows   []int
		}
		var copies []copied
		for step := range 8 * chunkLength {
			id := 1 + chance.IntN(3*chunkLength)
			if seed == 1 { // new ids are the highest
				id = step + 1
			}
			if s.put(id, step); chance.IntN(3) == 0 {
				s.remove(1 + chance.IntN(3*chunkLength))
			}
			if step%701 == 0 {
				copies = append(copies, copied{s.freeze(), s.ids(), s.all()})
			}
		}
		for i, c := range copies {
			if !slices.Equal(c.frozen.ids(), c.ids) || !slices.Equal(c.frozen.all(), c.rows) || c.frozen.len() != len(c.ids) {
				t.Errorf("seed %d: copy %d has changed", seed, i)
			}
		}
	}
}

// A card is a row for orders: many cards have the same text.
type card struct {
	ID   int
	Text string
}

type cardKey struct {
	text string
	id   int
}

func (c card) key() cardKey { return cardKey{c.Text, c.ID} }

func (k cardKey) compare(other cardKey) int {
	return cmp.Or(cmp.Compare(k.text, other.text), cmp.Compare(k.id, other.id))
}

// TestOrder compares an order and a column with a sorted slice of all rows: while rows
// come, change and go, after the table was emptied, and when rows change while the
// indexes are being made.
func TestOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		chance := rand.New(rand.NewPCG(seed, 4))
		d := New(Options{})
		cards := Add(d, Schema[card]{Name: "card", Plural: "cards", ID: func(c card) int { return c.ID }})
		order := NewOrder(cards, card.key, cardKey.compare)
		column := NewColumn(cards, func(c card) int { return len(c.Text) })
		change := func(n int) {
			for range n {
				id := 1 + chance.IntN(4*chunkLength)
				if chance.IntN(3) == 0 {
					cards.remove(id)
				} else {
					cards.put(id, card{id, strconv.Itoa(chance.IntN(1000))})
				}
			}
		}
		compare := func(when string) {
			order.Make()
			column.Make()
			all := cards.rows.all()
			var short []card
			for _, c := range all {
				if len(c.Text) < 3 {
					short = append(short, c)
				}
			}
			slices.SortFunc(all, func(a, b card) int { return a.key().compare(b.key()) })
			d.View(func(tx *Tx) {
				if rows, ok := column.Select(tx, Range{}, func(n int) bool { return n < 3 }); !ok || !slices.Equal(slices.Collect(rows), short) {
					t.Fatalf("seed %d, %s: the column finds other rows", seed, when)
				}
				from := cardKey{strconv.Itoa(chance.IntN(1000)), chance.IntN(4 * chunkLength)}
				if len(all) > 0 && chance.IntN(2) == 0 {
					from = all[chance.IntN(len(all))].key()
				}
				for _, from := range []*cardKey{nil, &from} {
					for _, desc := range []bool{false, true} {
						for _, most := range []int{0, 1, 100} {
							var want []card
							for _, c := range all {
								if from == nil || !desc && c.key().compare(*from) > 0 || desc && c.key().compare(*from) < 0 {
									want = append(want, c)
								}
							}
							if desc {
								slices.Reverse(want)
							}
							if most > 0 {
								want = want[:min(most, len(want))]
							}
							rows, ok := order.Select(tx, from, desc, most)
							if got := slices.Collect(rows); !ok || !slices.Equal(got, want) {
								t.Fatalf("seed %d, %s: after %v, desc %t, at most %d come %d rows; want %d", seed, when, from, desc, most, len(got), len(want))
							}
						}
					}
				}
			})
		}
		compare("no rows")
		for range 5 {
			change(2000)
			compare("changes")
		}
		frozen, _ := order.Select(nil, nil, false, 0)
		was := slices.Collect(frozen)
		change(2000)
		if !slices.Equal(slices.Collect(frozen), was) {
			t.Fatalf("seed %d: a frozen order has changed", seed)
		}
		for _, l := range []*lazy[card]{order.lazy, column.lazy} {
			l.state = absent
			rows := l.begin()
			l.maker.fill(rows)
			change(500)
			l.end(rows)
		}
		compare("changes while the indexes are made")
		cards.empty()
		compare("an empty table")
		change(2000)
		compare("a table that was emptied")
		rows := order.begin()
		order.fill(rows)
		cards.empty()
		order.end(rows)
		compare("emptied while the order is made")
	}
}

// BenchmarkOrder changes one row of a million, with an order and without one, and reads a
// page in the middle of the order.
func BenchmarkOrder(b *testing.B) {
	const size = 1_000_000
	d := New(Options{})
	cards := Add(d, Schema[card]{Name: "card", Plural: "cards", ID: func(c card) int { return c.ID }})
	order := NewOrder(cards, card.key, cardKey.compare)
	text := func(n int) string { return strconv.Itoa(n * 7919 % size) }
	for id := range size {
		cards.put(id+1, card{id + 1, text(id)})
	}
	n := 0
	change := func(b *testing.B) {
		for b.Loop() {
			id := 1 + n*31%size
			cards.put(id, card{id, text(n)})
			n++
		}
	}
	b.Run("change without an order", change)
	order.Make()
	b.Run("change", change)
	b.Run("page", func(b *testing.B) {
		from := cardKey{text(size / 2), 0}
		for b.Loop() {
			d.View(func(tx *Tx) { order.Select(tx, &from, false, 101) })
		}
	})
}

package db_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
)

// numbered returns a home with notes of these ids.
func numbered(t testing.TB, ids ...int) *home {
	t.Helper()
	h := newHome(db.Options{})
	must(t, h.Update(func(tx *db.Tx) error {
		for _, id := range ids {
			h.notes.Put(tx, &note{ID: id, Title: fmt.Sprint(id), Owner: 0})
		}
		return nil
	}))
	return h
}

func TestRange(t *testing.T) {
	t.Parallel()
	h := numbered(t, 1, 2, 5, 8, 9)
	for _, tt := range []struct {
		name string
		r    db.Range
		want []int
	}{
		{"all", db.Range{}, []int{1, 2, 5, 8, 9}},
		{"all, backwards", db.Range{Desc: true}, []int{9, 8, 5, 2, 1}},
		{"the first two", db.Range{Max: 2}, []int{1, 2}},
		{"the last two", db.Range{Max: 2, Desc: true}, []int{9, 8}},
		{"after a row", db.Range{From: 2}, []int{5, 8, 9}},
		{"after an id without a row", db.Range{From: 6, Max: 1}, []int{8}},
		{"before a row", db.Range{From: 8, Desc: true}, []int{5, 2, 1}},
		{"before an id without a row", db.Range{From: 7, Desc: true, Max: 2}, []int{5, 2}},
		{"after the last", db.Range{From: 9}, nil},
		{"before the first", db.Range{From: 1, Desc: true}, nil},
		{"more than there are", db.Range{Max: 100}, []int{1, 2, 5, 8, 9}},
	} {
		h.View(func(tx *db.Tx) {
			var got []int
			for _, n := range h.notes.Range(tx, tt.r) {
				got = append(got, n.ID)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: Range has %v; want %v", tt.name, got, tt.want)
			}
			if got := slices.Collect(h.notesOf.IDs(tx, 0).In(tt.r)); !slices.Equal(got, tt.want) {
				t.Errorf("%s: the ids are %v; want %v", tt.name, got, tt.want)
			}
			if n := h.notesOf.IDs(tx, 0).Size(tt.r); n < len(tt.want) {
				t.Errorf("%s: Size = %d", tt.name, n)
			}
			for _, id := range tt.want {
				if !tt.r.Has(id) {
					t.Errorf("%s: Has(%d) is false", tt.name, id)
				}
			}
		})
	}
}

func TestAfter(t *testing.T) {
	t.Parallel()
	h := numbered(t, 1, 2, 5, 8)
	ids := func(tx *db.Tx, after int) (ids []int) {
		for id, n := range h.notes.After(tx, after) {
			if n.ID != id {
				t.Errorf("id %d comes with %+v", id, n)
			}
			ids = append(ids, id)
		}
		return ids
	}
	h.View(func(tx *db.Tx) {
		if got := ids(tx, 2); !slices.Equal(got, []int{5, 8}) {
			t.Errorf("readers get %v", got)
		}
	})
	must(t, h.Update(func(tx *db.Tx) error {
		h.notes.Delete(tx, 5)
		h.notes.Put(tx, &note{ID: 8, Title: "changed"})
		h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: "new"})
		h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: "newer"})
		h.notes.Delete(tx, 9)
		if got := ids(tx, 2); !slices.Equal(got, []int{8, 10}) {
			t.Errorf("rules get %v", got)
		}
		if n, ok := h.notes.Get(tx, 8); !ok || n.Title != "changed" {
			t.Errorf("rules get %+v", n)
		}
		for range h.notes.All(tx) {
			break // rules may stop
		}
		return nil
	}))
}

// Changes counts the changes that readers see. Every index follows each of
// them.
func TestChangesAndIndexes(t *testing.T) {
	t.Parallel()
	h, _ := withAnn(t)
	changes := func() (owners, things int) {
		h.View(func(tx *db.Tx) { owners, things = h.owners.Changes(tx), h.things.Changes(tx) })
		return owners, things
	}
	for _, tt := range []struct {
		name           string
		rules          func(*db.Tx) error
		owners, things int
		kinds          string
	}{
		{"a thing", h.addThing("lamp", 1), 1, 1, "map[lamp:1]"},
		{"another of its kind", h.addThing("lamp", 1), 1, 2, "map[lamp:2]"},
		{"one of another kind", h.addThing("desk", 1), 1, 3, "map[desk:1 lamp:2]"},
		{"a thing that becomes another kind", func(tx *db.Tx) error {
			h.things.Put(tx, thingRow{ID: 3, Kind: "lamp", Owner: 1}.thing())
			return nil
		}, 1, 4, "map[lamp:3]"},
		{"a thing that goes", remove(h.things, 1), 1, 5, "map[lamp:2]"},
		{"nothing", func(*db.Tx) error { return nil }, 1, 5, "map[lamp:2]"},
		{"an owner who goes", remove(h.owners, 1), 2, 7, "map[lamp:2]"},
	} {
		must(t, h.Update(tt.rules))
		if owners, things := changes(); owners != tt.owners || things != tt.things {
			t.Errorf("%s: %d changes of owners and %d of things; want %d and %d", tt.name, owners, things, tt.owners, tt.things)
		}
		h.View(func(tx *db.Tx) {
			kinds := map[string]int{}
			for kind, n := range h.thingsIn.Keys(tx) {
				kinds[kind] = n
			}
			if fmt.Sprint(kinds) != tt.kinds {
				t.Errorf("%s: the kinds are %v; want %s", tt.name, kinds, tt.kinds)
			}
			if err := h.committed(tx); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		})
		wantSeen(t, h)
	}
}

// wantSeen checks the indexes against the rows that tx shows.
func wantSeen(t testing.TB, h *home) {
	t.Helper()
	h.View(func(tx *db.Tx) {
		if err := h.indexes(tx); err != nil {
			t.Error(err)
		}
	})
}

// indexes returns an error if an index differs from its table.
func (h *home) indexes(tx *db.Tx) error {
	return errors.Join(
		unique(tx, h.owners, h.byName, func(o *owner) (string, bool) { return o.Name, true }, names),
		unique(tx, h.owners, h.byMail, func(o *owner) (string, bool) { return strings.ToLower(o.Mail), o.Mail != "" }, nil),
		unique(tx, h.sessions, h.byCode, func(s *session) (string, bool) { return s.Code, true }, names),
		unique(tx, h.notes, h.byTitle, func(n *note) (string, bool) { return n.Title, true }, names),
		multi(tx, h.sessions, h.sessionsOf, func(s *session) int { return s.Owner }),
		multi(tx, h.things, h.thingsOf, func(t thing) int { return t.row().Owner }),
		multi(tx, h.things, h.thingsIn, func(t thing) string { return t.row().Kind }),
		multi(tx, h.notes, h.notesOf, func(n *note) int { return n.Owner }),
		pending(tx, h.notes), pending(tx, h.lates),
	)
}

// pending fails if Pending yields something else than All shows.
func pending[R comparable](tx *db.Tx, t *db.Table[R]) error {
	all := maps.Collect(t.All(tx))
	for id, row := range t.Pending(tx) {
		if all[id] != row {
			return fmt.Errorf("Pending yields row %d as %+v; want %+v", id, row, all[id])
		}
	}
	return nil
}

// names are the keys that rows have, or had before.
var names = []string{"n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7"}

func unique[R comparable](tx *db.Tx, t *db.Table[R], u *db.Unique[R, string], key func(R) (string, bool), others []string) error {
	have := map[string]bool{}
	for id, row := range t.All(tx) {
		k, ok := key(row)
		if !ok {
			continue
		}
		if found, ok := u.Find(tx, k); !ok || found != row {
			return fmt.Errorf("row %d has the key %q, and Find has it as %+v, %t", id, k, found, ok)
		}
		have[k] = true
	}
	for _, k := range others {
		if row, ok := u.Find(tx, k); ok && !have[k] {
			return fmt.Errorf("no row has the key %q, and Find says %+v", k, row)
		}
	}
	return nil
}

func multi[R, K comparable](tx *db.Tx, t *db.Table[R], m *db.Multi[R, K], key func(R) K) error {
	have := map[K][]R{}
	for _, row := range t.All(tx) {
		have[key(row)] = append(have[key(row)], row)
	}
	for k := range m.Keys(tx) {
		have[k] = append(have[k], []R{}...)
	}
	for k, want := range have {
		if got := m.Rows(tx, k); !slices.Equal(got, want) {
			return fmt.Errorf("Rows(%v) = %v; want %v", k, got, want)
		}
		if n := m.AtMost(tx, k); n < len(want) {
			return fmt.Errorf("AtMost(%v) = %d; there are %d", k, n, len(want))
		}
	}
	return nil
}

// committed checks what only readers can ask for: the counters beside the rows.
func (h *home) committed(tx *db.Tx) error {
	for kind, n := range h.thingsIn.Keys(tx) {
		ids := h.thingsIn.IDs(tx, kind)
		if n == 0 || n != len(h.thingsIn.Rows(tx, kind)) || n != ids.Len() || n != len(slices.Collect(ids.In(db.Range{}))) {
			return fmt.Errorf("%d things of the kind %q, of which %v are listed", n, kind, slices.Collect(ids.In(db.Range{})))
		}
	}
	if notes := maps.Collect(h.notes.All(tx)); !maps.Equal(notes, h.followed) {
		return fmt.Errorf("the notes are %v, and Follow told of %v", notes, h.followed)
	}
	if n := h.things.Len(tx); n != len(h.things.Range(tx, db.Range{})) {
		return fmt.Errorf("Len is %d, and a Range has %d", n, len(h.things.Range(tx, db.Range{})))
	}
	return nil
}

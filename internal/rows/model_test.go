package rows_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/rows"
)

// A model is collections in the plainest way: the texts of rows by id, in their order.
type model struct {
	ids     map[string][]string          // by collection, in the order of the list
	texts   map[string]map[string]string // by collection and id
	highest map[string]int
}

// TestModel compares a store with a model through random changes, refusals, restarts
// and compactions.
func TestModel(t *testing.T) {
	t.Parallel()
	for range 4 {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { t.Parallel(); runModel(t, seed) })
	}
}

var modelNames = []string{"posts", "comments", "notes"}

func runModel(t *testing.T, seed uint64) {
	chance := rand.New(rand.NewPCG(seed, 1))
	disk := journaltest.New(seed)
	s := openTill(t, disk, rows.Options{})
	m := &model{map[string][]string{}, map[string]map[string]string{}, map[string]int{}}
	for _, name := range modelNames {
		s.with(t, name)
		m.texts[name] = map[string]string{}
	}
	for range 60 { // enough for indexes
		m.create(t, s, chance, "comments", 10)
	}
	for step := range 300 {
		name := modelNames[chance.IntN(len(modelNames))]
		switch n := chance.IntN(20); {
		case n == 0:
			must(t, s.Close())
			s = openTill(t, disk, rows.Options{})
		case n == 1:
			must(t, s.Update(func(tx *db.Tx) error { s.Tidy(tx); return nil }))
			if err := s.Compact(); err != nil && !errors.Is(err, journal.ErrNoHistory) {
				t.Fatal(err)
			}
		case n < 5:
			m.remove(t, s, chance, name)
		case n < 9:
			m.patch(t, s, chance, name)
		case n == 9:
			m.refuse(t, s, chance, name)
		default:
			m.create(t, s, chance, name, 1)
		}
		if m.check(t, s, chance); t.Failed() {
			t.Fatalf("seed %d, step %d", seed, step)
		}
	}
}

// create adds rows, all in one batch.
func (m *model) create(t *testing.T, s till, chance *rand.Rand, name string, n int) {
	var added []*rows.Row
	must(t, s.Update(func(tx *db.Tx) error {
		added = nil
		for range n {
			body := fmt.Sprintf(`{"postId":%d,"tag":"%d"}`, 1+chance.IntN(20), chance.IntN(5))
			row, err := s.Create(tx, owner, name, object(t, body))
			if err != nil {
				return err
			}
			added = append(added, row)
		}
		return nil
	}))
	for _, row := range added {
		var id int
		fmt.Sscan(row.ID, &id)
		if id <= m.highest[name] {
			t.Errorf("%s: id %d is given out after %d", name, id, m.highest[name])
		}
		m.highest[name] = id
		m.ids[name] = append(m.ids[name], row.ID)
		m.texts[name][row.ID] = row.Text
	}
}

func (m *model) any(chance *rand.Rand, name string) string {
	if ids := m.ids[name]; len(ids) > 0 && chance.IntN(10) > 0 {
		if chance.IntN(3) == 0 {
			return ids[len(ids)-1]
		}
		return ids[chance.IntN(len(ids))]
	}
	return "none"
}

func (m *model) remove(t *testing.T, s till, chance *rand.Rand, name string) {
	id := m.any(chance, name)
	err := s.delete(owner, name, id)
	if m.texts[name][id] == "" {
		if !errors.Is(err, rows.ErrNoRow) {
			t.Errorf("deleting %s %s: %v", name, id, err)
		}
		return
	}
	must(t, err)
	gone := func(name string, is func(id string) bool) {
		m.ids[name] = slices.DeleteFunc(m.ids[name], func(id string) bool {
			if is(id) {
				delete(m.texts[name], id)
				return true
			}
			return false
		})
	}
	gone(name, func(other string) bool { return other == id })
	if name == "posts" {
		for _, child := range []string{"comments", "notes"} {
			gone(child, func(other string) bool {
				return strings.Contains(m.texts[child][other], `"postId":`+id+`,`)
			})
		}
	}
}

func (m *model) patch(t *testing.T, s till, chance *rand.Rand, name string) {
	id := m.any(chance, name)
	text, err := s.patch(owner, name, id, object(t, fmt.Sprintf(`{"postId":%d}`, 1+chance.IntN(20))))
	if m.texts[name][id] == "" {
		if !errors.Is(err, rows.ErrNoRow) {
			t.Errorf("changing %s %s: %v", name, id, err)
		}
		return
	}
	must(t, err)
	m.texts[name][id] = text
}

// refuse makes changes that come to nothing.
func (m *model) refuse(t *testing.T, s till, chance *rand.Rand, name string) {
	id := m.any(chance, name)
	no := errors.New("no")
	if err := s.Update(func(tx *db.Tx) error {
		s.Create(tx, owner, name, object(t, `{}`))
		s.Delete(tx, owner, name, id, nil)
		s.Create(tx, owner, name, object(t, `{}`))
		return no
	}); err != no {
		t.Error(err)
	}
}

// check compares the lists, and what a filter and a sort find.
func (m *model) check(t *testing.T, s till, chance *rand.Rand) {
	t.Helper()
	tag := fmt.Sprint(chance.IntN(5))
	s.View(func(tx *db.Tx) {
		for _, name := range modelNames {
			var all, tagged []string
			for _, id := range m.ids[name] {
				text := m.texts[name][id]
				all = append(all, text)
				if strings.Contains(text, `"tag":"`+tag+`"`) {
					tagged = append(tagged, text)
				}
			}
			from, err := s.Source(tx, owner, name)
			must(t, err)
			same(t, name, from.Rows, all)
			q, err := rows.ParseQuery("tag="+tag, false, from.Known)
			must(t, err)
			found, err := q.Select(from)
			must(t, err)
			same(t, name+" with the tag "+tag, found.Rows, tagged)
			from.Where, from.Ordered = nil, nil
			sort, err := rows.ParseQuery("_sort=postId&_order=desc", false, func(string) bool { return true })
			must(t, err)
			plain, err := sort.Select(from)
			must(t, err)
			from, _ = s.Source(tx, owner, name)
			indexed, err := sort.Select(from)
			must(t, err)
			if !slices.Equal(plain.Rows, indexed.Rows) {
				t.Errorf("%s: an index changes the order", name)
			}
		}
	})
}

func same(t *testing.T, what string, found []*rows.Row, want []string) {
	t.Helper()
	var texts []string
	for _, r := range found {
		texts = append(texts, r.Text)
	}
	if !slices.Equal(texts, want) {
		t.Errorf("%s: %s; want %s", what, texts, want)
	}
}

// Readers, who make indexes, and writers at the same time, for the race detector. What
// goes over the rows runs outside of the View.
func TestReadersBesideWriters(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "comments")
	add := func(tx *db.Tx) error {
		for i := range 300 {
			if _, err := s.Create(tx, owner, "comments", object(t, fmt.Sprintf(`{"postId":%d}`, i%10))); err != nil {
				return err
			}
		}
		return nil
	}
	must(t, s.Update(add))
	done := make(chan bool)
	for range 3 {
		go func() {
			defer func() { done <- true }()
			for range 100 {
				var from rows.Source
				var err error
				s.View(func(tx *db.Tx) { from, err = s.Source(tx, owner, "comments") })
				if err != nil {
					t.Error(err)
					return
				}
				q, err := rows.ParseQuery("postId=3&_sort=id", false, from.Known)
				if err != nil {
					t.Error(err)
					return
				}
				var among rows.Candidates
				s.View(func(*db.Tx) { among = q.Narrow(from) })
				found, err := q.Choose(among)
				if err != nil || len(found.Rows) == 0 {
					t.Errorf("%d rows, %v", len(found.Rows), err)
				}
				kept := append(from.Rows, found.Rows...)
				for _, r := range kept {
					if r.In == 0 {
						t.Error("a row that has gone")
					}
				}
			}
		}()
	}
	for i := range 100 {
		must(t, s.delete(owner, "comments", fmt.Sprint(i+1)))
		_, err := s.patch(owner, "comments", fmt.Sprint(i+150), object(t, `{"postId":3}`))
		must(t, err)
	}
	for range 3 {
		<-done
	}
}

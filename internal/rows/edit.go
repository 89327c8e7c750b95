package rows

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
)

// An Edit is what makes an image what a file says that a person has edited. Rows keep
// their place. New rows come last, in the order of the file.
type Edit struct {
	Added, Changed, Removed int // rows, single resources among them
	// Lost names the collections that are gone, and those of more than 20 rows that
	// lost more than half of them. That may be a mistake.
	Lost []string

	steps []func(s *Store, tx *db.Tx) error
}

// Any reports whether the edit changes anything.
func (e *Edit) Any() bool { return len(e.steps) > 0 }

// manyRows is how many rows a collection may lose half of at once.
const manyRows = 20

// Edit compares the image with a file. It needs no transaction. Accounts are left out:
// they are the caller's. Rows of the file that have got a number as their id get one
// that was never given out. Edit fails for a file that makes a list of what was none, or
// the other way round.
func (image Image) Edit(f *File) (*Edit, error) {
	e := &Edit{}
	known := map[string]imageMember{}
	for _, m := range image.members {
		known[m.Name] = m
	}
	for i := range f.members {
		m := &f.members[i]
		was, there := known[m.Name]
		delete(known, m.Name)
		switch {
		case !there:
			e.Added += len(m.texts)
			e.step(func(s *Store, tx *db.Tx) error { return s.addMember(tx, m) })
		case was.Single != m.Single || was.Accounts != m.Accounts || (was.Kept == nil) != (m.Kept == nil):
			return nil, fmt.Errorf("%q was %s and is %s now: give it another name", m.Name, was.kind(), m.kind())
		case was.Kept != nil && string(was.Kept) != string(m.Kept):
			e.keep(was.collection, m)
		case was.routed():
			m.renumber(was.highest)
			e.rows(was, m)
		}
	}
	for _, was := range image.members {
		if _, left := known[was.Name]; left && !was.Accounts {
			e.Lost = append(e.Lost, was.Name)
			e.Removed += len(was.rows)
			e.step(func(s *Store, tx *db.Tx) error {
				s.collections.Delete(tx, was.ID) // and its rows
				return nil
			})
		}
	}
	return e, nil
}

func (e *Edit) step(f func(s *Store, tx *db.Tx) error) { e.steps = append(e.steps, f) }

// kind is what a member of the file is, in words.
func (c *collection) kind() string {
	switch {
	case c.Accounts:
		return "the accounts"
	case c.Kept != nil:
		return "a member without a route"
	case c.Single:
		return "a single resource"
	}
	return "a list"
}

func (e *Edit) keep(c *collection, m *fileMember) {
	e.Changed++
	e.step(func(s *Store, tx *db.Tx) error {
		changed := *c
		changed.Kept = m.Kept
		s.collections.Put(tx, &changed)
		return nil
	})
}

// renumber gives the rows that have got a number as their id numbers above highest.
func (m *fileMember) renumber(highest int) {
	if len(m.made) == 0 {
		return
	}
	taken := byID(m.texts, "", nil)
	for _, i := range m.made {
		id := idOf(m.texts[i])
		if n, _ := strconv.Atoi(id); n > highest {
			continue
		}
		for highest++; highest < maxNumber && taken[strconv.Itoa(highest)] != ""; highest++ {
		}
		o := Members(m.texts[i])
		o.Set("id", strconv.Itoa(highest))
		m.texts[i] = o.Text()
		m.top = max(m.top, highest)
	}
}

// rows makes the rows of a collection those of a member of the file.
func (e *Edit) rows(was imageMember, m *fileMember) {
	old, texts := was.rows, m.texts
	for len(old) > 0 && len(texts) > 0 && old[0].Text == texts[0] {
		old, texts = old[1:], texts[1:]
	}
	for len(old) > 0 && len(texts) > 0 && old[len(old)-1].Text == texts[len(texts)-1] {
		old, texts = old[:len(old)-1], texts[:len(texts)-1]
	}
	before := make(map[string]*Row, len(old)) // what the file has not named so far
	for _, row := range old {
		before[row.ID] = row
	}
	var changed []*Row
	var added []string
	for _, text := range texts {
		row := newRow(0, was.ID, text)
		if was.Single && len(was.rows) > 0 {
			row.ID = was.rows[0].ID
		}
		old, ok := before[row.ID]
		delete(before, row.ID)
		switch {
		case !ok:
			added = append(added, text)
		case !SameMembers(old.Text, text):
			changed = append(changed, newRow(old.Seat, was.ID, text))
		}
	}
	e.Added, e.Changed, e.Removed = e.Added+len(added), e.Changed+len(changed), e.Removed+len(before)
	if len(was.rows) > manyRows && 2*len(before) > len(was.rows) {
		e.Lost = append(e.Lost, was.Name)
	}
	if len(changed)+len(added)+len(before) == 0 {
		return
	}
	e.step(func(s *Store, tx *db.Tx) error {
		c, ok := s.collections.Get(tx, was.ID)
		if !ok {
			return ErrNoCollection
		}
		for _, row := range changed {
			s.rows.Put(tx, row)
		}
		for _, row := range before {
			s.remove(tx, c, row)
		}
		for _, text := range added {
			s.rows.Put(tx, newRow(s.rows.NewID(tx), c.ID, text))
		}
		return nil
	})
}

// SameMembers reports whether two rows' texts are the same but for the order of members.
func SameMembers(a, b string) bool {
	if a == b {
		return true
	}
	if len(a) != len(b) {
		return false
	}
	byName := func(a, b member) int { return strings.Compare(a.name, b.name) }
	x, y := Members(a), Members(b)
	slices.SortFunc(x.members, byName)
	slices.SortFunc(y.members, byName)
	return slices.Equal(x.members, y.members)
}

// Apply makes the changes of an edit. Since the image was made, nothing may have changed.
func (s *Store) Apply(tx *db.Tx, e *Edit) error {
	for _, step := range e.steps {
		if err := step(s, tx); err != nil {
			return err
		}
	}
	return nil
}

// HasPending reports whether changes of collections or rows are pending.
func (s *Store) HasPending(tx *db.Tx) bool {
	return s.rows.HasPending(tx) || s.collections.HasPending(tx)
}

// Changes counts the committed changes to collections and rows since the start.
func (s *Store) Changes(tx *db.Tx) int { return s.collections.Changes(tx) + s.rows.Changes(tx) }

// HasAccounts reports whether the file has a member for the accounts.
func (f *File) HasAccounts() bool {
	return slices.ContainsFunc(f.members, func(m fileMember) bool { return m.Accounts })
}

// State returns a hash of the image, in hex. Two images have the same if a file that
// shows one shows the other.
func (image Image) State(users []string) string {
	sum := sha256.New()
	w := bufio.NewWriterSize(sum, 64<<10)
	image.write(w, users)
	w.Flush() // a hash takes everything
	return hex.EncodeToString(sum.Sum(nil))
}

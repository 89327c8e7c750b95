package rows

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"example.com/shelf/internal/db"
)

// An Edit tells what a person's version of a file has changed.
type Edit struct {
	Added, Changed, Removed int // rows, single resources among them
	// Lost names the collections that are gone, and those of more than 20 rows that
	// lost more than half of them. That may be a mistake.
	Lost []string
}

// Any reports whether the edit changed anything.
func (e Edit) Any() bool { return e.Added+e.Changed+e.Removed+len(e.Lost) > 0 }

// manyRows is how many rows a collection may lose half of at once.
const manyRows = 20

// Pending reports whether a change of a collection or of a row is pending.
func (s *Store) Pending(tx *db.Tx) bool {
	for range s.rows.Pending(tx) {
		return true
	}
	for range s.collections.Pending(tx) {
		return true
	}
	return false
}

// TakeFile makes the collections what a file says that a person has edited. Rows keep
// their place. New rows come last, in the order of the file. Accounts are the caller's
// to change. TakeFile fails for a file that makes a list of what was none, or the other
// way round.
func (s *Store) TakeFile(tx *db.Tx, f *File) (e Edit, err error) {
	named := map[string]bool{}
	for i := range f.members {
		m := &f.members[i]
		named[m.Name] = true
		c, there := s.byName.Find(tx, m.Name)
		if !there {
			added := m.collection
			if c, err = s.add(tx, &added); err != nil {
				return e, fmt.Errorf("%s: %w", m.Name, err)
			}
			if !m.routed() {
				continue
			}
		}
		switch {
		case c.Single != m.Single || c.Accounts != m.Accounts || (c.Kept == nil) != (m.Kept == nil):
			return e, fmt.Errorf("%q was %s and is %s now: give it another name", m.Name, c.kind(), m.kind())
		case c.Kept != nil && string(c.Kept) != string(m.Kept):
			changed := *c
			changed.Kept = m.Kept
			s.collections.Put(tx, &changed)
			e.Changed++
		case c.routed():
			s.takeRows(tx, c, m, &e)
		}
	}
	for _, c := range s.collections.All(tx) {
		if !named[c.Name] && !c.Accounts {
			s.collections.Delete(tx, c.ID) // and its rows
			e.Lost = append(e.Lost, c.Name)
		}
	}
	return e, nil
}

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

// takeRows makes the rows of a collection those of a member of the file.
func (s *Store) takeRows(tx *db.Tx, c *collection, m *fileMember, e *Edit) {
	before := map[int]*Row{} // by seat: the rows that the file has not named so far
	for _, row := range s.rowsIn.Rows(tx, c.ID) {
		before[row.Seat] = row
	}
	had, lost := len(before), 0
	var added []*Row
	for _, text := range m.texts {
		row := newRow(0, c.ID, text)
		old, ok := s.byID.Find(tx, rowKey{c.ID, row.ID})
		if c.Single {
			old, ok = onlyRow(before)
		}
		switch {
		case !ok:
			added = append(added, row)
		case !sameMembers(old.Text, text):
			row.Seat = old.Seat
			s.rows.Put(tx, row)
			e.Changed++
			delete(before, old.Seat)
		default:
			delete(before, old.Seat)
		}
	}
	for _, row := range before {
		s.remove(tx, c, row)
		lost++
	}
	for _, row := range added {
		row.Seat = s.rows.NewID(tx)
		s.rows.Put(tx, row)
	}
	e.Added += len(added)
	e.Removed += lost
	if had > manyRows && 2*lost > had {
		e.Lost = append(e.Lost, c.Name)
	}
	s.given[c.ID] = max(s.given[c.ID], m.top)
}

// sameMembers reports whether two rows are the same but for the order of members.
func sameMembers(a, b string) bool {
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

func onlyRow(rows map[int]*Row) (*Row, bool) {
	for _, row := range rows {
		return row, true
	}
	return nil, false
}

// Changes counts the committed changes to collections and rows since the start.
func (s *Store) Changes(tx *db.Tx) int { return s.collections.Changes(tx) + s.rows.Changes(tx) }

// State returns a hash of the image, in hex. Two images have the same if a file that
// shows one shows the other.
func (image Image) State(users []string) string {
	sum := sha256.Sum256(image.JSON(users))
	return hex.EncodeToString(sum[:])
}

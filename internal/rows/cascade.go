package rows

import (
	"fmt"
	"slices"

	"example.com/shelf/internal/db"
)

// maxChildren is how many rows may go with the row that they name.
const maxChildren = 10_000

// Delete deletes a row, and in the same batch the rows of other collections that name
// it by its key, whoever owns them. Rows that name those stay. So do rows of which the
// key is the owner, an account. Delete returns how
// many rows have gone with it. It fails with ErrNoCollection, ErrNoRow, a *Denied, an
// *Error, or as expects does.
func (s *Store) Delete(tx *db.Tx, by Caller, name, id string, expects Expectation) (children int, err error) {
	c, r, err := s.target(tx, by, name)
	if err != nil {
		return 0, err
	}
	if c.Single {
		return 0, ErrNoRow
	}
	row, err := s.writable(tx, r, c, id, expects)
	if err != nil {
		return 0, err
	}
	var gone []*Row
	if !s.opt.KeepChildren {
		if gone, err = s.children(tx, c, id); err != nil {
			return 0, err
		}
	}
	for _, child := range gone {
		of, _ := s.collections.Get(tx, child.In)
		s.remove(tx, of, child)
	}
	s.remove(tx, c, row)
	return len(gone), nil
}

// children returns the rows of other collections whose key is id. It fails if one of
// them may not be deleted by anybody, or if they are too many.
func (s *Store) children(tx *db.Tx, of *collection, id string) (all []*Row, err error) {
	key := ForeignKey(of.Name)
	if key == OwnerField && s.isAccount != nil && s.isAccount(tx, id) {
		return nil, nil // or any account could have another's rows deleted, by a row of a collection "user"
	}
	for _, c := range s.collections.All(tx) {
		if c.ID == of.ID || c.Single || !c.routed() {
			continue
		}
		found := s.naming(tx, c, key, id)
		if len(found) == 0 {
			continue
		}
		if guard := s.Access(c.Name, 0); guard.ReadOnly() {
			return nil, &Error{Conflict, fmt.Sprintf("rows of %q name this row, and their guard %s lets nobody delete them: set another guard, or start with -cascade=false", c.Name, guard)}
		}
		if all = append(all, found...); len(all) > maxChildren {
			return nil, &Error{Conflict, fmt.Sprintf("more than %d rows name this row: delete them first, or start with -cascade=false", maxChildren)}
		}
	}
	return all, nil
}

// naming returns the rows of a collection, the pending ones included, whose key is id.
func (s *Store) naming(tx *db.Tx, c *collection, field, id string) (found []*Row) {
	key := Path{whole: escaped(field)} // a member, dots in its name included
	names := func(r *Row) bool {
		raw, ok := key.In(r.Text)
		return ok && KeyText(raw) == id
	}
	if l := s.lists[c.ID]; l != nil {
		committed, ok := l.where(field, []string{id})
		if !ok {
			committed = l.all()
		}
		for _, r := range committed {
			if !names(r) {
				continue
			}
			if now, ok := s.rows.Get(tx, r.Seat); ok && (now == r || names(now)) {
				found = append(found, now)
			}
		}
	}
	seats := map[int]bool{}
	for _, r := range found {
		seats[r.Seat] = true
	}
	for seat, r := range s.rows.Pending(tx) {
		if r.In == c.ID && names(r) && !seats[seat] {
			found = append(found, r)
		}
	}
	sortBySeat(found)
	return found
}

// remove deletes a row, and notes its number if none was higher.
func (s *Store) remove(tx *db.Tx, c *collection, row *Row) {
	n := row.number()
	if l := s.lists[c.ID]; n > c.Last && (l == nil || n >= l.top) {
		s.setLast(tx, c, n)
	}
	s.rows.Delete(tx, row.Seat)
}

func sortBySeat(rows []*Row) {
	slices.SortFunc(rows, func(a, b *Row) int { return a.Seat - b.Seat })
}

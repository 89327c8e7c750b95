package rows

import "example.com/shelf/internal/db"

// Source returns a collection as the caller may read it, for [Query.Narrow] and
// [Query.Relate]. It reads what is committed. Rows, May and Known are good after the
// View too, the other functions only within a View. It fails with ErrNoCollection or a
// *Denied.
func (s *Store) Source(tx *db.Tx, by Caller, name string) (Source, error) {
	c, err := s.find(tx, name)
	if err != nil {
		return Source{}, err
	}
	readable, err := s.readable(tx, by, c)
	if err != nil {
		return Source{}, err
	}
	r := s.rule(by, name)
	from := Source{
		Rows: readable,
		ByID: func(id string) *Row {
			if row, ok := s.byID.Find(tx, rowKey{c.ID, id}); ok && r.mayRead(row.Owner()) {
				return row
			}
			return nil
		},
	}
	if l := s.lists[c.ID]; l != nil && (!r.Private() || by.Admin) {
		from.Where, from.Ordered = l.where, l.ordered
	}
	return from, nil
}

package rows

import (
	"example.com/shelf/internal/db"
)

// A Collection is what a Store tells of a collection. Whether the caller may read its
// rows is another matter: see [Store.Rows].
type Collection struct {
	Name    string
	Single  bool // one row without a list
	Version int  // number of changes of its rows since the start
}

// Collection returns the collection called name. A member of the file that has no
// route is none.
func (s *Store) Collection(tx *db.Tx, name string) (c Collection, ok bool) {
	found, err := s.find(tx, name)
	if err != nil {
		return c, false
	}
	return s.describe(found), true
}

func (s *Store) describe(c *collection) Collection {
	found := Collection{Name: c.Name, Single: c.Single}
	if l := s.lists[c.ID]; l != nil {
		found.Version = l.version
	}
	return found
}

// Collections returns all collections, in the order of the file.
func (s *Store) Collections(tx *db.Tx) []Collection {
	var found []Collection
	for _, c := range s.collections.All(tx) {
		if c.routed() {
			found = append(found, s.describe(c))
		}
	}
	return found
}

// Version returns the number of changes of all collections since the start.
func (s *Store) Version(tx *db.Tx) int { return s.rows.Changes(tx) + s.collections.Changes(tx) }

// find returns the collection called name, or ErrNoCollection.
func (s *Store) find(tx *db.Tx, name string) (*collection, error) {
	c, ok := s.byName.Find(tx, name)
	if !ok || !c.routed() {
		return nil, ErrNoCollection
	}
	return c, nil
}

// target returns the collection called name, and the rule for a caller who wants to
// write to it. It fails for a caller who may write to none of its rows.
func (s *Store) target(tx *db.Tx, by Caller, name string) (*collection, rule, error) {
	c, err := s.find(tx, name)
	if err != nil {
		return nil, rule{}, err
	}
	r := s.rule(by, name)
	return c, r, r.writeAny()
}

func (s *Store) rule(by Caller, name string) rule {
	guard, set := s.opt.Guards.Of(name, by.Tighten)
	return rule{guard, set, by}
}

// Access returns the guard of a collection for callers who come by an address that
// names the guard tighten, 0 for none.
func (s *Store) Access(name string, tighten Guard) Guard {
	guard, _ := s.opt.Guards.Of(name, tighten)
	return guard
}

// row returns the row of that id. The row of a single resource has the id "" here.
func (s *Store) row(tx *db.Tx, c *collection, id string) (*Row, error) {
	if c.Single != (id == "") {
		return nil, ErrNoRow
	}
	if c.Single {
		if rows := s.rowsIn.Rows(tx, c.ID); len(rows) > 0 {
			return rows[0], nil
		}
		return nil, ErrNoRow
	}
	if r, ok := s.byID.Find(tx, rowKey{c.ID, id}); ok {
		return r, nil
	}
	return nil, ErrNoRow
}

// Rows returns the rows of a collection that the caller may read, in their order. The
// slice is shared: it must not be changed. It may be kept after the View. Rows reads
// what is committed, and not what is pending. It fails with
// ErrNoCollection or a *Denied.
func (s *Store) Rows(tx *db.Tx, by Caller, name string) ([]*Row, error) {
	c, err := s.find(tx, name)
	if err != nil {
		return nil, err
	}
	return s.readable(tx, by, c)
}

func (s *Store) readable(tx *db.Tx, by Caller, c *collection) ([]*Row, error) {
	r := s.rule(by, c.Name)
	l := s.lists[c.ID]
	switch err := r.readAny(); {
	case err != nil:
		return nil, err
	case l == nil:
		return nil, nil
	case !r.Private() || by.Admin:
		return l.all(), nil
	}
	return s.own(tx, by, c), nil
}

// own returns the committed rows of a collection that the caller owns. It costs as
// much as the caller owns in all collections.
func (s *Store) own(tx *db.Tx, by Caller, c *collection) []*Row {
	var sets []*Row
	for _, id := range by.ownIDs() {
		for seat := range s.byOwner.IDs(tx, id).In(db.Range{}) {
			if row, ok := s.rows.Get(tx, seat); ok && row.In == c.ID {
				sets = append(sets, row)
			}
		}
	}
	sortBySeat(sets)
	return sets
}

// Get returns one row. id is "" for a single resource. Get fails with
// ErrNoCollection, ErrNoRow or a *Denied.
func (s *Store) Get(tx *db.Tx, by Caller, name, id string) (*Row, error) {
	c, err := s.find(tx, name)
	if err != nil {
		return nil, err
	}
	r := s.rule(by, name)
	if err := r.readAny(); err != nil {
		return nil, err
	}
	row, err := s.row(tx, c, id)
	if err != nil {
		return nil, err
	}
	if !r.mayRead(row.Owner()) {
		return nil, errAccess
	}
	return row, nil
}

// A Part is one member of the whole: a collection with the rows that the caller may
// read, or a member without a route, whose value is Raw.
type Part struct {
	Collection
	Rows []*Row
	Raw  string
}

// Whole returns all collections in the order of the file, and $schema, as the caller
// may read them. A collection is left out if the caller may read none of it. Whole
// is for admins, and for anyone if all is open: else it fails with a *Denied.
func (s *Store) Whole(tx *db.Tx, by Caller) ([]Part, error) {
	switch {
	case by.Admin || s.opt.Guards.Open:
	case !by.SignedIn:
		return nil, errSignIn
	default:
		return nil, errAccess
	}
	var parts []Part
	for _, c := range s.collections.All(tx) {
		switch {
		case c.Name == schemaName && c.Kept != nil:
			parts = append(parts, Part{Collection: Collection{Name: c.Name}, Raw: string(c.Kept)})
		case c.routed():
			rows, err := s.readable(tx, by, c)
			if err != nil {
				continue
			}
			parts = append(parts, Part{Collection: s.describe(c), Rows: rows})
		}
	}
	return parts, nil
}

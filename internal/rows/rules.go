package rows

import (
	"fmt"
	"slices"
	"strconv"

	"example.com/shelf/internal/db"
)

// An Expectation judges a row's tag before the row is changed, as If-Match asks for.
// nil expects nothing.
type Expectation func(tag string) error

func (e Expectation) check(r *Row) error {
	if e == nil {
		return nil
	}
	return e(r.Tag())
}

// Make adds an empty collection. Whether the caller may do that is not judged here.
// Make fails with ErrTaken or an *Error.
func (s *Store) Make(tx *db.Tx, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	_, err := s.add(tx, &collection{Name: name})
	return err
}

// add adds a member.
func (s *Store) add(tx *db.Tx, c *collection) (*collection, error) {
	if _, taken := s.byName.Find(tx, c.Name); taken {
		return nil, ErrTaken
	}
	if s.collections.AtMost(tx) >= s.opt.MaxCollections {
		return nil, &Error{Conflict, fmt.Sprintf("there are %d collections already, and no more can be made", s.opt.MaxCollections)}
	}
	c.ID = s.collections.NewID(tx)
	s.collections.Put(tx, c)
	return c, nil
}

// Create adds a row to a collection. The row gets an id if it has none, and under a
// guard that lets only owners write, its owner. A single resource is replaced. Create
// fails with ErrNoCollection, ErrTaken, a *Denied or an *Error.
func (s *Store) Create(tx *db.Tx, by Caller, name string, o Object) (*Row, error) {
	c, r, err := s.target(tx, by, name)
	if err != nil {
		return nil, err
	}
	if c.Single {
		return s.replace(tx, r, c, "", o, nil)
	}
	return s.create(tx, r, c, o)
}

// CreateIn adds a row to the collection name, as a child of the row of that id in the
// collection parent, which the caller must be able to read. The child gets the
// parent's id as its key. CreateIn fails as Create does, and with ErrNoRow.
func (s *Store) CreateIn(tx *db.Tx, by Caller, parent, id, name string, o Object) (*Row, error) {
	c, r, err := s.target(tx, by, name)
	if err != nil {
		return nil, err
	}
	of, err := s.Get(tx, by, parent, id)
	if err != nil {
		return nil, err
	}
	if c.Single || id == "" {
		return nil, ErrNoRow
	}
	key, _ := memberOf(of.Text, "id")
	o = o.clone()
	o.Set(ForeignKey(parent), key)
	return s.create(tx, r, c, o)
}

func (s *Store) create(tx *db.Tx, r rule, c *collection, o Object) (*Row, error) {
	o = o.clone()
	if err := r.giveOwner(&o); err != nil {
		return nil, err
	}
	raw, _ := o.Get("id")
	var err error
	if lacksID(raw) {
		o.Delete("id")
		raw, err = s.newID(tx, c)
	} else if err = checkSentID(raw, s.highest(c)); err == nil {
		if _, taken := s.byID.Find(tx, rowKey{c.ID, KeyText(raw)}); taken {
			err = ErrTaken
		}
	}
	if err != nil {
		return nil, err
	}
	o.Set("id", raw)
	row, err := s.put(tx, c, s.rows.NewID(tx), o)
	if err == nil {
		s.given[c.ID] = max(s.given[c.ID], numberOf(raw))
	}
	return row, err
}

// put makes a row of o the row of that seat.
func (s *Store) put(tx *db.Tx, c *collection, seat int, o Object) (*Row, error) {
	if err := o.Fits(); err != nil {
		return nil, err
	}
	row := newRow(seat, c.ID, o.Text())
	s.rows.Put(tx, row)
	return row, nil
}

// giveOwner makes the caller the owner of a new row, if only its owner will be able
// to write it. It fails if the row names another account.
func (r rule) giveOwner(o *Object) error {
	if !r.owned() {
		return nil
	}
	raw, _ := o.Get(OwnerField)
	owner, mine := KeyText(raw), r.by.userID()
	switch k := kindOf(raw); {
	case r.by.Admin && owner != "", r.by.owns(owner):
		return nil
	case owner != "", k == kindArray, k == kindObject, mine == "" && !r.by.Admin:
		return errCreation
	case mine != "":
		o.Set(OwnerField, mine)
	}
	return nil
}

// Replace replaces a row by o. The row keeps its id, its place in the list and, under
// a guard that lets only owners write, its owner. id is "" for a single resource.
// Replace fails with ErrNoCollection, ErrNoRow, a *Denied, an *Error, or as expects
// does.
func (s *Store) Replace(tx *db.Tx, by Caller, name, id string, o Object, expects Expectation) (*Row, error) {
	c, r, err := s.target(tx, by, name)
	if err != nil {
		return nil, err
	}
	return s.replace(tx, r, c, id, o, expects)
}

func (s *Store) replace(tx *db.Tx, r rule, c *collection, id string, o Object, expects Expectation) (*Row, error) {
	old, err := s.writable(tx, r, c, id, expects)
	if err != nil {
		return nil, err
	}
	o = o.clone()
	if raw, _ := o.Get(OwnerField); r.owned() && KeyText(raw) == "" && (raw != "null" || !r.by.Admin) {
		if stored, ok := memberOf(old.Text, OwnerField); ok {
			o.Set(OwnerField, stored)
		}
	}
	return s.change(tx, r, c, old, o)
}

// Patch sets members of a row to those of patch. It keeps what Replace keeps, and
// fails as Replace does.
func (s *Store) Patch(tx *db.Tx, by Caller, name, id string, patch Object, expects Expectation) (*Row, error) {
	c, r, err := s.target(tx, by, name)
	if err != nil {
		return nil, err
	}
	old, err := s.writable(tx, r, c, id, expects)
	if err != nil {
		return nil, err
	}
	o := Members(old.Text)
	o.Merge(patch)
	return s.change(tx, r, c, old, o)
}

// writable returns the row of that id if the caller may change it.
func (s *Store) writable(tx *db.Tx, r rule, c *collection, id string, expects Expectation) (*Row, error) {
	row, err := s.row(tx, c, id)
	if err != nil {
		return nil, err
	}
	if err := r.write(row.Owner()); err != nil {
		return nil, err
	}
	return row, expects.check(row)
}

// change puts o in the place of old. It fails if that changes the owner and the
// caller may not.
func (s *Store) change(tx *db.Tx, r rule, c *collection, old *Row, o Object) (*Row, error) {
	if r.owned() {
		raw, _ := o.Get(OwnerField)
		before, after := old.Owner(), KeyText(raw)
		switch {
		case before == after || r.by.Admin:
		case r.by.owns(before) && r.by.owns(after): // another id of the same account
			stored, _ := memberOf(old.Text, OwnerField)
			o.Set(OwnerField, stored)
		default:
			return nil, errReplaced
		}
	}
	if !c.Single {
		raw, _ := memberOf(old.Text, "id")
		o.Set("id", raw)
	}
	if o.Text() == old.Text {
		return old, nil
	}
	return s.put(tx, c, old.Seat, o)
}

// clone returns a copy that shares no member.
func (o *Object) clone() Object { return Object{slices.Clone(o.members)} }

// Owned returns how many rows the caller owns in all collections. It counts pending
// rows too.
func (s *Store) Owned(tx *db.Tx, by Caller) (n int) {
	for _, id := range by.ownIDs() {
		n += s.byOwner.Count(tx, id)
	}
	return n
}

// Len returns a number that is not below the number of rows of all collections.
func (s *Store) Len(tx *db.Tx) int { return s.rows.AtMost(tx) }

// Disown takes userId from all rows that name one of the ids, whatever their guards
// are: the account of these ids is being deleted. It returns how many rows those are.
func (s *Store) Disown(tx *db.Tx, ids ...string) int {
	n := 0
	for _, id := range ids {
		if id == "" {
			continue
		}
		for _, row := range s.byOwner.Rows(tx, id) {
			o := Members(row.Text)
			o.Delete(OwnerField)
			s.rows.Put(tx, newRow(row.Seat, row.In, o.Text()))
			n++
		}
	}
	return n
}

// Tidy notes the highest numbers that have been given out, where no row and no
// collection tells of them any more. It is for the time before a compaction: then
// the lines go that did.
func (s *Store) Tidy(tx *db.Tx) {
	for _, c := range s.collections.All(tx) {
		l := s.lists[c.ID]
		if l == nil || l.top <= c.Last {
			continue
		}
		if _, alive := s.byID.Find(tx, rowKey{c.ID, strconv.Itoa(l.top)}); !alive {
			s.setLast(tx, c, l.top)
		}
	}
}

// setLast notes the highest number that a deleted row had.
func (s *Store) setLast(tx *db.Tx, c *collection, last int) {
	changed := *c
	changed.Last = last
	s.collections.Put(tx, &changed)
}

package rows

import (
	"strings"
	"unicode"

	"example.com/shelf/internal/db"
)

// A Told is what an event is about: it tells who may read it.
type Told struct{ Collection, Owner string }

// tell makes the event of a change to a row: posts.created with the row,
// posts.deleted with its id.
func (s *Store) tell(tx *db.Tx, what db.Change, r *Row) db.Event {
	c, ok := s.collections.Get(tx, r.In)
	if !ok || !c.routed() || strings.ContainsFunc(c.Name, unicode.IsControl) { // a line break would end the event's name
		return db.Event{}
	}
	e := db.Event{Name: c.Name + ".changed", Data: r.Text, About: Told{c.Name, r.Owner()}}
	switch what {
	case db.Created:
		e.Name = c.Name + ".created"
	case db.Deleted:
		e.Name, e.Data = c.Name+".deleted", "{}"
		if raw, ok := memberOf(r.Text, "id"); ok {
			e.Data = `{"id":` + raw + "}"
		}
	}
	return e
}

// MayHear reports whether the caller may read what an event is about.
func (s *Store) MayHear(by Caller, about Told) bool {
	r := s.rule(by, about.Collection)
	return r.readAny() == nil && r.mayRead(about.Owner)
}

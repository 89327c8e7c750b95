package db

import (
	"fmt"
	"time"
)

func (t *Table[R]) decode(text []byte, strict bool) (row any, id int, err error) {
	r, err := t.schema.Decode(text, strict)
	if err != nil {
		return nil, 0, err
	}
	if err := t.readable(r); err != nil {
		return nil, 0, err
	}
	return r, t.schema.ID(r), nil
}

// readable returns an error if row has a time that could be written but not
// read again.
func (t *Table[R]) readable(row any) error {
	for _, at := range t.schema.Times(row.(R)) {
		if year := at.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("%s is in the year %d in UTC; the years go from 0 to 9999", at.Format(time.RFC3339), year)
		}
	}
	return nil
}

func (t *Table[R]) appendRow(b []byte, row any) []byte { return t.schema.Append(b, row.(R)) }

// check checks a row from a log line or an import.
func (t *Table[R]) check(tx *Tx, id int, row any) error {
	r := row.(R)
	for _, x := range t.indexes {
		if err := x.check(id, r); err != nil {
			return err
		}
	}
	for _, check := range t.refChecks {
		if err := check(r); err != nil {
			return err
		}
	}
	if t.schema.Check == nil {
		return nil
	}
	return t.schema.Check(tx, r)
}

func (t *Table[R]) valid(row any) error {
	if t.schema.Valid == nil {
		return nil
	}
	return t.schema.Valid(row.(R))
}

func (t *Table[R]) eventName(tx *Tx, what Change, id int) string {
	if t.schema.Event == nil {
		return ""
	}
	return t.schema.Event(tx, what, id)
}

func (t *Table[R]) show(id int) (text string, ok bool) {
	row, ok := t.rows.get(id)
	if !ok || t.schema.Show == nil {
		return "", false
	}
	return t.schema.Show(row), true
}

func (t *Table[R]) tell(tx *Tx, what Change, id int, row any) (e Event, tells bool) {
	if t.schema.Tell == nil {
		return e, false
	}
	r, ok := row.(R)
	if !ok {
		r, ok = t.rows.get(id)
	}
	if ok {
		e = t.schema.Tell(tx, what, r)
	}
	return e, true
}

// freeze returns the committed rows and the last id.
func (t *Table[R]) freeze() image {
	last := t.lastID
	if t.db.numbered { // the same in all replicas
		last = t.keptID
	}
	return &tableImage[R]{t.schema, t.rows.freeze(), last, t.used()}
}

// empty removes all rows, as if the table were new. Tables are emptied one after the
// other, so empty follows no references.
func (t *Table[R]) empty() {
	var none R
	for _, row := range t.rows.all() {
		for _, f := range t.follows {
			f(row, true, none, false)
		}
	}
	t.rows, t.lastID, t.keptID, t.changes, t.held = sorted[R]{}, 0, 0, 0, false
	clear(t.pending)
	for _, x := range t.indexes {
		x.empty()
	}
}

func (t *Table[R]) about(text []byte) (any, error) {
	if t.schema.About == nil {
		return nil, fmt.Errorf("events about a %s have nothing to tell", t.schema.Name)
	}
	return t.schema.About(text)
}

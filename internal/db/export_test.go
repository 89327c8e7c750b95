package db

import (
	"fmt"

	"example.com/shelf/internal/history"
)

// ReadTwice reads a line's body by the fast path and by the slow one. It returns
// what each makes of it, and whether the fast path takes the line at all.
func (d *DB) ReadTwice(body []byte) (fast, slow string, taken bool) {
	words := func(p parsed, err error) string {
		if err == nil {
			err = d.admit(p, false)
		}
		if err != nil {
			return err.Error()
		}
		return string(p.encode())
	}
	p, err := d.parseAny(history.Record{Body: body})
	slow = words(p, err)
	if p, taken = d.parsePut(body); taken {
		fast = words(p, nil)
	}
	return fast, slow, taken
}

// ReadManual reads the body of a line that a person wrote.
func (d *DB) ReadManual(body []byte) error {
	p, err := d.parse(history.Record{Body: body, Manual: true})
	if err != nil {
		return err
	}
	if err := d.admit(p, true); err != nil {
		return err
	}
	if p.op == opPut && p.row == nil {
		return fmt.Errorf("admitted without a row: %s", body)
	}
	d.applyLocked(p.change)
	return nil
}

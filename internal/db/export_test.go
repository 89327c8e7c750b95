package db

import (
	"fmt"

	"example.com/shelf/internal/history"
)

// ReadTwice decodes a line's body with parsePut and with parseAny. It returns both
// results; taken is false if parsePut does not apply.
func (d *DB) ReadTwice(body []byte) (fast, slow string, taken bool) {
	words := func(p parsedLine, err error) string {
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

// ReadManual applies the body of a line that was written by hand.
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

// WriteLongFrom has batches of n changes be written as those of an import.
func (d *DB) WriteLongFrom(n int) { d.many = n }

// ReadPut reports whether parsePut decodes a line's body.
func (d *DB) ReadPut(body []byte) bool { _, ok := d.parsePut(body); return ok }

// ReadAny reports whether parseAny decodes a line's body.
func (d *DB) ReadAny(body []byte) bool {
	_, err := d.parseAny(history.Record{Body: body})
	return err == nil
}

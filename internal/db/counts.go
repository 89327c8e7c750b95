package db

import (
	"slices"
	"strings"

	"example.com/shelf/internal/term"
)

// A Count is the number of committed rows of a table, and of pending changes to
// it.
type Count struct {
	Name, Plural  string // as in Schema
	Rows, Pending int
}

// Counts returns the Count of each table, in the order of declaration. It leaves out
// tables with Schema.Since that have never had a row.
func (d *DB) Counts() Counts {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var counts Counts
	for _, t := range d.tables {
		if t.used() || t.pendingChanges() > 0 {
			counts = append(counts, Count{t.name(), t.plural(), t.len(), t.pendingChanges()})
		}
	}
	return counts
}

// Counts are the Counts of several tables.
type Counts []Count

// Rows is the sum of the rows.
func (c Counts) Rows() (n int) {
	for _, of := range c {
		n += of.Rows
	}
	return n
}

// Words lists the rows of each kind, without the kinds in but: "1 note, 2
// tags".
func (c Counts) Words(but ...string) string {
	var kinds []string
	for _, of := range c {
		if !slices.Contains(but, of.Name) {
			kinds = append(kinds, term.Count(of.Rows, of.Name))
		}
	}
	return strings.Join(kinds, ", ")
}

// Waiting is the number of callers of Update that wait until their changes, or what
// made them fail, are durable.
func (d *DB) Waiting() (n int) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.shared != nil {
		return d.shared.waitingLocked()
	}
	for _, b := range []*batch{d.next, d.flying} {
		if b != nil {
			n += b.callers
		}
	}
	return n
}

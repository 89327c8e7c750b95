package db

import "iter"

// Reserve raises the last id to id: NewID returns only higher ids from now on. It is
// a change with a log line of its own.
func (t *Table[R]) Reserve(tx *Tx, id int) {
	t.raise(id)
	tx.changes = append(tx.changes, change{op: opIDs, ids: []lastID{{t.schema.Name, id}}})
}

// Follow declares a function that is called for each committed change of a row, at
// replay too: with the row before, if there was one, and the row after, if there is
// one. So a caller can keep in memory what follows from the rows. f is called with
// the lock held, after the table has changed. f must not call the DB.
func (t *Table[R]) Follow(f func(old R, had bool, row R, has bool)) {
	t.follows = append(t.follows, f)
}

// Pending yields the pending rows with their ids, in no order. It leaves out rows
// whose deletion is pending: Get reports those as missing. In a View it yields
// nothing.
func (t *Table[R]) Pending(tx *Tx) iter.Seq2[int, R] {
	return func(yield func(int, R) bool) {
		if !tx.seesPending {
			return
		}
		for id, p := range t.pending {
			if !p.gone && !yield(id, p.row) {
				return
			}
		}
	}
}

// HasPending reports whether changes of rows are pending, those of tx included.
func (t *Table[R]) HasPending(*Tx) bool { return len(t.pending) > 0 }

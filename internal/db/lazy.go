package db

import "sync"

// A lazy is an index that is made when it is first needed, and kept up to date from
// then on. So a question that is never asked costs no memory. What the index holds is its
// maker's business.
type lazy[R any] struct {
	table *Table[R]
	maker maker[R]

	making sync.Mutex // held while the index is made; before DB.mu in the lock order

	state  lazyState    // guarded by DB.mu
	missed map[int]bool // ids of the rows that have changed while the index is being made; guarded by DB.mu
}

// A maker is what a lazy index holds. rows are the rows that the index finds by the ids
// in it.
type maker[R any] interface {
	fill(rows *sorted[R])                // begins anew, with all rows; called without a lock
	add(id int, row R, rows *sorted[R])  // adds an id that isn't in the index
	drop(id int, was R, rows *sorted[R]) // drops an id; was is the row that was added
	alike(a, b R) bool                   // reports whether the index has the same for both
}

type lazyState int

const (
	absent lazyState = iota
	inWork
	ready
)

// Make makes the index unless it is there. Reads and writes go on meanwhile: the index
// is made of a frozen copy of the table, and then follows what has changed since.
func (l *lazy[R]) Make() {
	l.making.Lock()
	defer l.making.Unlock()
	for !l.isReady() {
		rows := l.begin()
		l.maker.fill(rows)
		l.end(rows)
	}
}

func (l *lazy[R]) isReady() bool {
	l.table.db.mu.RLock()
	defer l.table.db.mu.RUnlock()
	return l.state == ready
}

func (l *lazy[R]) begin() *sorted[R] {
	l.table.db.mu.Lock()
	defer l.table.db.mu.Unlock()
	l.state, l.missed = inWork, map[int]bool{}
	return l.table.rows.freeze()
}

// end has the index follow the changes since rows was frozen. All changed rows leave
// before any comes back, as an order compares rows: the old ones among themselves, and
// then the new ones.
func (l *lazy[R]) end(rows *sorted[R]) {
	l.table.db.mu.Lock()
	defer l.table.db.mu.Unlock()
	if l.state != inWork {
		return // the table was emptied: begin again
	}
	for id := range l.missed {
		if was, had := rows.get(id); had {
			l.maker.drop(id, was, rows)
		}
	}
	for id := range l.missed {
		if row, ok := l.table.rows.get(id); ok {
			l.maker.add(id, row, &l.table.rows)
		}
	}
	l.state, l.missed = ready, nil
}

func (l *lazy[R]) put(id int, old R, had bool, row R) {
	switch {
	case l.state == inWork:
		l.missed[id] = true
	case l.state == absent, had && l.maker.alike(old, row):
	default:
		if had {
			l.maker.drop(id, old, &l.table.rows)
		}
		l.maker.add(id, row, &l.table.rows)
	}
}

func (l *lazy[R]) remove(id int, row R) {
	switch l.state {
	case inWork:
		l.missed[id] = true
	case ready:
		l.maker.drop(id, row, &l.table.rows)
	}
}

func (l *lazy[R]) empty() { l.state, l.missed = absent, nil }

func (l *lazy[R]) pend(int, R)        {}
func (l *lazy[R]) unpend(int, R)      {}
func (l *lazy[R]) dropPending()       {}
func (l *lazy[R]) check(int, R) error { return nil }

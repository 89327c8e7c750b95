package rows

import (
	"hash/maphash"
	"slices"
	"sync"
)

// Bounds of the indexes of a collection.
const (
	maxIndexes = 8    // by equality, and as many by order
	minIndexed = 256  // rows: fewer are gone over as quickly
	maxWanted  = 1000 // fields whose questions are counted
)

// The indexes of a list are made when a field is asked for the second time. They are
// made by readers, side by side with others, and so they have a lock of their own. A
// change of the list follows them, or ends them.
type indexes struct {
	mu     sync.Mutex
	equal  map[string]*equalIndex // by field
	sorted map[string][]*Row      // by field; of this version of the list
	wanted map[string]int         // how often a field was asked for in vain

	all []*Row // the rows of this version, never changed; nil if nobody has asked
}

// An equalIndex finds the rows whose field has a text. It may find more of them.
type equalIndex struct {
	path Path
	seed maphash.Seed
	rows map[uint64]*posting // by a hash of the text, so that no long text is kept twice
}

// A posting is the rows of one hash. Some of them may be out of date: a row that was
// replaced, or has gone.
type posting struct {
	rows  []*Row
	stale int
}

func (x *equalIndex) hash(raw string) (uint64, bool) {
	content, ok := Text(raw)
	return maphash.String(x.seed, content), ok
}

func (x *equalIndex) put(r *Row) {
	raw, _ := x.path.In(r.Text)
	if hash, ok := x.hash(raw); ok {
		p := x.rows[hash]
		if p == nil {
			p = &posting{}
			x.rows[hash] = p
		}
		p.rows = append(p.rows, r)
	}
}

// remove notes that a row is out of date. l has the rows that aren't.
func (x *equalIndex) remove(r *Row, l *list) {
	raw, _ := x.path.In(r.Text)
	hash, ok := x.hash(raw)
	p := x.rows[hash]
	if !ok || p == nil {
		return
	}
	if p.stale++; 2*p.stale <= len(p.rows) {
		return
	}
	// A new slice: a reader may still hold the old one.
	current := make([]*Row, 0, len(p.rows)-p.stale)
	for _, r := range p.rows {
		if l.has(r) {
			current = append(current, r)
		}
	}
	if p.rows, p.stale = current, 0; len(current) == 0 {
		delete(x.rows, hash)
	}
}

// change has the indexes follow a change of the list l, which has been made: old was
// replaced by r, or has gone if r is nil. No reader uses l meanwhile.
func (x *indexes) change(l *list, old, r *Row) {
	x.all, x.sorted = nil, nil
	for _, index := range x.equal {
		if r != nil {
			index.put(r)
		}
		if old != nil {
			index.remove(old, l)
		}
	}
}

// wants counts a question for a field, and reports whether an index pays.
func (x *indexes) wants(kind, field string) bool {
	if len(x.wanted) >= maxWanted {
		x.wanted = nil
	}
	if x.wanted == nil {
		x.wanted = map[string]int{}
	}
	x.wanted[kind+field]++
	return x.wanted[kind+field] > 1
}

// where returns the rows whose field has one of the texts, in the order of the
// list. There may be others among them. ok is false if there is no index.
func (l *list) where(field string, texts []string) (found []*Row, ok bool) {
	if l.len() < minIndexed {
		return nil, false
	}
	l.indexes.mu.Lock()
	defer l.indexes.mu.Unlock()
	index := l.indexes.equal[field]
	if index == nil {
		if len(l.indexes.equal) == maxIndexes || !l.indexes.wants("=", field) {
			return nil, false
		}
		index = &equalIndex{NewPath(field), maphash.MakeSeed(), map[uint64]*posting{}}
		for _, r := range l.rows {
			if r.In != 0 {
				index.put(r)
			}
		}
		if l.indexes.equal == nil {
			l.indexes.equal = map[string]*equalIndex{}
		}
		l.indexes.equal[field] = index
	}
	asked := map[uint64]bool{}
	for _, content := range texts {
		hash := maphash.String(index.seed, content)
		p := index.rows[hash]
		if p == nil || asked[hash] {
			continue
		}
		asked[hash] = true
		for _, r := range p.rows {
			if p.stale == 0 || l.has(r) {
				found = append(found, r)
			}
		}
	}
	sortBySeat(found)
	return found, true
}

// ordered returns the rows sorted by a field, ascending. ok is false if nobody has
// asked for that before at this version of the list.
func (l *list) ordered(field string) (sorted []*Row, ok bool) {
	if l.len() < minIndexed {
		return nil, false
	}
	l.indexes.mu.Lock()
	defer l.indexes.mu.Unlock()
	if sorted, ok = l.indexes.sorted[field]; ok {
		return sorted, true
	}
	if len(l.indexes.sorted) == maxIndexes || !l.indexes.wants("<", field) {
		return nil, false
	}
	sorted = Sort(l.allLocked(), NewOrder(field, false))
	if l.indexes.sorted == nil {
		l.indexes.sorted = map[string][]*Row{}
	}
	l.indexes.sorted[field] = sorted
	return sorted, true
}

// all returns the rows in their order. The slice is shared, and never changed.
func (l *list) all() []*Row {
	l.indexes.mu.Lock()
	defer l.indexes.mu.Unlock()
	return l.allLocked()
}

func (l *list) allLocked() []*Row {
	if l.indexes.all == nil {
		l.indexes.all = make([]*Row, 0, l.len())
		for _, r := range l.rows {
			if r.In != 0 {
				l.indexes.all = append(l.indexes.all, r)
			}
		}
	}
	return slices.Clip(l.indexes.all)
}

// has reports whether r is the row of its seat.
func (l *list) has(r *Row) bool {
	i, found := l.find(r.Seat)
	return found && l.rows[i] == r
}

package db

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// An Event is one change as those read it who follow what happens. Its number is
// that of its line in the log.
type Event struct {
	Seq  int64
	Name string // as Schema.Event names it
	Data string // the row as Schema.Show shows it; {"id":N} for one that has gone
}

// ErrEventsGone: the requested number is too old, or belongs to another log.
var ErrEventsGone = errors.New("events are no longer kept")

const (
	// EventsKept is how many events a client may miss and still resume.
	EventsKept = 4096
	// EventsAtOnce is the most events that EventsAfter returns.
	EventsAtOnce = 64
)

// A ring holds the latest events: the newest takes the place of the oldest. To add
// one costs the same however many read.
type ring struct {
	events []Event
	oldest int           // its place in events
	gone   int64         // all events with a higher number are here
	more   chan struct{} // closed when there are more, and then replaced
}

func (r *ring) add(e Event) {
	if len(r.events) < EventsKept {
		r.events = append(r.events, e)
		return
	}
	r.gone = max(r.gone, r.events[r.oldest].Seq) // more are gone once EndEvents says so
	r.events[r.oldest] = e
	r.oldest = (r.oldest + 1) % EventsKept
}

// wake tells those who wait that there may be more.
func (r *ring) wake() {
	close(r.more)
	r.more = make(chan struct{})
}

// after returns the first events with a number above seq.
func (r *ring) after(seq int64) []Event {
	n := len(r.events)
	at := func(i int) Event { return r.events[(r.oldest+i)%n] }
	first := sort.Search(n, func(i int) bool { return at(i).Seq > seq })
	events := make([]Event, 0, min(n-first, EventsAtOnce))
	for i := first; i < n && len(events) < EventsAtOnce; i++ {
		events = append(events, at(i))
	}
	return events
}

// commitLocked makes c, which has the number seq and is durable, visible: in the
// tables, and as an event if its table has events. That goes for a replayed
// change as well, so a restart keeps the events.
//
// One change is one event, so that a number never stands for two: what a change
// does to rows that refer to its row is told with it.
func (d *DB) commitLocked(seq int64, c change) {
	name := ""
	if c.table != nil {
		name = c.table.eventName(&d.reader, c.what(), c.id)
	}
	d.applyLocked(c)
	d.seq = seq
	if name == "" {
		return
	}
	data, ok := c.table.show(c.id)
	if !ok {
		data = fmt.Sprintf(`{"id":%d}`, c.id)
	}
	d.events.add(Event{seq, name, data})
}

// what is what c, not yet applied, does to its row.
func (c change) what() Change {
	switch {
	case c.op == opDelete:
		return Deleted
	case c.table.has(c.id):
		return Changed
	}
	return Created
}

// LastSeq is the number of the last committed change.
func (d *DB) LastSeq() int64 {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.seq
}

// EventsAfter returns what happened after the change numbered seq, in order, and
// the number to go on from. If that was nothing, more is closed as soon as there
// is something. It fails with ErrEventsGone if seq is older than the events that
// are kept, or is yet to come: then it is from another log, such as the one
// before a backup was restored.
func (d *DB) EventsAfter(seq int64) (events []Event, next int64, more <-chan struct{}, err error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if seq < d.events.gone || seq > d.seq {
		return nil, 0, nil, ErrEventsGone
	}
	events, next = d.events.after(seq), d.seq
	if len(events) == EventsAtOnce {
		next = events[EventsAtOnce-1].Seq
	}
	return events, next, d.events.more, nil
}

// EndEvents has all who follow the events be told that they are gone, now and
// from now on. It returns the number of the last that any of them can know.
func (d *DB) EndEvents() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events.gone = math.MaxInt64
	d.events.wake()
	return d.seq
}

// EventsOf names the events of a table whose rows everybody may read: note.created,
// note.changed, note.deleted.
func EventsOf(kind string) func(*Tx, Change, int) string {
	names := map[Change]string{Created: kind + ".created", Changed: kind + ".changed", Deleted: kind + ".deleted"}
	return func(_ *Tx, what Change, _ int) string { return names[what] }
}

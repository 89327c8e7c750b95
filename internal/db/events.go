package db

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// An Event is one change, as the followers of a feed receive it. Its number is
// the number of its line in the log.
type Event struct {
	Seq  int64
	Name string // from Schema.Event
	Data string // from Schema.Show; {"id":N} after a deletion
	// About is what a follower's right to the event is judged by, nil for an event
	// that all may read. It comes from Schema.Tell.
	About any
}

// ErrEventsGone means that the requested number is too old, or belongs to
// another log.
var ErrEventsGone = errors.New("events are no longer kept")

const (
	// EventsKept is the number of events that a client may miss and still
	// resume.
	EventsKept = 4096
	// EventsAtOnce is the most events that EventsAfter returns.
	EventsAtOnce = 64
)

// A ring holds the latest events. A new event replaces the oldest. Its cost
// doesn't depend on the number of followers.
type ring struct {
	events []told
	oldest int           // index of the oldest event
	gone   int64         // events up to this number may be missing from the ring
	more   chan struct{} // closed and replaced when events are added
	feeds  bool          // gone and events come from the feed of a snapshot
}

// A told is an event, and the table whose Schema.Tell made it, nil for none.
type told struct {
	Event
	by table
}

// loaded notes that the log has been read, which holds a snapshot up to that number.
// The lines of a snapshot are rows, not events, unless it has a feed.
func (r *ring) loaded(snapshot int64) {
	if !r.feeds {
		r.gone = max(r.gone, snapshot)
	}
}

func (r *ring) add(e told) {
	if len(r.events) < EventsKept {
		r.events = append(r.events, e)
		return
	}
	r.gone = max(r.gone, r.events[r.oldest].Seq) // gone is already higher after EndEvents
	r.events[r.oldest] = e
	r.oldest = (r.oldest + 1) % EventsKept
}

// wake wakes the followers that wait for events.
func (r *ring) wake() {
	close(r.more)
	r.more = make(chan struct{})
}

// after returns the first events with a number above seq.
func (r *ring) after(seq int64) []Event {
	n := len(r.events)
	at := func(i int) Event { return r.events[(r.oldest+i)%n].Event }
	first := sort.Search(n, func(i int) bool { return at(i).Seq > seq })
	events := make([]Event, 0, min(n-first, EventsAtOnce))
	for i := first; i < n && len(events) < EventsAtOnce; i++ {
		events = append(events, at(i))
	}
	return events
}

// commitLocked makes a durable change visible: in its table, and as an event if
// the table has events. seq is the number of the change. Replay calls
// commitLocked too, so events survive a restart.
//
// Each change is at most one event, so a number never stands for two events.
// What a change does to referring rows is part of its event.
func (d *DB) commitLocked(seq int64, c change) {
	name := ""
	var e Event
	tells := false
	if c.table != nil {
		if e, tells = c.table.tell(&d.reader, c.effect(), c.id, c.row); !tells {
			name = c.table.eventName(&d.reader, c.effect(), c.id)
		}
	}
	d.now = seq
	d.applyLocked(c)
	d.seq = seq
	if e.Name != "" {
		e.Seq = seq
		d.events.add(told{e, c.table})
	}
	if name == "" {
		return
	}
	data, ok := c.table.show(c.id)
	if !ok {
		data = fmt.Sprintf(`{"id":%d}`, c.id)
	}
	d.events.add(told{Event: Event{Seq: seq, Name: name, Data: data}})
}

// effect returns the effect of c on its row. c must not be applied yet.
func (c change) effect() Change {
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

// EventsAfter returns the first events after number seq, in order, and the
// number to continue from. If there are none yet, the channel more is closed
// when there are some. EventsAfter fails with ErrEventsGone if seq is older
// than the events kept, or higher than the last number. A higher number comes
// from another log, for example from before a backup was restored.
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

// EndEvents makes EventsAfter fail with ErrEventsGone from now on. It returns
// the number of the last event that a follower may have seen.
func (d *DB) EndEvents() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events.gone = math.MaxInt64
	d.events.wake()
	return d.seq
}

// EventsOf returns a Schema.Event for tables that everybody may read:
// note.created, note.changed, note.deleted.
func EventsOf(kind string) func(*Tx, Change, int) string {
	names := map[Change]string{Created: kind + ".created", Changed: kind + ".changed", Deleted: kind + ".deleted"}
	return func(_ *Tx, what Change, _ int) string { return names[what] }
}

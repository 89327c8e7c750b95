package main

import (
	"errors"
	"fmt"
	"sort"
)

// An event is one change as those read it who follow what happens. Its number
// is that of its line in the data file.
type event struct {
	seq  int64
	name string // item.created, item.changed, item.deleted, the same of books, or creator.deleted
	data string // the row as clients read it; of what has gone {"id":N}
}

// appendTo appends e as the HTML standard's §9.2.5 has it. JSON as we write it
// holds no line break, so data is one line.
func (e event) appendTo(text []byte) []byte {
	return fmt.Appendf(text, "id: %d\nevent: %s\ndata: %s\n\n", e.seq, e.name, e.data)
}

// errEventsGone: what happened since then is no longer known, or that then is
// not of this history.
var errEventsGone = errors.New("events are no longer kept")

// An eventRing holds the latest events, for as long as there is room for them:
// the newest takes the place of the oldest. To add one costs the same whoever
// reads.
type eventRing struct {
	ring   []event
	oldest int           // its place in ring
	gone   int64         // all events with a higher seq are here
	more   chan struct{} // closed when there are more, and then replaced
}

// eventsKept is how many events a client may miss and still resume.
const eventsKept = 4096

// eventsAtOnce is the most events read in one go.
const eventsAtOnce = 64

func (r *eventRing) add(e event) {
	if len(r.ring) < eventsKept {
		r.ring = append(r.ring, e)
		return
	}
	r.gone = max(r.gone, r.ring[r.oldest].seq) // more are gone once endEvents says so
	r.ring[r.oldest] = e
	r.oldest = (r.oldest + 1) % eventsKept
}

// wake tells those who wait that there may be more.
func (r *eventRing) wake() {
	close(r.more)
	r.more = make(chan struct{})
}

// after returns the first events with a number above seq.
func (r *eventRing) after(seq int64) []event {
	n := len(r.ring)
	at := func(i int) event { return r.ring[(r.oldest+i)%n] }
	first := sort.Search(n, func(i int) bool { return at(i).seq > seq })
	events := make([]event, 0, min(n-first, eventsAtOnce))
	for i := first; i < n && len(events) < eventsAtOnce; i++ {
		events = append(events, at(i))
	}
	return events
}

// commitLocked makes c, which has the number seq and is on disk, visible: in
// the state, and as an event if it changes what clients read of an item or a
// book. That goes for a replayed change as well, so a restart keeps the events.
func (s *store) commitLocked(seq int64, c change) {
	name := s.eventNameLocked(c)
	s.applyLocked(c)
	s.seq = seq
	if name != "" {
		kind, id := c.row()
		s.events.add(event{seq, name, s.wireLocked(kind, id)})
	}
}

// eventNameLocked is the name of the event that c, not yet applied, makes; ""
// for none. One change is one event, so that a number never stands for two: a
// user's deletion makes the createdby of all the items that they made null, and
// is told once, as creator.deleted.
func (s *store) eventNameLocked(c change) string {
	switch kind, id := c.row(); {
	case kind == "user" && c.Op == opDelete && s.itemsOf[id] != nil:
		return "creator.deleted"
	case kind != "item" && kind != "book":
		return ""
	case c.Op == opDelete:
		return kind + ".deleted"
	case s.has(kind, id):
		return kind + ".changed"
	default:
		return kind + ".created"
	}
}

// wireLocked is a row as clients read it, or what they read of one that went.
func (s *store) wireLocked(kind string, id int) string {
	switch kind {
	case "item":
		if row, ok := s.items.rows.get(id); ok {
			return row.wire.Row()
		}
	case "book":
		if b, ok := s.books.rows.get(id); ok {
			return b.wire.Row()
		}
	}
	return fmt.Sprintf(`{"id":%d}`, id)
}

// lastSeq is the number of the last change that is visible.
func (s *store) lastSeq() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.seq
}

// eventsAfter returns what happened after the change numbered seq, in order,
// and the number to go on from. If that was nothing, more is closed as soon as
// there is something. It fails with errEventsGone if seq is older than the
// events that are kept, or is yet to come: whoever has it has it from another
// history, such as the one before a backup was restored.
func (s *store) eventsAfter(seq int64) (events []event, next int64, more <-chan struct{}, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if seq < s.events.gone || seq > s.seq {
		return nil, 0, nil, errEventsGone
	}
	events, next = s.events.after(seq), s.seq
	if len(events) == eventsAtOnce {
		next = events[eventsAtOnce-1].seq
	}
	return events, next, s.events.more, nil
}

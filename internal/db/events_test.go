package db_test

import (
	"fmt"
	"slices"
	"testing"

	"example.com/shelf/internal/db"
)

// events returns all events of h since a number, in as many calls as necessary.
func events(t testing.TB, h *home, since int64) (all []db.Event, next int64) {
	t.Helper()
	for {
		got, next, _, err := h.EventsAfter(since)
		must(t, err)
		all = append(all, got...)
		if len(got) < db.EventsAtOnce {
			return all, next
		}
		since = next
	}
}

// One change is at most one event, whose number is the number of its line.
func TestEvents(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)                       // 1: owners have no events
	must(t, h.Update(h.addThing("lamp", 1))) // 2
	must(t, h.Update(h.addNote("Dune", 1)))  // 3
	must(t, h.Update(h.addSession("s1", 1))) // 4: sessions have no events
	must(t, h.Update(h.rename(1, "bob")))    // 5
	must(t, h.Update(func(tx *db.Tx) error { // 6 and 7, in one batch
		h.notes.Put(tx, &note{ID: 1, Title: "Emma", Owner: 1})
		h.notes.Put(tx, &note{ID: 2, Title: "Dune", Owner: 1})
		return nil
	}))
	must(t, h.Update(remove(h.notes, 2)))  // 8
	must(t, h.Update(remove(h.owners, 1))) // 9; with the session's line: 10
	want := []db.Event{
		{Seq: 2, Name: "thing.created", Data: "1/1/4/lamp"},
		{Seq: 3, Name: "note.created", Data: `{"id":1,"title":"Dune","owner":1}`},
		{Seq: 6, Name: "note.changed", Data: `{"id":1,"title":"Emma","owner":1}`},
		{Seq: 7, Name: "note.created", Data: `{"id":2,"title":"Dune","owner":1}`},
		{Seq: 8, Name: "note.deleted", Data: `{"id":2}`},
		{Seq: 10, Name: "things.orphaned", Data: `{"id":1}`},
	}
	for _, when := range []string{"at once", "after a restart"} {
		for since := range int64(11) {
			i := slices.IndexFunc(want, func(e db.Event) bool { return e.Seq > since })
			if i < 0 {
				i = len(want)
			}
			got, next := events(t, h, since)
			if !slices.Equal(got, want[i:]) || next != 10 {
				t.Errorf("%s, after %d: %v, %d; want %v", when, since, got, next, want[i:])
			}
		}
		if _, _, _, err := h.EventsAfter(11); err != db.ErrEventsGone {
			t.Errorf("%s, after what is yet to come: %v", when, err)
		}
		h = reopened(t, h, d)
	}
	// the lines of a compaction's snapshot are no events
	must(t, h.Compact())
	if got, _ := events(t, h, 0); !slices.Equal(got, want) {
		t.Errorf("after a compaction: %v", got)
	}
	h = reopened(t, h, d)
	if _, _, _, err := h.EventsAfter(9); err != db.ErrEventsGone {
		t.Errorf("after a compaction and a restart: %v", err)
	}
	if got, next := events(t, h, 10); len(got) != 0 || next != 10 {
		t.Errorf("after a compaction and a restart: %v, %d", got, next)
	}
}

// A waiting follower is woken by the next change, and not before it is durable.
func TestEventsWake(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	_, next, more, err := h.EventsAfter(h.LastSeq())
	must(t, err)
	brake := brakeOn(&d.OnSync)
	result := h.begin(h.addThing("lamp", 1))
	brake.await(t, result)
	select {
	case <-more:
		t.Error("woken before the fsync")
	default:
	}
	brake.off()
	must(t, <-result)
	h.View(func(*db.Tx) {}) // after the commit
	select {
	case <-more:
	default:
		t.Error("not woken after the fsync")
	}
	got, _ := events(t, h, next)
	if len(got) != 1 || got[0].Name != "thing.created" {
		t.Errorf("the events are %v", got)
	}
}

// The ring holds the latest events. Older events are gone.
func TestEventsRing(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	const n = db.EventsKept + 100
	must(t, h.Update(func(tx *db.Tx) error {
		for i := range n {
			h.notes.Put(tx, &note{ID: i + 1, Title: fmt.Sprint(i + 1)})
		}
		return nil
	}))
	if _, _, _, err := h.EventsAfter(99); err != db.ErrEventsGone {
		t.Errorf("what is gone: %v", err)
	}
	got, next := events(t, h, 100)
	if len(got) != db.EventsKept || next != n {
		t.Fatalf("%d events, up to %d; want %d", len(got), next, db.EventsKept)
	}
	for i, e := range got {
		if want := (db.Event{Seq: int64(101 + i), Name: "note.created", Data: fmt.Sprintf(`{"id":%d,"title":"%d"}`, 101+i, 101+i)}); e != want {
			t.Fatalf("event %d is %v; want %v", i, e, want)
		}
	}
}

// EndEvents ends the feed of present followers and of later ones.
func TestEndEvents(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	must(t, h.Update(h.addNote("Dune", 0)))
	_, next, more, err := h.EventsAfter(1)
	must(t, err)
	if last := h.EndEvents(); last != 1 {
		t.Errorf("EndEvents = %d; want 1", last)
	}
	<-more
	must(t, h.Update(h.addNote("Emma", 0)))
	if _, _, _, err := h.EventsAfter(next); err != db.ErrEventsGone {
		t.Errorf("afterwards: %v", err)
	}
}

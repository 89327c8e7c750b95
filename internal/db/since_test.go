package db_test

import (
	"fmt"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A late is a row that version 2 of the format brought.
type late struct {
	ID   int    `json:"id"`
	Text string `json:"text"`
}

// addLates declares the table, and keeps the committed notes by Follow.
func (h *home) addLates() {
	h.lates = db.Add(h.DB, db.Schema[late]{
		Name: "late", Plural: "lates", Since: 2, ID: func(l late) int { return l.ID },
		Tell: func(_ *db.Tx, what db.Change, l late) db.Event {
			return db.Event{Name: changeName("late")(nil, what, 0), Data: l.Text, About: l}
		},
		About: func(text []byte) (any, error) { return db.DecodeJSON[late](text, true) },
	})
	h.notes.Follow(func(old *note, had bool, n *note, has bool) {
		id := 0
		if had {
			id = old.ID
		} else {
			id = n.ID
		}
		if h.followed[id] != old {
			panic("Follow tells of another row before")
		}
		if delete(h.followed, id); has {
			h.followed[id] = n
		}
	})
}

func (h *home) putLates(tx *db.Tx, r rows) {
	for id, l := range h.lates.All(tx) {
		r.put("late", id, l)
	}
}

// addLate adds a row of a table that version 2 of the format brought.
func (h *home) addLate(text string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		h.lates.Put(tx, late{h.lates.NewID(tx), text})
		return nil
	}
}

// A log and an export name a late table only after its first row.
func TestSince(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	if err := h.Update(func(tx *db.Tx) error { h.addLate("refused")(tx); return errTaken }); err != errTaken {
		t.Fatal(err)
	}
	named := func(when string, want bool) {
		t.Helper()
		counts := h.Counts()
		for what, text := range map[string]string{
			"the log":       content(d),
			"an export":     string(h.Snapshot().Export(journaltest.Noon, true)),
			"the counts":    fmt.Sprint(counts),
			"their words":   counts.Words(),
			"an error text": fmt.Sprint(h.ReadManual([]byte(`"op":"put"`))),
		} {
			if got := strings.Contains(text, "late"); got != want {
				t.Errorf("%s: %s names the table: %t; want %t: %s", when, what, got, want, text)
			}
		}
		if got := strings.HasPrefix(content(d), `{"format":"shelf","version":2,`); got != want {
			t.Errorf("%s: version 2: %t; want %t", when, got, want)
		}
	}
	named("before the first row", false)
	h.live(t)
	must(t, h.Compact())
	named("after a compaction", false)
	must(t, h.Update(h.addLate("first")))
	named("with a row", true)
	must(t, h.Update(remove(h.lates, 2))) // 1 was rejected
	h = reopened(t, h, d)
	named("after a restart", true)
	h.live(t)
	must(t, h.Compact())
	named("after its last row has gone", true)
	must(t, h.Update(h.addLate("third")))
	h = reopened(t, h, d)
	if got := h.visible()["late 3"]; got != `{"id":3,"text":"third"}` {
		t.Errorf("late 3 is %q", got)
	}
}

// A log of version 1 may get a late row by hand. It says version 2 once it is
// compacted, or gets another such row.
func TestSinceByHand(t *testing.T) {
	t.Parallel()
	for name, next := range map[string]func(*testing.T, *home){
		"compaction":  func(t *testing.T, h *home) { h.live(t); must(t, h.Compact()) },
		"another row": func(t *testing.T, h *home) { must(t, h.Update(h.addLate("more"))) },
	} {
		d := diskWith(journaltest.File(putOwner1) + `{"seq":2,"op":"put","late":{"id":5,"text":"by hand"}}` + "\n")
		h := mustOpen(t, d)
		next(t, h)
		if !strings.HasPrefix(content(d), `{"format":"shelf","version":2,`) {
			t.Errorf("%s: %s", name, content(d))
		}
	}
}

// Fill with late rows makes an empty log say version 2.
func TestSinceFill(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	must(t, h.Update(h.addOwner("ann")))
	for _, version := range []string{"1", "2"} {
		d := journaltest.New(1)
		filled := mustOpen(t, d)
		must(t, filled.Fill(h.Snapshot()))
		if !strings.HasPrefix(content(d), `{"format":"shelf","version":`+version+`,`) {
			t.Errorf("want version %s: %s", version, content(d))
		}
		wantRows(t, reopened(t, filled, d).visible(), h.visible())
		must(t, h.Update(h.addLate("late")))
	}
}

// A reserved id is not given out, even after a restart and a compaction.
func TestReserve(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Update(func(tx *db.Tx) error { h.notes.Reserve(tx, 40); return nil }))
	must(t, h.Update(func(tx *db.Tx) error { h.notes.Reserve(tx, 7); return nil }))
	must(t, h.Update(h.addNote("Dune", 1)))
	want := rows{"owner 1": `{"id":1,"name":"ann","mail":"ann@example.com"}`, "note 41": `{"id":41,"title":"Dune","owner":1}`}
	wantRows(t, h.visible(), want)
	if !strings.Contains(content(d), `"op":"ids","last_ids":{"note":40}`) {
		t.Errorf("no line for the id: %s", content(d))
	}
	h = reopened(t, h, d)
	must(t, h.Update(func(tx *db.Tx) error { h.notes.Reserve(tx, 99); return nil }))
	h = reopened(t, h, d)
	h.live(t)
	must(t, h.Compact())
	h = reopened(t, h, d)
	must(t, h.Update(h.addNote("Emma", 1)))
	if got := h.visible()["note 100"]; got == "" {
		t.Errorf("after a restart and a compaction: %v", h.visible())
	}
	if events, _, _, err := h.EventsAfter(h.LastSeq() - 1); err != nil || len(events) != 1 {
		t.Errorf("events: %v, %v", events, err)
	}
}

// A row that the log can't hold is rejected, and the next write works.
func TestNeedRefused(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, err := journal.Open(d, dataFile, journal.Options{})
	must(t, err)
	h := newHome(db.Options{})
	must(t, h.Open(stubborn{j}))
	must(t, h.Update(h.addOwner("ann")))
	if err := h.Update(h.addLate("first")); err == nil || h.State().Failed != nil {
		t.Errorf("Update = %v, and State says %v", err, h.State().Failed)
	}
	must(t, h.Update(h.addNote("Dune", 1)))
	if strings.Contains(content(d), "late") || len(h.visible()) != 2 {
		t.Errorf("%v\n%s", h.visible(), content(d))
	}
}

// A stubborn log rejects newer versions.
type stubborn struct{ *journal.Journal }

func (stubborn) Need(int) error { return history.ErrReadOnly }

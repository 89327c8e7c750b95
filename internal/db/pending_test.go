package db_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal/journaltest"
)

// Rules see all pending changes; here a whole batch behind another.
func TestRulesSeePending(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Update(h.addOwner("bob")))
	must(t, h.Update(h.addSession("s1", 1)))
	must(t, h.Update(h.addThing("lamp", 1)))
	ops := []struct {
		name  string
		rules func(*db.Tx) error
		want  error
	}{
		{"a new owner", h.addOwner("cat"), nil},
		{"the name again", h.addOwner("cat"), errTaken},
		{"the mail again, in other case", func(tx *db.Tx) error {
			if _, taken := h.byMail.Find(tx, "cat@example.com"); taken {
				return errTaken
			}
			return nil
		}, errTaken},
		{"a title", h.addNote("Dune", 1), nil},
		{"the title again", h.addNote("Dune", 1), errTaken},
		{"deleting the note", remove(h.notes, 1), nil},
		{"deleting it again", remove(h.notes, 1), errNone},
		{"the title once more", h.addNote("Dune", 1), nil},
		{"ann becomes dan", h.rename(1, "dan"), nil},
		{"another owner becomes dan", h.rename(2, "dan"), errTaken},
		{"bob becomes ann", h.rename(2, "ann"), nil},
		{"dan becomes ann again", h.rename(1, "ann"), errTaken},
		{"ann becomes bob again", h.rename(2, "bob"), nil},
		{"dan becomes ann again, now that he may", h.rename(1, "ann"), nil},
		{"a newcomer takes dan", h.addOwner("dan"), nil},
		{"deleting ann", remove(h.owners, 1), nil},
		{"a thing of ann", h.addThing("desk", 1), errNone},
		{"a session of ann", h.addSession("s2", 1), errNone},
		{"deleting ann's session, which went with her", remove(h.sessions, 1), errNone},
		{"ann's name", h.addOwner("ann"), nil},
		{"changing ann's thing", func(tx *db.Tx) error {
			row, ok := h.things.Get(tx, 1)
			if !ok {
				return errNone
			}
			r := row.row()
			r.Label = "changed"
			h.things.Put(tx, r.thing())
			return nil
		}, nil},
	}
	brake := brakeOn(&d.OnSync)
	results := []<-chan error{h.begin(h.rename(1, "ann"))}
	brake.await(t, results[0])
	for _, tt := range ops {
		result, decided := h.decide(tt.rules)
		if decided != tt.want {
			t.Errorf("%s: %v; want %v", tt.name, decided, tt.want)
		}
		if decided == nil {
			results = append(results, result)
		}
	}
	results = append(results, h.begin(h.indexes))
	// A deletion is decided while a change of its row is being written. The row
	// loses its owner when that change becomes visible.
	brake.step()
	brake.await(t, results[1])
	results = append(results, h.begin(remove(h.things, 1)))
	if _, decided := h.decide(remove(h.things, 1)); decided != errNone {
		t.Errorf("deleting the thing again: %v", decided)
	}
	brake.off()
	for _, result := range results {
		must(t, <-result)
	}
	wantSeen(t, h)
	want := rows{
		"owner 2": `{"id":2,"name":"bob","mail":"bob@example.com"}`,
		"owner 3": `{"id":3,"name":"cat","mail":"cat@example.com"}`,
		"owner 4": `{"id":4,"name":"dan","mail":"dan@example.com"}`,
		"owner 5": `{"id":5,"name":"ann","mail":"ann@example.com"}`,
		"note 2":  `{"id":2,"title":"Dune"}`,
	}
	wantRows(t, h.visible(), want)
	wantRows(t, reopened(t, h, d).visible(), want)
}

// Rules that fail because of a pending row wait for it. If the log rejects the row,
// then it never was, and the rules run again without it.
func TestRefusalWaitsForWhatItSaw(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		op   string // the call that fails
		err  error
		want error // of the rules that were refused
	}{
		{"the row is kept", "", nil, errTaken},
		{"the disk has no room for the row", "WriteAt", journaltest.ErrNoRoom, nil},
		{"the row can't be written", "WriteAt", journaltest.ErrIO, nil},
		{"what became of the row is unknown", "Sync", journaltest.ErrIO, history.ErrReadOnly},
	} {
		for _, behind := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, in a batch that waits: %t", tt.name, behind), func(t *testing.T) {
				t.Parallel()
				h, d := withAnn(t)
				hook := &d.OnWrite
				if tt.op == "Sync" {
					hook = &d.OnSync
				}
				brake := brakeOn(hook)
				first := h.begin(h.addNote("Dune", 1))
				brake.await(t, first)
				title := "Dune"
				if behind {
					title = "Emma"
					h.begin(h.addNote(title, 1))
				}
				refused, said := h.decide(h.addNote(title, 1))
				if said != errTaken {
					t.Errorf("the rules gave %v", said)
				}
				select {
				case err := <-refused:
					t.Errorf("Update = %v, while the row is pending", err)
				default:
				}
				if tt.err != nil {
					d.Fail(journaltest.Fault{At: d.Next(), Err: tt.err})
				}
				brake.off()
				if err := <-refused; !errors.Is(err, tt.want) {
					t.Errorf("Update = %v; want %v", err, tt.want)
				}
				h.View(func(tx *db.Tx) {
					if _, there := h.byTitle.Find(tx, title); there != (tt.want != history.ErrReadOnly) {
						t.Errorf("the row is there: %t", there)
					}
				})
			})
		}
	}
}

// A Fill that failed leaves an empty store behind.
func TestFailedFill(t *testing.T) {
	t.Parallel()
	full, _ := withAnn(t)
	d := journaltest.New(1)
	h := mustOpen(t, d)
	brake := brakeOn(&d.OnWrite)
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { first <- h.Fill(full.Snapshot()) }()
	brake.await(t, first)
	go func() { second <- h.Fill(full.Snapshot()) }()
	d.Fail(journaltest.Fault{At: d.Next(), Err: journaltest.ErrNoRoom})
	brake.off()
	if err := <-first; !errors.Is(err, history.ErrFull) {
		t.Errorf("Fill = %v", err)
	}
	if err := <-second; err != nil {
		t.Errorf("a second Fill = %v", err)
	}
	wantRows(t, h.visible(), full.visible())
}

// A row that loses its owner at commit doesn't hide a later pending change to
// the row.
func TestOrphanHidesNothing(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	brake := brakeOn(&d.OnSync)
	results := []<-chan error{h.begin(func(tx *db.Tx) error {
		h.things.Put(tx, thingRow{ID: h.things.NewID(tx), Owner: 1}.thing())
		h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: "Dune", Owner: 1})
		h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: "Emma", Owner: 1})
		h.owners.Delete(tx, 1)
		return nil
	})}
	brake.await(t, results[0])
	results = append(results, h.begin(func(tx *db.Tx) error {
		h.things.Delete(tx, 1)
		h.notes.Delete(tx, 1)
		h.notes.Put(tx, &note{ID: 2, Title: "Emma II", Owner: 1})
		return nil
	}))
	brake.step()
	must(t, <-results[0])
	brake.await(t, results[1])
	wantRows(t, h.visible(), rows{
		"thing 1": `{"id":1,"kind":"","label":""}`, "note 1": `{"id":1,"title":"Dune"}`, "note 2": `{"id":2,"title":"Emma"}`,
	})
	results = append(results, h.begin(func(tx *db.Tx) error {
		wantRows(t, h.seen(tx), rows{"note 2": `{"id":2,"title":"Emma II","owner":1}`})
		return h.indexes(tx)
	}))
	brake.off()
	for _, result := range results[1:] {
		must(t, <-result)
	}
	want := rows{"note 2": `{"id":2,"title":"Emma II"}`} // ann had gone
	wantRows(t, h.visible(), want)
	wantSeen(t, h)
	wantRows(t, reopened(t, h, d).visible(), want)
}

// When an owner is deleted, its sessions are deleted too. Things and notes
// stay.
func TestReferences(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Update(h.addOwner("bob")))
	for by := 1; by <= 2; by++ {
		for _, rules := range []func(*db.Tx) error{
			h.addSession("first of "+names[by], by), h.addSession("second of "+names[by], by),
			h.addThing("lamp", by), h.addThing("desk", by), h.addNote("note of "+names[by], by),
		} {
			must(t, h.Update(rules))
		}
	}
	must(t, h.Update(remove(h.owners, 1)))
	want := rows{
		"owner 2":   `{"id":2,"name":"bob","mail":"bob@example.com"}`,
		"session 3": `{"id":3,"code":"first of n2","owner":2}`,
		"session 4": `{"id":4,"code":"second of n2","owner":2}`,
		"thing 1":   `{"id":1,"kind":"lamp","label":""}`,
		"thing 2":   `{"id":2,"kind":"desk","label":""}`,
		"thing 3":   `{"id":3,"kind":"lamp","label":"","owner":2}`,
		"thing 4":   `{"id":4,"kind":"desk","label":"","owner":2}`,
		"note 1":    `{"id":1,"title":"note of n1"}`,
		"note 2":    `{"id":2,"title":"note of n2","owner":2}`,
	}
	wantRows(t, h.visible(), want)
	wantSeen(t, h)
	h.View(func(tx *db.Tx) {
		if got := slices.Collect(h.thingsOf.IDs(tx, 0).In(db.Range{})); !slices.Equal(got, []int{1, 2}) {
			t.Errorf("the things without an owner are %v", got)
		}
		if n := h.sessionsOf.IDs(tx, 1).Len(); n != 0 {
			t.Errorf("the owner who has gone has %d sessions", n)
		}
	})
	h = reopened(t, h, d)
	wantRows(t, h.visible(), want)
	// A compacted file can be opened without the deleted owner.
	must(t, h.Compact())
	h = reopened(t, h, d)
	wantRows(t, h.visible(), want)
	wantSeen(t, h)
}

// Rules may rely on an owner that is deleted before their commit. A restart
// finds the same rows.
func TestChildOfAnOwnerWhoIsGoing(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	must(t, h.Update(h.addSession("s1", 1)))
	must(t, h.Update(h.addThing("lamp", 1)))
	brake := brakeOn(&d.OnSync)
	results := []<-chan error{h.begin(remove(h.owners, 1))}
	brake.await(t, results[0])
	results = append(results, h.begin(func(tx *db.Tx) error { // what prunes old sessions, say
		for id := range h.sessions.All(tx) {
			h.sessions.Delete(tx, id)
		}
		for _, row := range h.things.All(tx) {
			r := row.row()
			r.Label = "seen"
			h.things.Put(tx, r.thing())
		}
		return nil
	}))
	brake.off()
	for _, result := range results {
		must(t, <-result)
	}
	want := rows{"thing 1": `{"id":1,"kind":"lamp","label":"seen"}`}
	wantRows(t, h.visible(), want)
	wantRows(t, reopened(t, h, d).visible(), want)
}

// A pending Fill already counts: for new ids, and for a second Fill.
func TestPendingFill(t *testing.T) {
	t.Parallel()
	full, _ := withAnn(t)
	must(t, full.Update(full.addThing("lamp", 1)))
	d := journaltest.New(1)
	h := mustOpen(t, d)
	brake := brakeOn(&d.OnSync)
	filled := make(chan error, 1)
	go func() { filled <- h.Fill(full.Snapshot()) }()
	brake.await(t, filled)
	second := make(chan error, 1)
	go func() { second <- h.Fill(full.Snapshot()) }()
	added := h.begin(h.addOwner("bob"))
	brake.off()
	must(t, <-filled)
	must(t, <-added)
	if err := <-second; err != db.ErrNotEmpty {
		t.Errorf("a second Fill: %v; want %v", err, db.ErrNotEmpty)
	}
	want := full.visible()
	want["owner 2"] = `{"id":2,"name":"bob","mail":"bob@example.com"}`
	wantRows(t, h.visible(), want)
	wantRows(t, reopened(t, h, d).visible(), want)
}

// begin starts an Update and returns once the rules have run: their changes are
// pending, or the rules returned an error.
func (h *home) begin(rules func(*db.Tx) error) (result <-chan error) {
	result, _ = h.decide(rules)
	return result
}

// decide is begin, and also returns the error of the rules when they first ran.
func (h *home) decide(rules func(*db.Tx) error) (result <-chan error, said error) {
	ran, done := make(chan error, 1), make(chan error, 1)
	first := func(err error) {
		select {
		case ran <- err:
		default: // the rules run again
		}
	}
	go func() {
		done <- h.try(func(tx *db.Tx) error {
			defer func() {
				if r := recover(); r != nil {
					first(r.(error))
					panic(r)
				}
			}()
			err := rules(tx)
			first(err)
			return err
		})
	}()
	said = <-ran
	h.View(func(*db.Tx) {}) // get the lock once, so that the changes are pending
	return done, said
}

// try is Update for rules that may panic with an error.
func (h *home) try(rules func(*db.Tx) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	return h.Update(rules)
}

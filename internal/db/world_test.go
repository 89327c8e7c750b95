package db_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/strictjson"
)

// A world is a home on a disk that fails, together with a model of what the
// home should hold.
type world struct {
	disk  *journaltest.Disk
	home  *home // nil while no process runs
	known rows  // acknowledged rows
	seq   int64 // number of the last acknowledged change
	maybe edits // changes of a batch whose outcome is unknown
	stuck bool  // that batch was the last one until a restart

	highest map[string]int // by kind: the highest id that a client has seen
	given   map[string]int // by kind: the highest id that rules got since the start
	names   int            // counter for keys that no row has
	broken  error          // the first broken promise that an edit found
}

func newWorld(d *journaltest.Disk) *world {
	return &world{disk: d, known: rows{}, highest: map[string]int{}}
}

// An edit is one change in the model.
type edit struct {
	kind string
	id   int
	row  string // "" for a deletion
}

type edits []edit

// commit applies a committed batch to r. Sessions are deleted with their owner.
// Other rows lose the reference to a deleted owner.
func (r rows) commit(batch edits) {
	for _, e := range batch {
		key := fmt.Sprint(e.kind, " ", e.id)
		if e.row != "" {
			r[key] = r.orphan(e.kind, e.row)
			continue
		}
		delete(r, key)
		if e.kind != "owner" {
			continue
		}
		for key, row := range r {
			switch kind, _, _ := strings.Cut(key, " "); {
			case kind == "session" && strings.HasSuffix(row, fmt.Sprintf(`"owner":%d}`, e.id)):
				delete(r, key)
			default:
				r[key] = r.orphan(kind, row)
			}
		}
	}
}

// orphan returns row, without its owner if that owner doesn't exist.
func (r rows) orphan(kind, row string) string {
	before, after, ok := strings.Cut(row, `,"owner":`)
	end := strings.IndexAny(after, ",}")
	if kind == "session" || !ok || r["owner "+after[:end]] != "" {
		return row
	}
	return before + after[end:]
}

// pend applies a pending batch to r, as rules see it.
func (r rows) pend(batch edits) {
	for _, e := range batch {
		if key := fmt.Sprint(e.kind, " ", e.id); e.row != "" {
			r[key] = e.row
		} else {
			delete(r, key)
		}
	}
}

// A deed is a function of rules that also records its edits in the model.
type deed func(*doing) error

// A doing is a transaction whose edits are recorded in the model.
type doing struct {
	*home
	tx    *db.Tx
	w     *world
	edits edits
}

func (d *doing) put(kind string, id int, row any) {
	d.edits = append(d.edits, edit{kind, id, string(strictjson.Encode(row))})
}

func (d *doing) putOwner(o *owner)     { d.owners.Put(d.tx, o); d.put("owner", o.ID, o) }
func (d *doing) putSession(s *session) { d.sessions.Put(d.tx, s); d.put("session", s.ID, s) }
func (d *doing) putThing(r thingRow)   { d.things.Put(d.tx, r.thing()); d.put("thing", r.ID, r) }
func (d *doing) putLate(l late)        { d.lates.Put(d.tx, l); d.put("late", l.ID, l) }
func (d *doing) putNote(n *note)       { d.notes.Put(d.tx, n); d.put("note", n.ID, n) }

// remove deletes a row, or fails with errNone.
func (d *doing) remove(kind string, id int) error {
	var err error
	switch kind {
	case "owner":
		for _, s := range d.sessionsOf.Rows(d.tx, id) {
			d.edits = append(d.edits, edit{"session", s.ID, ""}) // the table deletes them
		}
		err = remove(d.owners, id)(d.tx)
	case "session":
		err = remove(d.sessions, id)(d.tx)
	case "thing":
		err = remove(d.things, id)(d.tx)
	case "note":
		err = remove(d.notes, id)(d.tx)
	case "late":
		err = remove(d.lates, id)(d.tx)
	}
	d.edits = append(d.edits, edit{kind, id, ""})
	return err
}

// newID returns a new id, which must be above all others.
func (d *doing) newID(kind string) int {
	id := map[string]func(*db.Tx) int{
		"owner": d.owners.NewID, "session": d.sessions.NewID, "thing": d.things.NewID, "note": d.notes.NewID, "late": d.lates.NewID,
	}[kind](d.tx)
	if high := max(d.w.highest[kind], d.w.given[kind]); id <= high {
		d.w.breaks("%s %d is given out after %d", kind, id, high)
	}
	d.w.given[kind] = id
	return id
}

// breaks records the first broken promise.
func (w *world) breaks(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

// rules turns a deed into rules for db. They first check that tx shows the
// known and the pending rows. If they succeed, their edits are in decided. If they
// fail, they fail in the same way when they run again.
func (w *world) rules(d deed, pending edits, decided *edits) func(*db.Tx) error {
	var refused error
	return func(tx *db.Tx) error {
		if refused != nil {
			return refused
		}
		want := maps.Clone(w.known)
		want.pend(pending)
		if diff := difference(w.home.seen(tx), want); diff != "" {
			w.breaks("the rules see other rows:%s", diff)
		}
		if err := w.home.indexes(tx); err != nil {
			w.breaks("the rules see: %w", err)
		}
		doing := &doing{home: w.home, tx: tx, w: w}
		err := d(doing)
		if refused = err; err == nil {
			*decided = doing.edits
		}
		return err
	}
}

// do runs one deed. The rules or the log may reject it.
func (w *world) do(d deed) error {
	var decided edits
	maybe := w.maybe
	w.disk.Forget()
	err := w.home.try(w.rules(d, nil, &decided))
	attempted, parseErr := w.disk.Attempted(dataFile)
	if parseErr != nil {
		return parseErr
	}
	if attempted != nil && len(attempted) != len(decided) {
		return fmt.Errorf("%d changes were decided, and the disk got %q", len(decided), attempted)
	}
	if err := w.settle(decided, err); err != nil {
		return err
	}
	if attempted == nil {
		w.maybe = maybe // the disk never saw this batch
	}
	return w.check(err)
}

// A batch is a group of deeds that share one write.
type batch struct {
	edits   edits
	results []<-chan error // of the deeds that the rules accepted
	refused []refusal
}

// A refusal is the result of a deed that the rules refused, and what they said.
type refusal struct {
	result <-chan error
	said   error
}

// begin starts deeds while the disk is busy with another batch, if any.
func (w *world) begin(deeds []deed, before edits) *batch {
	b := &batch{}
	for _, d := range deeds {
		var more edits
		result, said := w.home.decide(w.rules(d, slices.Concat(before, b.edits), &more))
		if said == nil {
			b.edits, b.results = append(b.edits, more...), append(b.results, result)
		} else {
			b.refused = append(b.refused, refusal{result, said})
		}
	}
	return b
}

// reaches reports whether the disk stopped at the write of b.
func (b *batch) reaches(brake *brake) bool {
	if len(b.results) == 0 {
		return false
	}
	select {
	case <-brake.reached:
		return true
	case err := <-b.results[0]:
		again := make(chan error, 1)
		again <- err
		b.results[0] = again
		return false
	}
}

// end waits for a batch and records its outcome.
func (w *world) end(b *batch) (err error) {
	for i, result := range b.results {
		one := <-result
		if i > 0 && (one == nil) != (err == nil) {
			w.breaks("of one batch, one write came to %v and another to %v", err, one)
		}
		err = one
	}
	for _, r := range b.refused {
		if err := <-r.result; err != r.said {
			w.breaks("rules said %v, and Update %v", r.said, err)
		}
	}
	return w.settle(b.edits, err)
}

// together runs the first deed. While the disk is busy with it, the second
// deeds start and share the next batch. While the disk is busy with that batch,
// the third deeds start.
func (w *world) together(first deed, second, third []deed) error {
	brake := brakeOn(&w.disk.OnSync)
	defer func() { w.disk.OnSync = nil }()
	now := w.begin([]deed{first}, nil)
	rest := [][]deed{second, third}
	for len(rest) > 0 && now.reaches(brake) {
		next := w.begin(rest[0], now.edits)
		brake.step()
		if err := w.end(now); err != nil {
			return err
		}
		now, rest = next, rest[1:]
	}
	brake.off()
	if err := errors.Join(w.end(now), w.check(nil)); err != nil {
		return err
	}
	for _, d := range slices.Concat(rest...) { // the disk was idle when they started
		if err := w.do(d); err != nil {
			return err
		}
	}
	return nil
}

// settle records the outcome of a batch.
func (w *world) settle(decided edits, err error) error {
	switch {
	case err == nil && w.stuck && len(decided) > 0:
		return errors.New("a write was acknowledged after one whose outcome is unknown")
	case err == nil:
		w.known.commit(decided)
		w.seq += int64(len(decided))
		for _, e := range decided {
			w.highest[e.kind] = max(w.highest[e.kind], e.id)
		}
		return nil
	case errors.Is(err, errTaken) || errors.Is(err, errNone):
		return nil
	case errors.Is(err, history.ErrOutcomeUnknown):
		w.maybe, w.stuck = decided, true
		return nil
	case !errors.Is(err, history.ErrReadOnly) && !errors.Is(err, history.ErrFull):
		return fmt.Errorf("an unexpected error: %w", err)
	case w.stuck && !errors.Is(err, history.ErrReadOnly):
		return fmt.Errorf("a write after one whose outcome is unknown failed with %w", err)
	case w.disk.Dead() && w.maybe == nil:
		w.maybe = decided // no client got an answer
	}
	return nil
}

// check compares the rows that readers see with the known rows.
func (w *world) check(last error) error {
	if w.broken != nil {
		return w.broken
	}
	if got := w.home.LastSeq(); got != w.seq {
		return fmt.Errorf("LastSeq is %d; want %d (the last write: %v)", got, w.seq, last)
	}
	var err error
	w.home.View(func(tx *db.Tx) {
		if diff := difference(w.home.seen(tx), w.known); diff != "" {
			err = fmt.Errorf("readers see what was not acknowledged, or the other way round; the last write: %v%s", last, diff)
			return
		}
		err = errors.Join(w.home.indexes(tx), w.home.committed(tx))
	})
	return err
}

// start opens the disk and compares its rows with the known rows.
func (w *world) start() error {
	h, err := openLong(w.disk)
	if err != nil {
		return err
	}
	w.home, w.stuck, w.given = h, false, map[string]int{}
	got := h.visible()
	if !maps.Equal(got, w.known) || h.LastSeq() != w.seq {
		with := maps.Clone(w.known)
		with.commit(w.maybe)
		if len(w.maybe) == 0 || !maps.Equal(got, with) || h.LastSeq() != w.seq+int64(len(w.maybe)) {
			return fmt.Errorf("after a start up to %d the rows differ from what is known up to %d (a batch of unknown outcome: %v)%s", h.LastSeq(), w.seq, w.maybe, difference(got, w.known))
		}
		w.settle(w.maybe, nil) // a reader can see these rows, so they must stay
	}
	w.maybe = nil
	return w.check(nil)
}

// compact compacts, and ignores errors that the disk's faults explain.
func (w *world) compact() error {
	if err := w.home.Compact(); err != nil && w.tolerate(err) != nil {
		return err
	}
	return w.check(nil)
}

// kill stops the process as SIGKILL would: only its locks are released.
func (w *world) kill() {
	w.disk.Kill()
	w.home = nil
}

// tolerate ignores errors that the disk's faults explain.
func (w *world) tolerate(err error) error {
	for _, may := range []error{journaltest.ErrIO, journaltest.ErrNoRoom, journaltest.ErrCrash, journal.ErrNoHistory} {
		if errors.Is(err, may) {
			return nil
		}
	}
	if w.stuck {
		return nil
	}
	return err
}

// restart closes the home and opens it again.
func (w *world) restart() error {
	if err := w.home.Close(); err != nil && w.tolerate(err) != nil {
		return err
	}
	w.kill()
	return w.start()
}

// aftermath checks a home after a restart of the machine: the known rows are
// there, a write works, and both survive another restart.
func (w *world) aftermath() error {
	if err := w.start(); err != nil {
		return err
	}
	seq := w.seq
	if err := w.do(w.newOwner("")); err != nil {
		return err
	}
	if w.seq == seq {
		return errors.New("no writes are taken after a start")
	}
	// rows that readers have seen must survive a power cut now
	w.kill()
	w.disk = w.disk.Crash(journaltest.LeaveNothing)
	return w.start()
}

package livefile_test

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/rows"
)

var (
	longRuns  = flag.Duration("long", 0, "how long the model test goes on; 0 for a short run")
	modelSeed = flag.Uint64("model.seed", 0, "the seed of the model test, 0 for several")
)

// TestModel has clients change data and a person edit its file, with crashes and faults
// at every step of a write-out and of the journal, restarts, compactions, and the three
// ways out of a conflict. Nothing that was acknowledged is lost, no edit that was taken
// over is, and none that was not is destroyed: it is in the file or in FILE.mine. Longer:
//
//	go test -run TestModel -long 10m -timeout 0 -v ./internal/livefile
func TestModel(t *testing.T) {
	t.Parallel()
	if *modelSeed != 0 {
		runModel(t, *modelSeed)
		return
	}
	until := time.Now().Add(*longRuns)
	rounds := 0
	for ; rounds < 5 || time.Now().Before(until); rounds++ {
		if runModel(t, rand.Uint64()); t.Failed() {
			return
		}
	}
	t.Logf("%d rounds", rounds)
}

func runModel(t *testing.T, seed uint64) {
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(dir, seed)
	for n := 0; n < 200 && w.broken == nil && !w.over; n++ {
		w.happens()
	}
	w.quiet = true
	if w.broken == nil && !w.over {
		w.ends()
	}
	if w.person.open != nil {
		w.person.open.Close()
	}
	if w.broken != nil {
		text, _ := os.ReadFile(w.name)
		t.Errorf("-model.seed=%d: %v\nthe story: %s\nthe log: %s\nthe file: %q", seed, w.broken,
			strings.Join(w.story[max(0, len(w.story)-60):], "\n"), w.log.String()[max(0, w.log.Len()-3000):], text)
	}
	os.RemoveAll(dir)
}

// happens lets something happen.
func (w *world) happens() {
	if w.p == nil {
		w.starts("")
		return
	}
	switch n := w.chance.IntN(100); {
	case n < 3:
		w.stop()
	case n < 5:
		w.tell("kill")
		w.kill()
	case n < 6:
		w.kill()
		w.powerCut()
	case n < 10:
		cause := []error{journaltest.ErrIO, journaltest.ErrNoRoom, journaltest.ErrCrash}[w.chance.IntN(3)]
		w.tell("soon: %v", cause)
		w.disk.Fail(journaltest.Fault{At: w.disk.Next() + w.chance.IntN(12), Keep: w.chance.Int64N(500), Err: cause})
	case n < 13:
		w.tell("compaction")
		if err := w.p.DB.Compact(); err != nil && !w.faulty(err) {
			w.breaks("compaction: %v", err)
		}
	case n < 35:
		w.client()
	case n < 65:
		w.person.act()
	case n < 70 && strings.HasPrefix(w.p.file.Held(), "conflict"):
		w.wayOut()
	default:
		w.look(1 + w.chance.IntN(12))
	}
	if w.disk.Dead() {
		w.kill()
		w.powerCut()
	}
	w.checkLast()
}

// faulty reports whether an error is the disk's.
func (w *world) faulty(err error) bool {
	return w.disk.Dead() || errors.Is(err, journaltest.ErrIO) || errors.Is(err, journaltest.ErrNoRoom) || errors.Is(err, journaltest.ErrCrash) ||
		errors.Is(err, history.ErrReadOnly) || errors.Is(err, journal.ErrNoHistory)
}

// starts starts until that works, or a fault stops the machine.
func (w *world) starts(take string) {
	w.tell("start %s", take)
	defer func() {
		if v := recover(); v != nil {
			if v != errCrash {
				panic(v)
			}
			w.kill()
		}
	}()
	for range 20 {
		err := w.start(take)
		if err == nil {
			return
		}
		w.kill()
		if w.disk.Dead() {
			w.powerCut()
		}
		// A page of the log that was lost from the last byte of a sector on counts as
		// damage, which is very rare. An owner has to look at it.
		var damage *history.Damage
		if w.over = errors.As(err, &damage); w.over {
			return
		}
		if !w.faulty(err) && !strings.HasPrefix(err.Error(), "-take file") {
			w.breaks("the start: %v", err)
			return
		}
		take = ""
	}
	w.breaks("it never came up")
}

// stop ends the process in peace.
func (w *world) stop() {
	w.tell("stop")
	defer func() {
		if v := recover(); v != nil && v != errCrash {
			panic(v)
		}
		w.kill()
	}()
	w.p.file.Close()
	w.p.DB.Close()
}

// wayOut takes one of the three ways out of a conflict.
func (w *world) wayOut() {
	w.person.finish()
	switch w.chance.IntN(3) {
	case 0:
		w.editAgain()
	case 1:
		w.stop()
		w.starts(livefile.TakeFile)
	default:
		w.stop()
		w.starts(livefile.TakeJournal)
	}
}

// finish ends a save under way.
func (p *person) finish() {
	for p.open != nil {
		p.write()
	}
}

// editAgain puts the newest version into the file, and then an edit.
func (w *world) editAgain() {
	defer func(quiet bool) { w.quiet = quiet }(w.quiet)
	w.quiet = true
	p := &w.person
	p.finish()
	var newest []byte
	w.p.DB.View(func(tx *db.Tx) { newest = w.p.Rows.Image(tx).JSON(nil) })
	w.tell("person: puts the newest version into the file")
	p.saveText(string(rows.Pretty(newest)))
	w.look(10)
	if w.p == nil || w.disk.Dead() || w.p.DB.Writable() != nil {
		return
	}
	if held := w.p.file.Held(); strings.Contains(held, livefile.ErrLater.Error()) {
		return
	} else if held != "" {
		w.breaks("the newest version is in the file, and still: %s", held)
		return
	}
	p.load()
	r := row{"in": "a", "title": w.fresh(), "id": w.fresh()}
	p.buffer = p.buffer.with(r)
	if one := w.any(p.saw, w.chance); one != nil && one["in"] != "p" {
		p.buffer = p.buffer.without(one["title"])
	}
	w.tell("person: edits again")
	p.saveText(w.content(p.buffer))
	w.look(10)
	if w.p == nil || w.disk.Dead() || w.p.DB.Writable() != nil {
		return
	}
	if held := w.p.file.Held(); strings.Contains(held, livefile.ErrLater.Error()) {
		return
	} else if held != "" || w.acked[r["title"]] == nil {
		w.breaks("an edit of the newest version after a conflict: %q", held)
	}
}

// saveText saves a text in place.
func (p *person) saveText(text string) {
	s, err := parse([]byte(text))
	if err == nil {
		err = os.WriteFile(p.w.name, []byte(text), 0o600)
	}
	if err != nil {
		p.w.breaks("%v", err)
	}
	if p.session == nil {
		p.session = &session{s, p.w.run}
	}
	p.saved(&save{session: p.session, text: text, edit: s})
	p.buffer = s
}

// ends brings all into step, and looks at the end.
func (w *world) ends() {
	w.disk = w.disk.Crash(journaltest.LeaveAll)
	w.person.finish()
	if w.p != nil {
		w.kill()
	}
	w.starts("")
	if w.p == nil || w.broken != nil || w.over {
		return
	}
	w.look(30)
	w.now = w.now.Add(time.Minute) // a save that is half-written is kept as such
	w.look(30)
	w.checkLast()
	switch held := w.p.file.Held(); {
	case strings.HasPrefix(held, "conflict") && w.chance.IntN(2) == 0:
		w.editAgain()
		w.look(30)
	case held != "":
		w.stop()
		w.starts(livefile.TakeJournal)
		w.look(30)
	}
	if w.broken != nil {
		return
	}
	w.stop()
	text, err := os.ReadFile(w.name)
	shown, bad := parse(text)
	if err = errors.Join(err, bad); err != nil {
		w.breaks("the file at the end: %v", err)
		return
	}
	if diff := w.acked.diff(shown); diff != "" {
		w.breaks("at the end the file isn't what the data is: %s", diff)
	}
	if left := w.asides(); len(left) > 0 {
		w.breaks("left aside: %v", left)
	}
	w.checkLast()
	w.log.Reset()
	w.starts("")
	w.p.file.Step(context.Background())
	if again, _ := os.ReadFile(w.name); string(again) != string(text) || w.log.Len() > 0 {
		w.breaks("a start without a change writes the file, or says %s", &w.log)
	}
	w.kill()
}

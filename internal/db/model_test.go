package db_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/journal/journaltest"
)

var (
	longRuns  = flag.Duration("long", 0, "how long the random tests go on; 0 for a short run")
	modelSeed = flag.Uint64("model.seed", 0, "the seed of the model test, 0 for several")
)

// TestModel compares a home with a model. It runs random operations, one by one
// and concurrently, with compactions, restarts, crashes and faults of the disk.
func TestModel(t *testing.T) {
	t.Parallel()
	if *modelSeed != 0 {
		runModel(t, *modelSeed, 400)
		return
	}
	until := time.Now().Add(*longRuns)
	for round := 0; round < 8 || time.Now().Before(until); round++ {
		if runModel(t, rand.Uint64(), 400); t.Failed() {
			return
		}
	}
}

func runModel(t *testing.T, seed uint64, steps int) {
	chance := rand.New(rand.NewPCG(seed, 1))
	w := newWorld(journaltest.New(seed))
	var story []string
	for range steps {
		var what string
		var err error
		if w.home == nil {
			what, err = "start", w.startAtLast()
		} else {
			what, err = w.randomStep(chance)
		}
		story = append(story, what)
		if err != nil {
			text := content(w.disk)
			t.Errorf("-model.seed=%d, step %d: %v\nthe story: %s\n%s: …%q",
				seed, len(story), err, strings.Join(story[max(0, len(story)-20):], "; "), dataFile, text[max(0, len(text)-2000):])
			return
		}
	}
}

// startAtLast starts until it works. Each fault strikes once.
func (w *world) startAtLast() error {
	var err error
	for range 50 {
		err = w.start()
		if err == nil || w.tolerate(err) != nil {
			return err
		}
		w.kill()
	}
	return fmt.Errorf("never came up again: %w", err)
}

func (w *world) randomStep(chance *rand.Rand) (what string, err error) {
	soon := func(calls int, err error) {
		w.disk.Fail(journaltest.Fault{At: w.disk.Next() + chance.IntN(calls), Keep: chance.Int64N(1500), Err: err})
	}
	switch n := chance.IntN(100); {
	case n < 4:
		err := w.home.Close()
		w.kill()
		return "restart", w.tolerate(err)
	case n < 8:
		w.kill()
		return "kill", nil
	case n < 16:
		soon(8, journaltest.ErrCrash)
		what, err = w.randomWrite(chance)
		w.crash(chance)
		return "crash in " + what, err
	case n < 20:
		soon(25, journaltest.ErrCrash)
		err = w.compact()
		w.crash(chance)
		return "crash in a compaction", err
	case n < 28:
		cause := []error{journaltest.ErrIO, journaltest.ErrNoRoom}[chance.IntN(2)]
		soon(10, cause)
		what, err = w.randomWrite(chance)
		return fmt.Sprint(cause, " in ", what), err
	case n < 32:
		return "compaction", w.compact()
	case n < 36:
		w.disk.WriteBack()
		return "the system writes back", nil
	}
	return w.randomWrite(chance)
}

func (w *world) crash(chance *rand.Rand) {
	w.kill()
	w.disk = w.disk.Crash(journaltest.Leftover(chance.IntN(int(journaltest.Leavings))))
}

// randomWrite runs one deed, or several concurrently.
func (w *world) randomWrite(chance *rand.Rand) (what string, err error) {
	what, first := w.randomDeed(chance)
	if chance.IntN(3) > 0 {
		return what, w.do(first)
	}
	deeds := func() (some []deed) {
		what += ","
		for range 1 + chance.IntN(4) {
			name, d := w.randomDeed(chance)
			what += " " + name
			some = append(some, d)
		}
		return some
	}
	return what, w.together(first, deeds(), deeds())
}

// randomDeed returns a random deed.
func (w *world) randomDeed(chance *rand.Rand) (string, deed) {
	// any returns an id, usually of an existing row.
	any := func(kind string) int {
		if ids := w.ids(kind); len(ids) > 0 && chance.IntN(10) > 0 {
			return ids[chance.IntN(len(ids))]
		}
		return 1 + chance.IntN(2+w.highest[kind])
	}
	name := names[chance.IntN(len(names))]
	by := any("owner")
	switch chance.IntN(17) {
	case 0, 1:
		return "new owner", w.newOwner(name)
	case 2, 3:
		return "rename", w.rename(any("owner"), name, chance.IntN(3) == 0)
	case 4, 5:
		return "sign in", w.signIn(by, name)
	case 6, 7:
		return "add things", w.addThings(by, 1+chance.IntN(3), strings.Repeat("long ", chance.IntN(100)))
	case 8:
		return "change thing", w.changeThing(any("thing"), any("owner"), name)
	case 9:
		return "add note", w.addNote(name, by)
	case 10:
		return "move note", w.moveNote(any("note"), name, by)
	case 11:
		kind := []string{"session", "thing", "note", "late"}[chance.IntN(4)]
		id := any(kind)
		return "delete " + kind, func(d *doing) error { return d.remove(kind, id) }
	case 12:
		return "prune sessions", func(d *doing) error {
			for id := range d.sessions.All(d.tx) {
				if err := d.remove("session", id); err != nil {
					d.w.breaks("session %d is listed, and not there", id)
				}
			}
			return nil
		}
	case 13:
		return "nothing", func(*doing) error { return nil }
	case 14:
		return "second thoughts", secondThoughts(w.moveNote(any("note"), name, by), w.newOwner(name), chance.IntN(2) == 0)
	case 15:
		if chance.IntN(4) > 0 { // so that version 1 lasts a while
			return "second thoughts on a late", secondThoughts(w.addLate(name), w.newOwner(name), chance.IntN(2) == 0)
		}
		return "add late", w.addLate(name)
	}
	return "delete owner", func(d *doing) error { return d.remove("owner", by) }
}

// ids returns the ids of the rows of a kind.
func (w *world) ids(kind string) []int {
	var ids []int
	for key := range w.known {
		var id int
		if _, err := fmt.Sscanf(key, kind+" %d", &id); err == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// newOwner adds an owner with that name, or with a new one.
func (w *world) newOwner(name string) deed {
	w.names++
	if name == "" {
		name = fmt.Sprint("owner ", w.names)
	}
	mail := fmt.Sprintf("owner%d@example.com", w.names)
	if w.names%4 == 0 {
		mail = ""
	}
	return func(d *doing) error {
		if _, taken := d.byName.Find(d.tx, name); taken {
			return errTaken
		}
		d.putOwner(&owner{ID: d.newID("owner"), Name: name, Mail: mail})
		return nil
	}
}

// rename changes the name of an owner, and optionally back again.
func (w *world) rename(id int, name string, andBack bool) deed {
	return func(d *doing) error {
		o, ok := d.owners.Get(d.tx, id)
		if !ok {
			return errNone
		}
		if other, taken := d.byName.Find(d.tx, name); taken && other.ID != id {
			return errTaken
		}
		renamed, before := *o, *o
		renamed.Name = name
		d.putOwner(&renamed)
		if andBack {
			d.putOwner(&before)
		}
		return nil
	}
}

// signIn adds a session with a code. A session that has the code loses it.
func (w *world) signIn(by int, code string) deed {
	return func(d *doing) error {
		if _, ok := d.owners.Get(d.tx, by); !ok {
			return errNone
		}
		if old, taken := d.byCode.Find(d.tx, code); taken {
			if err := d.remove("session", old.ID); err != nil {
				d.w.breaks("session %d is found, and not there", old.ID)
			}
		}
		d.putSession(&session{ID: d.newID("session"), Code: code, Owner: by})
		return nil
	}
}

func (w *world) addThings(by, n int, label string) deed {
	return func(d *doing) error {
		if _, ok := d.owners.Get(d.tx, by); !ok {
			return errNone
		}
		for i := range n {
			d.putThing(thingRow{ID: d.newID("thing"), Kind: names[i], Label: label, Owner: by, Weight: int64(n)})
		}
		return nil
	}
}

// changeThing changes a thing's kind and owner. The new owner needn't exist.
func (w *world) changeThing(id, by int, kind string) deed {
	return func(d *doing) error {
		row, ok := d.things.Get(d.tx, id)
		if !ok {
			return errNone
		}
		r := row.row()
		r.Kind, r.Owner, r.Weight = kind, by, r.Weight+1
		d.putThing(r)
		return nil
	}
}

func (w *world) addNote(title string, by int) deed {
	return func(d *doing) error {
		if _, taken := d.byTitle.Find(d.tx, title); taken {
			return errTaken
		}
		d.putNote(&note{ID: d.newID("note"), Title: title, Owner: by})
		return nil
	}
}

func (w *world) addLate(text string) deed {
	return func(d *doing) error {
		d.putLate(late{d.newID("late"), text})
		return nil
	}
}

// moveNote gives a note's title to another note, and a new title to the note.
func (w *world) moveNote(id int, title string, by int) deed {
	return func(d *doing) error {
		n, ok := d.notes.Get(d.tx, id)
		if !ok {
			return errNone
		}
		if other, taken := d.byTitle.Find(d.tx, title); taken && other.ID != id {
			return errTaken
		}
		moved := *n
		moved.Title, moved.Owner = title, by
		d.putNote(&moved)
		if title != n.Title {
			if _, taken := d.byTitle.Find(d.tx, n.Title); taken {
				d.w.breaks("note %d still has the title %q", id, n.Title)
			}
			d.putNote(&note{ID: d.newID("note"), Title: n.Title})
		}
		return nil
	}
}

// secondThoughts runs two deeds, and then fails or panics.
func secondThoughts(first, second deed, panics bool) deed {
	return func(d *doing) error {
		first(d)
		second(d)
		if panics {
			panic(errTaken)
		}
		return errTaken
	}
}

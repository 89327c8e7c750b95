package livefile_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/rows"
)

// A row is its members, with "in" for the collection. No two rows have one title.
type row map[string]string

// A state is rows by their title.
type state map[string]row

// parse reads a file.
func parse(text []byte) (state, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, err
	}
	all := state{}
	for in, value := range members {
		var list []map[string]json.RawMessage
		if value[0] == '{' {
			value = []byte("[" + string(value) + "]")
		}
		if err := json.Unmarshal(value, &list); err != nil {
			return nil, err
		}
		for _, members := range list {
			r := row{"in": in}
			for name, raw := range members {
				r[name] = string(raw)
			}
			if all[r["title"]] != nil {
				return nil, fmt.Errorf("two rows have the title %s", r["title"])
			}
			all[r["title"]] = r
		}
	}
	return all, nil
}

// clone copies the state, not its rows, which nothing changes.
func (s state) clone() state { return maps.Clone(s) }

// with is the state with another row.
func (s state) with(r row) state {
	s = s.clone()
	s[r["title"]] = r
	return s
}

// without is the state without a row.
func (s state) without(title string) state {
	s = s.clone()
	delete(s, title)
	return s
}

// diff says how two states differ, "" for not at all. An id that a has not is any.
func (a state) diff(b state) string {
	for title, r := range b {
		if a[title] == nil {
			return fmt.Sprintf("more: %v", r)
		}
	}
	for title, r := range a {
		is := b[title]
		if is != nil && r["id"] == "" {
			is = maps.Clone(is)
			delete(is, "id")
		}
		if !maps.Equal(r, is) {
			return fmt.Sprintf("%v is %v", r, is)
		}
	}
	return ""
}

// A process is a server without its network.
type process struct {
	*operator.Live[int]
	w    *world
	file *livefile.File
}

// A world is a file, a store on a disk that fails, clients, and a person with an
// editor. The model are acked, what the data has to be, and last, the person's save.
type world struct {
	chance *rand.Rand
	name   string // of the file
	now    time.Time
	log    bytes.Buffer
	story  []string
	broken error // the first broken promise
	over   bool  // the log is damaged

	disk  *journaltest.Disk
	p     *process // nil while none runs
	run   int      // number of the start
	quiet bool     // nothing happens within the steps of a write-out

	at      string   // the step before which the process crashes
	before  []string // files aside before a write-out
	swapped string   // its own one

	acked  state
	maybe  state // what the data may be as well after a change whose outcome is unknown
	unsure *save // the save that this change takes over, nil for none
	torn   bool  // there was a conflict, which is not settled
	number int   // of the newest text that is nowhere else
	person person
}

const dataFile = "db.jsonl"

func newWorld(dir string, seed uint64) *world {
	w := &world{
		chance: rand.New(rand.NewPCG(seed, 1)), name: filepath.Join(dir, "db.json"), disk: journaltest.New(seed),
		now: time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC),
	}
	w.person.w = w
	text := `{"a":[],"b":[],"p":{"title":"p","x":0}}`
	w.acked, _ = parse([]byte(text))
	if err := os.WriteFile(w.name, []byte(text), 0o600); err != nil {
		w.breaks("%v", err)
	}
	return w
}

func (w *world) breaks(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
	}
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// start starts a process, which finds what was acknowledged.
func (w *world) start(take string) error {
	w.run++
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	p := &process{w: w, Live: &operator.Live[int]{
		Collections: &operator.Collections[int]{File: w.name, Data: dataFile, Log: slog.New(slog.DiscardHandler), DB: d, Rows: rows.New(d, rows.Options{})},
		UserRows:    func(*db.Tx) []string { return nil },
		UserChanges: func(*db.Tx) (int, bool) { return 0, false },
		TakeUsers:   func(*db.Tx, *rows.File, []*int) (int, int, error) { return 0, 0, nil },
	}}
	p.Users = func(*rows.File) ([]*int, []int, error) { return nil, nil, nil }
	p.Add = func(f *rows.File, _ []*int, _ string) error {
		return d.Update(func(tx *db.Tx) error { return p.Rows.AddFile(tx, f) })
	}
	j, err := journal.Open(w.disk, dataFile, journal.Options{})
	if err == nil {
		err = d.Open(j)
	}
	if err == nil {
		err = p.Load(context.Background())
	}
	if err != nil {
		return err
	}
	w.p = p
	if w.maybe != nil && w.maybe.diff(p.data()) == "" {
		w.acked = w.maybe.adopt(p.data())
		if w.unsure != nil {
			w.unsure.taken = true
		}
	}
	w.maybe, w.unsure = nil, nil
	w.checkData("after the start")
	p.file, err = livefile.Open(context.Background(), livefile.WithStep(livefile.Options{
		Name: w.name, Take: take, Max: 1 << 20, Store: p, Log: slog.New(slog.NewTextHandler(&w.log, nil)), Now: func() time.Time { return w.now },
	}, w.step))
	return err
}

// data is what the store has.
func (p *process) data() (s state) {
	p.DB.View(func(tx *db.Tx) {
		var err error
		if s, err = parse(p.Rows.Image(tx).JSON(nil)); err != nil {
			p.w.breaks("the store: %v", err)
		}
	})
	return s
}

func (w *world) checkData(when string) {
	if diff := w.acked.diff(w.p.data()); diff != "" {
		w.breaks("%s the data isn't what was acknowledged and taken over: %s", when, diff)
	}
}

// adopt is s with the ids of data for its rows without one.
func (s state) adopt(data state) state {
	all := state{}
	for title, r := range s {
		if all[title] = r; r["id"] == "" && data[title] != nil {
			all[title] = data[title]
		}
	}
	return all
}

// settle notes what a change has come to. after is the state if it has succeeded.
func (w *world) settle(after state, err error) {
	switch {
	case err == nil:
		w.acked = after
	case errors.Is(err, history.ErrOutcomeUnknown), w.disk.Dead() && w.maybe == nil:
		w.maybe = after
	}
}

// Take is as livefile.Store says. The model follows it.
func (p *process) Take(ctx context.Context, text []byte, e livefile.Edit) (string, error) {
	done, err := p.Live.Take(ctx, text, e)
	w := p.w
	edit, bad := parse(text)
	switch {
	case err == nil && bad != nil:
		w.breaks("what is no JSON was taken over: %s", text)
	case err == nil:
		w.torn = false
		w.person.taken(edit, string(text), e.Any)
		w.settle(edit.adopt(p.data()), nil)
	case errors.Is(err, livefile.ErrConflict):
		w.person.refused(string(text))
		w.torn = true
	case bad == nil:
		w.settle(edit, err)
		w.unsure = w.person.saves[string(text)]
	}
	w.tell("take %+v: %q, %v", e, done, err)
	return done, err
}

// A crash is the panic of a step that never comes.
var errCrash = errors.New("the process has ended")

// step is called before each step of a write-out.
func (w *world) step(at string) error {
	if w.quiet {
		return nil
	}
	switch at {
	case "create":
		w.before, w.swapped = w.asides(), ""
	case "swap":
		for _, name := range w.asides() {
			if !slices.Contains(w.before, name) {
				w.swapped = name
			}
		}
	}
	w.at = at
	defer func() { w.at = "" }()
	switch w.chance.IntN(60) {
	case 0, 1:
		w.tell("crash before %s", at)
		panic(errCrash)
	case 2, 3:
		w.tell("a fault at %s", at)
		return journaltest.ErrNoRoom
	case 4, 5, 6, 7:
		w.tell("before %s", at)
		w.client()
	case 8, 9, 10, 11:
		w.tell("before %s", at)
		w.person.act()
	}
	return nil
}

// look has the file looked at. A crash ends the process.
func (w *world) look(times int) {
	defer func() {
		if v := recover(); v != nil {
			if v != errCrash {
				panic(v)
			}
			w.kill()
			if w.chance.IntN(2) == 0 {
				w.powerCut()
			}
		}
	}()
	for range times {
		w.now = w.now.Add(100 * time.Millisecond)
		w.torn = w.torn && w.p.file.Held() != ""
		w.p.file.Step(context.Background())
		w.p.w.checkData("after a look")
	}
}

// kill ends the process.
func (w *world) kill() {
	w.disk.Kill()
	w.p = nil
}

// asides are the files beside the file that shelf has left.
func (w *world) asides() []string {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(w.name), ".db.json*"))
	if err != nil {
		w.breaks("%v", err)
	}
	return all
}

// powerCut stops the machine. What was not synced may be lost, the exchange of files
// too. An editor loses what it was about to write.
func (w *world) powerCut() {
	w.tell("power cut")
	w.disk = w.disk.Crash(journaltest.Leftover(w.chance.IntN(int(journaltest.Leavings))))
	w.person.abandon()
	if (w.at == "look" || w.at == "sync") && w.swapped != "" && w.chance.IntN(2) == 0 {
		w.tell("the exchange is undone")
		if err := durable.Swap(w.swapped, w.name); err != nil {
			w.breaks("%v", err)
		}
	}
}

// client changes a row by the API.
func (w *world) client() {
	if w.p == nil {
		return
	}
	admin := rows.Caller{SignedIn: true, Admin: true}
	in := []string{"a", "b"}[w.chance.IntN(2)]
	one := w.any(w.acked, w.chance)
	var after state
	var what string
	err := w.p.DB.Update(func(tx *db.Tx) error {
		var err error
		var made *rows.Row
		switch n := w.chance.IntN(10); {
		case n < 3:
			what = "POST " + in
			made, err = w.p.Rows.Create(tx, admin, in, w.object(`{"title":%s,"x":0,"y":0}`, w.fresh()))
		case one == nil:
			return errors.New("no row")
		case n < 9:
			in = one["in"]
			what = fmt.Sprintf("PATCH %s %s", in, one["title"])
			made, err = w.p.Rows.Patch(tx, admin, in, rows.KeyText(one["id"]), w.object(`{%q:%s}`, []string{"x", "y"}[w.chance.IntN(2)], w.fresh()), nil)
		case one["in"] == "p":
			return errors.New("a single resource")
		default:
			what = "DELETE " + one["title"]
			_, err = w.p.Rows.Delete(tx, admin, one["in"], rows.KeyText(one["id"]), nil)
			after = w.acked.without(one["title"])
		}
		if made != nil {
			text := made.Text
			if in != "p" {
				text = "[" + text + "]"
			}
			some, bad := parse([]byte(fmt.Sprintf(`{%q:%s}`, in, text)))
			if bad != nil {
				return bad
			}
			after = w.acked.clone()
			maps.Copy(after, some)
		}
		return err
	})
	if what != "" {
		w.tell("client: %s: %v", what, err)
		w.settle(after, err)
	}
	w.checkData("after a call")
}

// fresh returns a text that is nowhere else.
func (w *world) fresh() string {
	w.number++
	return fmt.Sprintf(`"t%d"`, w.number)
}

func (w *world) object(format string, args ...any) rows.Object {
	o, err := rows.ParseObject(fmt.Appendf(nil, format, args...))
	if err != nil {
		w.breaks("%v", err)
	}
	return o
}

// any returns a row, nil if there is none.
func (w *world) any(s state, chance *rand.Rand) row {
	titles := slices.Sorted(maps.Keys(s))
	if len(titles) == 0 {
		return nil
	}
	return s[titles[chance.IntN(len(titles))]]
}

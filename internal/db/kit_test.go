package db_test

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/strictjson"
)

const dataFile = "shelf.jsonl"

// An owner has two unique keys, one of them optional, and a secret.
type owner struct {
	ID     int    `json:"id"`
	Name   string `json:"name"`
	Mail   string `json:"mail,omitempty"`
	Secret string `json:"secret,omitempty"`
}

// A session is deleted with its owner.
type session struct {
	ID    int    `json:"id"`
	Code  string `json:"code"`
	Owner int    `json:"owner"`
}

// A note has a unique title. It stays when its owner is deleted.
type note struct {
	ID    int    `json:"id"`
	Title string `json:"title"`
	Owner int    `json:"owner,omitempty"`
}

// A thing is kept as the text that its readers see, and beside it the weight,
// which they don't see. It stays when its owner is deleted.
type thing struct {
	text   string // "1/7/4/lampgreen": id 1, owner 7, a kind of 4 bytes, a label
	weight int64
}

// A thingRow is a thing as the log has it.
type thingRow struct {
	ID     int    `json:"id"`
	Kind   string `json:"kind"`
	Label  string `json:"label"`
	Owner  int    `json:"owner,omitempty"`
	Weight int64  `json:"weight,omitempty"`
}

func (r thingRow) thing() thing {
	return thing{fmt.Sprintf("%d/%d/%d/%s%s", r.ID, r.Owner, len(r.Kind), r.Kind, r.Label), r.Weight}
}

func (t thing) row() thingRow {
	id, rest, _ := strings.Cut(t.text, "/")
	owner, rest, _ := strings.Cut(rest, "/")
	length, rest, _ := strings.Cut(rest, "/")
	n := number(length)
	return thingRow{number(id), rest[:n], rest[n:], number(owner), t.weight}
}

func number(text string) int {
	n, _ := strconv.Atoi(text)
	return n
}

// A home is a DB with tables of each kind.
type home struct {
	*db.DB

	owners *db.Table[*owner]
	byName *db.Unique[*owner, string]
	byMail *db.Unique[*owner, string]

	sessions   *db.Table[*session]
	byCode     *db.Unique[*session, string]
	sessionsOf *db.Multi[*session, int]

	things   *db.Table[thing]
	thingsOf *db.Multi[thing, int]
	thingsIn *db.Multi[thing, string] // by kind

	notes   *db.Table[*note]
	byTitle *db.Unique[*note, string]
	notesOf *db.Multi[*note, int]

	lates    *db.Table[late]
	followed map[int]*note // the committed notes, kept by Follow
}

// newHome declares the tables.
func newHome(opt db.Options) *home {
	if opt.Now == nil {
		opt.Now = func() time.Time { return journaltest.Noon }
	}
	h := &home{DB: db.New(opt), followed: map[int]*note{}}
	h.addOwners()
	h.addSessions()
	h.addThings()
	h.addNotes()
	h.addLates() // and follows the notes
	return h
}

func (h *home) addOwners() {
	h.owners = db.Add(h.DB, db.Schema[*owner]{
		Name: "owner", Plural: "owners", KeysSuffice: true,
		ID: func(o *owner) int { return o.ID },
		Check: func(_ *db.Tx, o *owner) error {
			if o.Name == "" {
				return errors.New("an owner needs a name")
			}
			return nil
		},
		Valid: func(o *owner) error {
			if o.Mail != "" && !strings.Contains(o.Mail, "@") {
				return errors.New("not a mail address")
			}
			return nil
		},
		Public: func(o *owner) *owner {
			bare := *o
			bare.Secret = ""
			return &bare
		},
		Event: func(tx *db.Tx, what db.Change, id int) string {
			if what == db.Deleted && h.thingsOf.IDs(tx, id).Len() > 0 {
				return "things.orphaned"
			}
			return ""
		},
	})
	h.byName = db.NewUnique(h.owners, "name", func(o *owner) (string, bool) { return o.Name, true })
	h.byMail = db.NewUnique(h.owners, "mail", func(o *owner) (string, bool) { return strings.ToLower(o.Mail), o.Mail != "" })
}

func (h *home) addSessions() {
	h.sessions = db.Add(h.DB, db.Schema[*session]{
		Name: "session", Plural: "sessions", KeysSuffice: true,
		ID: func(s *session) int { return s.ID },
		Check: func(tx *db.Tx, s *session) error {
			if old, ok := h.sessions.Get(tx, s.ID); ok && old.Owner != s.Owner {
				return fmt.Errorf("session %d is another owner's", s.ID)
			}
			return nil
		},
	})
	h.byCode = db.NewUnique(h.sessions, "code", func(s *session) (string, bool) { return s.Code, true })
	h.sessionsOf = db.NewMulti(h.sessions, func(s *session) int { return s.Owner })
	db.Reference(h.sessionsOf, h.owners, nil)
}

func (h *home) addThings() {
	h.things = db.Add(h.DB, db.Schema[thing]{
		Name: "thing", Plural: "things", KeysSuffice: true,
		ID:     func(t thing) int { return t.row().ID },
		Append: func(b []byte, t thing) []byte { return append(b, strictjson.Encode(t.row())...) },
		Decode: func(text []byte, strict bool) (thing, error) {
			r, err := db.DecodeJSON[thingRow](text, strict)
			return r.thing(), err
		},
		Event: changeName("thing"),
		Show:  func(t thing) string { return t.text },
	})
	h.thingsOf = db.NewMulti(h.things, func(t thing) int { return t.row().Owner })
	h.thingsIn = db.NewMulti(h.things, func(t thing) string { return t.row().Kind })
	db.Reference(h.thingsOf, h.owners, func(t thing) thing {
		r := t.row()
		r.Owner = 0
		return r.thing()
	})
}

func (h *home) addNotes() {
	h.notes = db.Add(h.DB, db.Schema[*note]{
		Name: "note", Plural: "notes", KeysSuffice: true,
		ID:    func(n *note) int { return n.ID },
		Event: changeName("note"),
		Show:  func(n *note) string { return string(strictjson.Encode(n)) },
	})
	h.byTitle = db.NewUnique(h.notes, "title", func(n *note) (string, bool) { return n.Title, true })
	h.notesOf = db.NewMulti(h.notes, func(n *note) int { return n.Owner })
	db.Reference(h.notesOf, h.owners, func(n *note) *note {
		orphan := *n
		orphan.Owner = 0
		return &orphan
	})
}

func changeName(kind string) func(*db.Tx, db.Change, int) string {
	return func(_ *db.Tx, what db.Change, _ int) string {
		return kind + [...]string{db.Created: ".created", db.Changed: ".changed", db.Deleted: ".deleted"}[what]
	}
}

// open opens a home on a disk.
func open(disk journal.Disk, opt db.Options) (*home, error) {
	return openHome(newHome(opt), disk, dataFile, journal.Options{})
}

// openLong is open for a home that writes two changes as others write an import.
func openLong(disk journal.Disk) (*home, error) {
	h := newHome(db.Options{})
	h.WriteLongFrom(2)
	return openHome(h, disk, dataFile, journal.Options{})
}

// openHome opens h with the file at path.
func openHome(h *home, disk journal.Disk, path string, options journal.Options) (*home, error) {
	j, err := journal.Open(disk, path, options)
	if err != nil {
		return nil, err
	}
	if err := h.Open(j); err != nil {
		j.Close()
		return nil, err
	}
	return h, nil
}

func mustOpen(t testing.TB, disk journal.Disk) *home {
	t.Helper()
	h, err := open(disk, db.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// reopened closes h and opens the disk again.
func reopened(t testing.TB, h *home, disk journal.Disk) *home {
	t.Helper()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return mustOpen(t, disk)
}

// diskWith is a disk that has a data file.
func diskWith(content string) *journaltest.Disk {
	d := journaltest.New(1)
	d.Put(dataFile, content)
	return d
}

func content(d *journaltest.Disk) string {
	text, _ := d.Content(dataFile)
	return text
}

// The bodies of a few lines.
const (
	putOwner1   = `"op":"put","owner":{"id":1,"name":"ann","mail":"ann@example.com"}`
	putSession1 = `"op":"put","session":{"id":1,"code":"c1","owner":1}`
	putThing1   = `"op":"put","thing":{"id":1,"kind":"lamp","label":"","owner":1,"weight":7}`
	putThing2   = `"op":"put","thing":{"id":2,"kind":"desk","label":"","owner":1}`
	putNote1    = `"op":"put","note":{"id":1,"title":"Dune","owner":1}`
)

// withAnn returns a home on a new disk with one row: ann, owner 1.
func withAnn(t testing.TB) (*home, *journaltest.Disk) {
	t.Helper()
	d := journaltest.New(1)
	h := mustOpen(t, d)
	must(t, h.Update(h.addOwner("ann")))
	return h, d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// live makes h worth compacting: many lines, and one thing that is still alive.
func (h *home) live(t testing.TB) {
	t.Helper()
	for range 5 {
		must(t, h.Update(h.addThing("gone", 1)))
		var last int
		h.View(func(tx *db.Tx) { last = h.things.Range(tx, db.Range{Desc: true, Max: 1})[0].row().ID })
		must(t, h.Update(remove(h.things, last)))
	}
	must(t, h.Update(h.addThing("alive", 1)))
}

// Errors of the rules below.
var (
	errTaken = errors.New("the key is taken")
	errNone  = errors.New("no such row")
)

func (h *home) addOwner(name string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		mail := name + "@example.com"
		if _, taken := h.byName.Find(tx, name); taken {
			return errTaken
		}
		if _, taken := h.byMail.Find(tx, mail); taken {
			return errTaken
		}
		h.owners.Put(tx, &owner{ID: h.owners.NewID(tx), Name: name, Mail: mail})
		return nil
	}
}

func (h *home) rename(id int, name string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		o, ok := h.owners.Get(tx, id)
		if !ok {
			return errNone
		}
		if other, taken := h.byName.Find(tx, name); taken && other.ID != id {
			return errTaken
		}
		renamed := *o
		renamed.Name = name
		h.owners.Put(tx, &renamed)
		return nil
	}
}

func (h *home) addThing(kind string, by int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		if _, ok := h.owners.Get(tx, by); !ok {
			return errNone
		}
		h.things.Put(tx, thingRow{ID: h.things.NewID(tx), Kind: kind, Owner: by}.thing())
		return nil
	}
}

func (h *home) addNote(title string, by int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		if _, taken := h.byTitle.Find(tx, title); taken {
			return errTaken
		}
		h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: title, Owner: by})
		return nil
	}
}

func (h *home) addSession(code string, by int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		if _, ok := h.owners.Get(tx, by); !ok {
			return errNone
		}
		h.sessions.Put(tx, &session{ID: h.sessions.NewID(tx), Code: code, Owner: by})
		return nil
	}
}

// remove returns rules that delete an existing row.
func remove[R any](t *db.Table[R], id int) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		if _, ok := t.Get(tx, id); !ok {
			return errNone
		}
		t.Delete(tx, id)
		return nil
	}
}

// rows are the rows of a home as "owner 1" → its JSON in the log.
type rows map[string]string

func (r rows) put(kind string, id int, row any) {
	r[fmt.Sprint(kind, " ", id)] = string(strictjson.Encode(row))
}

// seen returns the rows that tx shows.
func (h *home) seen(tx *db.Tx) rows {
	r := rows{}
	for id, o := range h.owners.All(tx) {
		r.put("owner", id, o)
	}
	for id, s := range h.sessions.All(tx) {
		r.put("session", id, s)
	}
	for id, t := range h.things.All(tx) {
		r.put("thing", id, t.row())
	}
	for id, n := range h.notes.All(tx) {
		r.put("note", id, n)
	}
	h.putLates(tx, r)
	return r
}

// visible returns the rows that readers see.
func (h *home) visible() (r rows) {
	h.View(func(tx *db.Tx) { r = h.seen(tx) })
	return r
}

// difference lists the rows that differ; "" for none.
func difference(got, want rows) string {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(got)) {
		if want[key] != got[key] {
			fmt.Fprintf(&b, "\n  got  %s %.300s", key, got[key])
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			fmt.Fprintf(&b, "\n  want %s %.300s", key, want[key])
		}
	}
	return b.String()
}

func wantRows(t testing.TB, got, want rows) {
	t.Helper()
	if diff := difference(got, want); diff != "" {
		t.Errorf("the rows differ:%s", diff)
	}
}

// logged returns a logger, and the text that it has logged.
func logged() (*slog.Logger, *strings.Builder) {
	var b strings.Builder
	return slog.New(slog.NewTextHandler(&b, nil)), &b
}

// A brake stops the disk at each fsync, or each write, of the data file.
type brake struct{ reached, gate, released chan struct{} }

// brakeOn sets a brake on a hook of a disk: &disk.OnSync or &disk.OnWrite.
func brakeOn(hook *func(string)) *brake {
	b := &brake{make(chan struct{}), make(chan struct{}), make(chan struct{})}
	*hook = func(name string) {
		if name != dataFile {
			return
		}
		select {
		case b.reached <- struct{}{}:
			select {
			case <-b.gate:
			case <-b.released:
			}
		case <-b.released:
		}
	}
	return b
}

// await returns once the disk has stopped. It fails if the Update ends first.
func (b *brake) await(t testing.TB, result <-chan error) {
	t.Helper()
	select {
	case <-b.reached:
	case err := <-result:
		t.Fatalf("Update returns %v, and the disk never got there", err)
	}
}

// step lets the disk run to its next stop.
func (b *brake) step() { b.gate <- struct{}{} }

// off removes the brake.
func (b *brake) off() { close(b.released) }

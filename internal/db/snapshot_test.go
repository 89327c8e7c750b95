package db_test

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"example.com/shelf/internal/journal"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/journal/journaltest"
	"example.com/shelf/internal/strictjson"
)

// export is what an export of h says.
func export(h *home, secrets bool) string {
	return string(h.Snapshot().Export(journaltest.Noon, secrets))
}

// imported is a home in memory that an export was read into.
func imported(text string) (*home, error) {
	h := newHome(db.Options{})
	from, err := documentOf(text)
	if err != nil {
		return nil, err
	}
	return h, h.Import(from)
}

func documentOf(text string) (*strictjson.Document, error) {
	return strictjson.ReadDocument(strings.NewReader(text), int64(len(text)), func(int64) {})
}

// furnished returns a home with rows of each kind, and some deleted rows.
func furnished(t testing.TB) *home {
	t.Helper()
	h := newHome(db.Options{})
	must(t, h.Update(func(tx *db.Tx) error {
		h.owners.Put(tx, &owner{ID: h.owners.NewID(tx), Name: "ann", Mail: "ann@example.com", Secret: "hush"})
		return nil
	}))
	for _, rules := range []func(*db.Tx) error{
		h.addOwner("bob"), h.addSession("s1", 1), h.addSession("s2", 2), h.addThing("lamp", 1), h.addThing("desk", 2),
		h.addNote("Dune", 1), h.addNote("Emma", 2), remove(h.owners, 2), remove(h.notes, 2),
	} {
		must(t, h.Update(rules))
	}
	return h
}

func TestExport(t *testing.T) {
	t.Parallel()
	h := furnished(t)
	want := `{"format":"shelf-export","version":1,"exported":"2026-11-22T12:00:00Z","last_ids":{"owner":2,"session":2,"thing":2,"note":2},
"owners":[
{"id":1,"name":"ann","mail":"ann@example.com","secret":"hush"}],
"sessions":[
{"id":1,"code":"s1","owner":1}],
"things":[
{"id":1,"kind":"lamp","label":"","owner":1},
{"id":2,"kind":"desk","label":""}],
"notes":[
{"id":1,"title":"Dune","owner":1}]}
`
	if got := export(h, true); got != want {
		t.Errorf("with secrets:\n%s\nwant\n%s", got, want)
	}
	want = strings.Replace(want, `,"secret":"hush"`, "", 1)
	if got := export(h, false); got != want {
		t.Errorf("without secrets:\n%s\nwant\n%s", got, want)
	}
	empty := `{"format":"shelf-export","version":1,"exported":"2026-11-22T12:00:00Z","last_ids":{"owner":0,"session":0,"thing":0,"note":0},
"owners":[],
"sessions":[],
"things":[],
"notes":[]}
`
	if got := export(newHome(db.Options{}), true); got != empty {
		t.Errorf("of nothing:\n%s\nwant\n%s", got, empty)
	}
}

// smallWrites is a writer that refuses a long text, as a full disk would.
type smallWrites struct{ most, written int }

func (w *smallWrites) Write(p []byte) (int, error) {
	if len(p) > w.most {
		return 0, errors.New("too long")
	}
	w.written += len(p)
	return len(p), nil
}

// An export is written in pieces, and stops at the first that can't be written.
func TestExportInPieces(t *testing.T) {
	t.Parallel()
	h := newHome(db.Options{})
	must(t, h.Update(func(tx *db.Tx) error {
		for range 1000 {
			h.notes.Put(tx, &note{ID: h.notes.NewID(tx), Title: strings.Repeat("long ", 300)})
		}
		return nil
	}))
	want := len(export(h, true))
	w := &smallWrites{most: 300_000}
	if err := h.Snapshot().ExportTo(w, journaltest.Noon, true); err != nil || w.written != want {
		t.Errorf("ExportTo writes %d bytes of %d, %v", w.written, want, err)
	}
	if err := h.Snapshot().ExportTo(&smallWrites{most: 1000}, journaltest.Noon, true); err == nil || err.Error() != "too long" {
		t.Errorf("ExportTo on a full disk = %v", err)
	}
}

// Export, Import and Fill give the same rows and ids, also after a restart.
func TestImportAndFill(t *testing.T) {
	t.Parallel()
	text := export(furnished(t), true)
	rehearsal, err := imported(text)
	must(t, err)
	wantSeen(t, rehearsal)
	d := journaltest.New(1)
	h := mustOpen(t, d)
	h.View(func(tx *db.Tx) {
		if !tx.Empty() {
			t.Error("a new home isn't empty")
		}
	})
	writes := d.Count("WriteAt " + dataFile)
	must(t, h.Fill(rehearsal.Snapshot()))
	if n := d.Count("WriteAt "+dataFile) - writes; n != 1 {
		t.Errorf("Fill made %d writes; want 1", n)
	}
	for range 2 {
		if got := export(h, true); got != text {
			t.Errorf("the export is\n%s\nwant\n%s", got, text)
		}
		wantSeen(t, h)
		if err := h.Fill(rehearsal.Snapshot()); err != db.ErrNotEmpty {
			t.Errorf("a second Fill = %v", err)
		}
		h = reopened(t, h, d)
	}
	must(t, h.Update(h.addNote("next", 0)))
	if h.visible()["note 3"] == "" {
		t.Errorf("the rows are %v; want note 3", h.visible())
	}
	// a home that has held rows is not empty again
	other, _ := withAnn(t)
	must(t, other.Update(remove(other.owners, 1)))
	if err := other.Fill(rehearsal.Snapshot()); err != db.ErrNotEmpty {
		t.Errorf("Fill after a deletion = %v", err)
	}
}

// Each imported row has to pass the checks. An error names the element.
func TestImportErrors(t *testing.T) {
	t.Parallel()
	good := export(furnished(t), true)
	for _, tt := range []struct{ name, was, is, want string }{
		{"as it is", "", "", ""},
		{"no list", `"notes":[
{"id":1,"title":"Dune","owner":1}]`, `"x":[]`, ""},
		{"a list that is null", `"things":[
{"id":1,"kind":"lamp","label":"","owner":1},
{"id":2,"kind":"desk","label":""}]`, `"things":null`, ""},
		{"a thing of an owner who is gone", `"label":"","owner":1`, `"label":"","owner":9`, ""},
		{"another format", "shelf-export", "shelf-import", `format "shelf-import", version 1: this shelf reads "shelf-export", version 1`},
		{"a newer version", `"version":1`, `"version":2`, `format "shelf-export", version 2: this shelf reads "shelf-export", version 1`},
		{"no format", `"format":"shelf-export",`, "", `format , version 1: this shelf reads "shelf-export", version 1`},
		{"a list that is a text", `"notes":[
{"id":1,"title":"Dune","owner":1}]`, `"notes":"none"`, "notes: must be a list"},
		{"last ids that are a list", `{"owner":2,"session":2,"thing":2,"note":2}`, "[]", "last_ids, the highest id of each kind: json: cannot unmarshal array into Go value of type map[string]int"},
		{"no last ids", `"last_ids"`, `"last"`, "last_ids, the highest id of each kind: EOF"},
		{"a last id of a table that isn't there", `"note":2}`, `"chair":2}`, `last_ids, the highest id of each kind: json: unknown field "chair"`},
		{"a last id that is too high", `"note":2}`, `"note":9223372036854775807}`, "last_ids: an id is above 4611686018427387903"},
		{"an unknown member", `"label":""}`, `"label":"","colour":"red"}`, `things[1]: json: unknown field "colour"`},
		{"what the table finds not valid", "ann@example.com", "ann", "owners[0]: not a mail address"},
		{"what the table's check refuses", `"name":"ann"`, `"name":""`, "owners[0]: an owner needs a name"},
		{"a session of an owner who is gone", `"code":"s1","owner":1`, `"code":"s1","owner":2`, "sessions[0]: owner 2 does not exist"},
		{"an id that is there already", `"id":2,"kind":"desk"`, `"id":1,"kind":"desk"`, "things[1]: id 1 is another thing's too"},
		{"a key that is there already", `"notes":[`, `"notes":[{"id":5,"title":"Dune"},`, "notes[1]: note 5 already has this title"},
		{"id 0", `"id":2,"kind":"desk"`, `"id":0,"kind":"desk"`, "things[1]: thing 0: ids go from 1 to 4611686018427387903"},
		{"an id that is too high", `"id":2,"kind":"desk"`, `"id":9223372036854775807,"kind":"desk"`, "things[1]: thing 9223372036854775807: ids go from 1 to 4611686018427387903"},
		{"a text that is not UTF-8", `"label":""}`, "\"label\":\"\xff\"}", "things[1]: must be valid UTF-8"},
		{"a row that is null", `"owners":[`, `"owners":[null,`, "owners[0]: owner 0: ids go from 1 to 4611686018427387903"},
		{"a row that is a number", `"things":[`, `"things":[7,`, "things[0]: json: cannot unmarshal number into Go value of type db_test.thingRow"},
	} {
		text := strings.Replace(good, tt.was, tt.is, 1)
		if tt.was != "" && text == good {
			t.Fatalf("%s: nothing is replaced", tt.name)
		}
		if _, err := imported(text); fmt.Sprint(err) != tt.want && (tt.want != "" || err != nil) {
			t.Errorf("%s: Import = %v; want %s", tt.name, err, tt.want)
		}
	}
}

// A snapshot is of one moment, whatever changes later. Another DB can continue
// from it.
func TestSnapshotAndLoad(t *testing.T) {
	t.Parallel()
	h := furnished(t)
	want, text := h.visible(), export(h, true)
	snapshot := h.Snapshot()
	must(t, h.Update(remove(h.owners, 1)))
	must(t, h.Update(h.addNote("later", 0)))

	other := newHome(db.Options{})
	other.Load(snapshot, 40)
	wantRows(t, other.visible(), want)
	wantSeen(t, other)
	if got := export(other, true); got != text {
		t.Errorf("the export is\n%s\nwant\n%s", got, text)
	}
	if other.LastSeq() != 40 {
		t.Errorf("LastSeq = %d; want 40", other.LastSeq())
	}
	if _, _, _, err := other.EventsAfter(39); err != db.ErrEventsGone {
		t.Errorf("the events before Load: %v", err)
	}
	must(t, other.Update(other.addNote("other", 0)))
	if got, next := events(t, other, 40); len(got) != 1 || got[0].Seq != 41 || next != 41 {
		t.Errorf("the events after Load are %v, up to %d", got, next)
	}
	if other.visible()["note 3"] == "" {
		t.Errorf("the rows are %v; want note 3", other.visible())
	}
}

// Progress is told of whatever goes through many rows, from the import of a document to
// the compaction and the next start.
func TestProgress(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	told := map[string]int{}
	tell := func(what string, done, total int64, unit string) {
		mu.Lock()
		defer mu.Unlock()
		told[what]++
		if done > total || unit != "rows" && unit != "bytes" {
			t.Errorf("%s: %d of %d %s", what, done, total, unit)
		}
	}
	rehearsal := newHome(db.Options{Progress: tell})
	rows := strings.Repeat(`{"id":%d,"kind":"lamp","label":""},`, 5000)
	ids := make([]any, 5000)
	for i := range ids {
		ids[i] = i + 1
	}
	document := `{"format":"shelf-export","version":1,"last_ids":{"owner":0,"session":0,"thing":5000,"note":0},"things":[` + strings.TrimSuffix(fmt.Sprintf(rows, ids...), ",") + `]}`
	from, err := documentOf(document)
	must(t, err)
	must(t, rehearsal.Import(from))
	rehearsal.Snapshot().Export(journaltest.Noon, true)

	d := journaltest.New(1)
	h := newHome(db.Options{Progress: tell})
	must(t, journal.OpenFor(h, d, dataFile, journal.Options{Progress: tell}, slog.New(slog.DiscardHandler)))
	must(t, h.Fill(rehearsal.Snapshot()))
	must(t, h.Update(remove(h.things, 1)))
	must(t, h.Compact())
	must(t, h.Close())
	for _, what := range []string{"checking the things", "exporting the rows", "preparing the rows", "writing " + dataFile, "compacting the data", "reading " + dataFile + ".new back"} {
		if told[what] < 2 && !strings.HasPrefix(what, "reading ") || told[what] < 1 { // a count, and the end
			t.Errorf("%s: told %d times, of %v", what, told[what], told)
		}
	}
}

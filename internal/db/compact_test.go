package db_test

import (
	"fmt"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A compaction keeps the committed rows, and numbers continue after it.
func TestCompaction(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	h.live(t)
	must(t, h.Update(h.addThing("last", 1)))
	must(t, h.Update(remove(h.things, 7)))
	seq, want := h.LastSeq(), h.visible()
	must(t, h.Compact())
	if h.LastSeq() != seq {
		t.Errorf("LastSeq is %d; want %d", h.LastSeq(), seq)
	}
	lines := strings.Split(strings.TrimSpace(content(d)), "\n")
	if len(lines) != 4 {
		t.Errorf("%d lines; want a header, the ids, an owner and a thing", len(lines))
	}
	if ids := `"op":"ids","last_ids":{"owner":1,"session":0,"thing":7,"note":0}`; !strings.Contains(lines[1], ids) {
		t.Errorf("the first line is %s; want %s", lines[1], ids)
	}
	wantRows(t, h.visible(), want)
	h = reopened(t, h, d)
	wantRows(t, h.visible(), want)
	if h.LastSeq() != seq {
		t.Errorf("after a restart LastSeq is %d; want %d", h.LastSeq(), seq)
	}
	must(t, h.Update(h.addThing("next", 1)))
	if _, there := h.visible()["thing 8"]; !there || h.LastSeq() != seq+1 {
		t.Errorf("afterwards the rows are %v, up to %d; want thing 8 at %d", h.visible(), h.LastSeq(), seq+1)
	}
	if n := h.State().Lines; n != 4 {
		t.Errorf("State counts %d lines; want 4", n)
	}
}

// Tidy runs before each compaction. If Tidy fails, there is no compaction.
func TestTidy(t *testing.T) {
	t.Parallel()
	var h *home
	var failed error
	d := journaltest.New(1)
	h, err := open(d, db.Options{Tidy: func() error {
		if failed != nil {
			return failed
		}
		return h.Update(remove(h.notes, 1))
	}})
	must(t, err)
	must(t, h.Update(h.addNote("old", 0)))
	must(t, h.Update(h.addNote("new", 0)))
	before := content(d)
	failed = errTaken
	if err := h.Compact(); err != errTaken || content(d) != before {
		t.Errorf("without Tidy, Compact = %v", err)
	}
	failed = nil
	must(t, h.Compact())
	wantRows(t, h.visible(), rows{"note 2": `{"id":2,"title":"new"}`})
	if strings.Contains(content(d), "old") {
		t.Errorf("the file is %s", content(d))
	}
}

// Reads and writes go on during a compaction, which carries over what is
// written meanwhile.
func TestCompactionBesideWrites(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	h.live(t)
	syncs := 0
	d.OnSync = func(name string) {
		if !strings.HasSuffix(name, ".new") {
			return
		}
		if syncs++; syncs < 3 { // at the third fsync writers wait
			must(t, h.Update(h.addThing("meanwhile", 1)))
			must(t, h.Update(h.rename(1, fmt.Sprint("ann ", syncs))))
		}
		h.visible() // readers never wait
		h.Snapshot()
	}
	must(t, h.Compact())
	want := h.visible()
	if len(want) != 4 || syncs != 3 {
		t.Errorf("%d rows, %d fsyncs", len(want), syncs)
	}
	wantRows(t, reopened(t, h, d).visible(), want)
}

// If any step of a compaction fails, the old file stays in use and the next
// compaction works.
func TestCompactionThatFails(t *testing.T) {
	t.Parallel()
	setUp := func() (*home, *journaltest.Disk) {
		h, d := withAnn(t)
		h.live(t)
		return h, d
	}
	h, d := setUp()
	start := d.Next()
	must(t, h.Compact())
	for at, call := range d.Calls() {
		if at < start {
			continue
		}
		for _, cause := range []error{journaltest.ErrIO, journaltest.ErrNoRoom} {
			h, d := setUp()
			d.Fail(journaltest.Fault{At: at, Err: cause})
			err := h.Compact()
			want := h.visible()
			// Until the folder is synced, a crash may bring the old file back.
			synced := !strings.HasPrefix(call.Name, "SyncDir")
			switch got := h.Update(h.addNote("after", 1)); {
			case (got == nil) != synced:
				t.Errorf("%s failed (%v); then a write: %v", call.Name, err, got)
			case got == nil:
				want["note 1"] = `{"id":1,"title":"after","owner":1}`
			}
			if err := h.Compact(); err != nil && synced {
				t.Errorf("%s failed; then another compaction: %v", call.Name, err)
			}
			if diff := difference(reopened(t, h, d).visible(), want); diff != "" {
				t.Errorf("%s failed; then a restart: %s", call.Name, diff)
			}
		}
	}
}

// A log of mostly outdated lines is compacted automatically: after writes, and
// at start.
func TestCompactionBeginsByItself(t *testing.T) {
	t.Parallel()
	h, d := withAnn(t)
	long := strings.Repeat("long ", 20000)
	grow := func(h *home) {
		must(t, h.Update(h.addThing(long, 1)))
		must(t, h.Update(remove(h.things, lastThing(h))))
	}
	for range 15 {
		grow(h)
	}
	must(t, h.Close()) // Close waits for compactions
	text := content(d)
	if len(text) > 1<<20 {
		t.Errorf("the file has %d bytes", len(text))
	}
	// a file that an older program left long
	body := `"op":"put","note":{"id":1,"title":"` + long + `"}`
	for seq := h.LastSeq() + 1; len(text) <= 1<<20; seq++ {
		text += journaltest.Line(seq, journaltest.Noon, body, 1)
	}
	d = diskWith(text)
	h = mustOpen(t, d)
	want := h.visible()
	must(t, h.Close())
	if n := len(content(d)); n > 1<<20 {
		t.Errorf("after a start the file has %d bytes", n)
	}
	wantRows(t, mustOpen(t, d).visible(), want)
}

func lastThing(h *home) (id int) {
	h.View(func(tx *db.Tx) { id = h.things.Range(tx, db.Range{Desc: true, Max: 1})[0].row().ID })
	return id
}

// A compaction without room is given up with a warning, and retried when the
// log has grown. Close waits for a running compaction and starts none.
func TestCompactionGivenUp(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	log, told := logged()
	full := &fullDisk{Disk: d}
	h := newHome(db.Options{Log: log})
	j, err := journal.Open(full, dataFile, journal.Options{})
	must(t, err)
	must(t, h.Open(j))
	long := strings.Repeat("long ", 20000)
	for i := range 40 {
		must(t, h.Update(func(tx *db.Tx) error {
			h.things.Put(tx, thingRow{ID: 1, Kind: long, Weight: int64(i)}.thing())
			return nil
		}))
	}
	must(t, h.Close())
	n := strings.Count(told.String(), "compaction failed; the data file is unchanged")
	if tries := full.tries(); n != tries || n < 1 || n > 5 || !strings.Contains(told.String(), "level=WARN") {
		t.Errorf("%d warnings of %d compactions: %s", n, tries, told)
	}
	wantRows(t, mustOpen(t, d).visible(), h.visible())
}

// A fullDisk has no room for another file.
type fullDisk struct {
	*journaltest.Disk
	mu    sync.Mutex
	tried int
}

func (d *fullDisk) Open(name string, create bool) (journal.File, error) {
	if strings.HasSuffix(name, ".new") {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.tried++
		return nil, journaltest.ErrNoRoom
	}
	return d.Disk.Open(name, create)
}

func (d *fullDisk) tries() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tried
}

// A compaction writes the lines of a snapshot taken when it began.
func TestCompactLines(t *testing.T) {
	t.Parallel()
	log := &recorder{}
	h := newHome(db.Options{})
	must(t, h.Open(log))
	must(t, h.Update(h.addOwner("ann")))
	must(t, h.Update(h.addSession("s1", 1)))
	must(t, h.Update(h.addThing("lamp", 1)))
	must(t, h.Update(h.addNote("Dune", 1)))
	log.meanwhile = func() { must(t, h.Update(h.addNote("meanwhile", 1))) }
	must(t, h.Compact())
	want := []string{
		`"op":"ids","last_ids":{"owner":1,"session":1,"thing":1,"note":1}`,
		`"op":"put","owner":{"id":1,"name":"ann","mail":"ann@example.com"}`,
		`"op":"put","session":{"id":1,"code":"s1","owner":1}`,
		`"op":"put","thing":{"id":1,"kind":"lamp","label":"","owner":1}`,
		`"op":"put","note":{"id":1,"title":"Dune","owner":1}`,
	}
	if got := strings.Join(log.snapshot, "\n"); got != strings.Join(want, "\n") || log.announced != len(want) {
		t.Errorf("the snapshot has\n%s\nand %d lines were announced; want\n%s", got, log.announced, strings.Join(want, "\n"))
	}
	must(t, h.Update(remove(h.things, 1)))
	if got := log.appended[len(log.appended)-1]; got != `"op":"delete","kind":"thing","id":1` {
		t.Errorf("a deletion is %s", got)
	}
}

// A recorder is a log in memory that records its calls.
type recorder struct {
	history.Memory
	appended, snapshot []string
	announced          int
	meanwhile          func() // called while the snapshot is written
}

func (r *recorder) Append(at time.Time, batch [][]byte) error {
	for _, body := range batch {
		r.appended = append(r.appended, string(body))
	}
	return r.Memory.Append(at, batch)
}

func (r *recorder) Compact(_ time.Time, n int, _ func([]history.Record) error) (func(iter.Seq[[]byte]) error, error) {
	r.announced = n
	return func(snapshot iter.Seq[[]byte]) error {
		r.meanwhile()
		for body := range snapshot {
			r.snapshot = append(r.snapshot, string(body))
		}
		return nil
	}, nil
}

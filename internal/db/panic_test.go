package db_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// A fuse is a row that can panic in any function of its schema.
type fuse struct {
	ID   int       `json:"id"`
	Text string    `json:"text"`
	At   time.Time `json:"at,omitzero"`
}

// fuses is a DB of them. A row blows where blows says, by its text.
func fuses(t *testing.T, disk journal.Disk, blows map[string]bool) (*db.DB, *db.Table[*fuse]) {
	t.Helper()
	blow := func(where string, f *fuse) {
		if f.Text == where && blows[where] {
			panic("a short circuit")
		}
	}
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	table := db.Add(d, db.Schema[*fuse]{
		Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID },
		Append: func(b []byte, f *fuse) []byte {
			blow("encode", f)
			return fmt.Appendf(b, `{"id":%d,"text":%q,"at":%q}`, f.ID, f.Text, f.At.Format(time.RFC3339))
		},
		Decode: func(text []byte, strict bool) (*fuse, error) {
			f, err := db.DecodeJSON[*fuse](text, strict)
			if err == nil {
				blow("decode", f)
			}
			return f, err
		},
		Event: func(tx *db.Tx, what db.Change, id int) string {
			if blows["commit"] && id == 2 {
				panic("a short circuit")
			}
			return "fuse"
		},
		Show: func(f *fuse) string { return f.Text },
	})
	j, err := journal.Open(disk, dataFile, journal.Options{})
	must(t, err)
	must(t, d.Open(j))
	return d, table
}

func putFuse(table *db.Table[*fuse], text string) func(*db.Tx) error {
	return func(tx *db.Tx) error {
		table.Put(tx, &fuse{ID: table.NewID(tx), Text: text})
		return nil
	}
}

func fuseTexts(d *db.DB, table *db.Table[*fuse]) string {
	var texts []string
	d.View(func(tx *db.Tx) {
		for _, f := range table.All(tx) {
			texts = append(texts, f.Text)
		}
	})
	return strings.Join(texts, " ")
}

// A panic at any step of a batch gives an error to all callers of this batch
// and of the next. The store continues, or is read-only. A restart finds the
// acknowledged rows.
func TestPanicInAWrite(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, where string
		goesOn      bool
		after       string // the rows after a restart
	}{
		{"a row that can't be encoded", "encode", true, "one two"},
		{"the log's write", "write", false, "one"},
		{"the log's fsync", "sync", false, "one write"},
		{"a batch that is durable and can't be applied", "commit", false, "one commit"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			blows := map[string]bool{tt.where: true}
			disk := journaltest.New(1)
			d, table := fuses(t, disk, blows)
			must(t, d.Update(putFuse(table, "one")))
			short := func(string) { panic("a short circuit") }
			text := tt.where
			switch tt.where {
			case "write":
				disk.OnWrite = short
			case "sync":
				disk.OnSync, text = short, "write"
			}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					if err := d.Update(putFuse(table, text)); err == nil {
						t.Error("a change was acknowledged")
					}
				})
			}
			wg.Wait()
			disk.OnWrite, disk.OnSync = nil, nil
			err := d.Update(putFuse(table, "two"))
			if (err == nil) != tt.goesOn {
				t.Errorf("the next Update = %v", err)
			}
			if !tt.goesOn && (!errors.Is(err, history.ErrReadOnly) || d.State().Failed == nil || d.Writable() == nil) {
				t.Errorf("the next Update = %v, State %v, Writable %v; want read-only everywhere", err, d.State().Failed, d.Writable())
			}
			must(t, d.Close())
			clear(blows)
			d, table = fuses(t, disk, blows)
			if got := fuseTexts(d, table); !strings.HasPrefix(got, tt.after) {
				t.Errorf("after a restart: %q; want %q", got, tt.after)
			}
			must(t, d.Update(putFuse(table, "three")))
			must(t, d.Close())
		})
	}
}

// A line that makes its decoder panic stops the start, which names the line. A
// compaction stops before it replaces the file.
func TestPanicInARead(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	blows := map[string]bool{}
	d, table := fuses(t, disk, blows)
	must(t, d.Update(putFuse(table, "decode")))
	blows["decode"] = true
	before, _ := disk.Content(dataFile)
	func() {
		defer func() { recover() }()
		if err := d.Compact(); err == nil {
			t.Error("a snapshot that can't be read took the place of the file")
		}
	}()
	if after, _ := disk.Content(dataFile); after != before {
		t.Error("the file has changed")
	}
	must(t, d.Update(putFuse(table, "two")))
	must(t, d.Close())
	j, err := journal.Open(disk, dataFile, journal.Options{})
	must(t, err)
	again := db.New(db.Options{Now: journaltest.Noon.UTC})
	db.Add(again, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }, Decode: func([]byte, bool) (*fuse, error) { panic("a short circuit") }})
	var damage *history.Damage
	if err := again.Open(j); !errors.As(err, &damage) || damage.Line != 2 {
		t.Errorf("Open = %v; want a damage in line 2", err)
	}
}

// A time whose year can't be written in UTC is rejected, whatever its source.
// So no accepted row makes the file unreadable.
func TestTimesAreJudgedInUTC(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"9999-12-31T23:59:59Z":          true,
		"9999-12-31T23:59:59+01:00":     true,
		"9999-12-31T23:59:59-01:00":     false,
		"9999-12-31T23:30:00.5-00:30":   false,
		"0000-01-01T00:00:00Z":          true,
		"0000-01-01T00:00:00-01:00":     true,
		"0000-01-01T00:00:00+01:00":     false,
		"2026-11-22T12:00:00+14:00":     true,
		"0001-01-01T00:00:00.999+00:01": true,
	} {
		line := fmt.Sprintf(`{"seq":1,"op":"put","fuse":{"id":1,"text":"x","at":%[1]q}}`+"\n"+`{"seq":2,"op":"put","fuse":{"id":1,"text":"x","at":%[1]q}}`+"\n", text)
		disk := journaltest.New(1)
		disk.Put(dataFile, journaltest.Header(0, 0)+line)
		d := db.New(db.Options{Now: journaltest.Noon.UTC})
		db.Add(d, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
		j, err := journal.Open(disk, dataFile, journal.Options{})
		must(t, err)
		if err := d.Open(j); (err == nil) != want {
			t.Errorf("a line with %s: %v", text, err)
		}
		if !want {
			at, _ := time.Parse(time.RFC3339, text)
			fresh := db.New(db.Options{Now: journaltest.Noon.UTC})
			table := db.Add(fresh, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
			err := fresh.Update(func(tx *db.Tx) error { table.Put(tx, &fuse{ID: table.NewID(tx), At: at}); return nil })
			if err == nil || !strings.Contains(err.Error(), "in UTC") {
				t.Errorf("a change with %s: %v", text, err)
			}
			continue
		}
		must(t, d.Compact())
		must(t, d.Close())
		j, err = journal.Open(disk, dataFile, journal.Options{})
		must(t, err)
		again := db.New(db.Options{Now: journaltest.Noon.UTC})
		table := db.Add(again, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
		if err := again.Open(j); err != nil {
			t.Errorf("%s after a compaction: %v", text, err)
		}
		if got := fuseTexts(again, table); got != "x" {
			t.Errorf("%s after a compaction: %q", text, got)
		}
	}
}

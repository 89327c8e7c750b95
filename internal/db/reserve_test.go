package db_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// On a full disk, changes that only end something are kept, even among many
// rejected writers. All other changes wait for room. A rejected change is never
// visible.
func TestEndingOnAFullDisk(t *testing.T) {
	t.Parallel()
	const reserve = 10_000
	disk := journaltest.New(1)
	j, err := journal.Open(disk, dataFile, journal.Options{Reserve: reserve})
	must(t, err)
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	table := db.Add(d, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
	must(t, d.Open(j))
	for range 20 {
		must(t, d.Update(putFuse(table, "alive")))
	}
	end := func(id int) func(*db.Tx) error {
		return func(tx *db.Tx) error {
			tx.AllowWhenFull()
			table.Put(tx, &fuse{ID: id, Text: "ended"})
			return nil
		}
	}
	text, _ := disk.Content(dataFile)
	disk.SetRoom(int64(len(text)) + reserve + 500)
	for err = nil; err == nil; {
		err = d.Update(putFuse(table, "more"))
	}
	if !errors.Is(err, history.ErrFull) {
		t.Fatalf("a full disk: %v", err)
	}
	var wg sync.WaitGroup
	for id := range 10 {
		wg.Go(func() {
			if err := d.Update(end(id + 1)); err != nil {
				t.Errorf("ending %d: %v", id+1, err)
			}
		})
		wg.Go(func() {
			if err := d.Update(putFuse(table, "refused")); !errors.Is(err, history.ErrFull) {
				t.Errorf("adding a row: %v", err)
			}
		})
	}
	wg.Wait()
	wantEnded := func(when string, d *db.DB, table *db.Table[*fuse], want int) {
		t.Helper()
		texts := fuseTexts(d, table)
		if n := strings.Count(texts, "ended"); n != want || strings.Contains(texts, "refused") {
			t.Errorf("%s: %d have ended; want %d: %s", when, n, want, texts)
		}
	}
	wantEnded("full", d, table, 10)
	// the reserve is finite; afterwards such changes are rejected too
	for n := 0; err == nil || n == 0; n++ {
		err = d.Update(end(20))
		if n > reserve {
			t.Fatal("the reserve has no end")
		}
	}
	if !errors.Is(err, history.ErrFull) {
		t.Errorf("without a reserve: %v", err)
	}
	disk.SetRoom(0)
	must(t, d.Update(putFuse(table, "room again")))
	text, _ = disk.Content(dataFile)
	disk.SetRoom(int64(len(text)) + reserve + 200) // enough room for a new reserve
	for err = nil; err == nil; {
		err = d.Update(putFuse(table, "more"))
	}
	must(t, d.Update(end(11)))
	must(t, d.Close())

	j, err = journal.Open(disk, dataFile, journal.Options{Reserve: reserve})
	must(t, err)
	again := db.New(db.Options{Now: journaltest.Noon.UTC})
	table = db.Add(again, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
	must(t, again.Open(j))
	wantEnded("after a restart", again, table, 12)
	must(t, again.Update(func(tx *db.Tx) error { tx.AllowWhenFull(); table.Delete(tx, 12); return nil }))
}

// A disk that never had room for the reserve is used up to its end.
func TestNoRoomForAReserve(t *testing.T) {
	t.Parallel()
	disk := journaltest.New(1)
	disk.SetRoom(2000)
	j, err := journal.Open(disk, dataFile, journal.Options{Reserve: 1 << 20})
	must(t, err)
	d := db.New(db.Options{Now: journaltest.Noon.UTC})
	table := db.Add(d, db.Schema[*fuse]{Name: "fuse", Plural: "fuses", ID: func(f *fuse) int { return f.ID }})
	must(t, d.Open(j))
	must(t, d.Update(putFuse(table, "one")))
}

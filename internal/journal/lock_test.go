package journal_test

import (
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// wantLocked checks that the file is locked.
func wantLocked(t *testing.T, disk journal.Disk, when string) {
	t.Helper()
	if _, err := journal.Open(disk, dataFile, journal.Options{}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("%s Open = %v; want %v", when, err, journal.ErrLocked)
	}
	if _, err := journal.Lock(disk, dataFile); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("%s Lock = %v; want %v", when, err, journal.ErrLocked)
	}
}

func TestOneWriter(t *testing.T) {
	t.Parallel()
	t.Run("a second one is refused", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, err := journal.Open(d, dataFile, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		wantLocked(t, d, "after Open")
		if _, err := read(j); err != nil {
			t.Fatal(err)
		}
		if err := j.Start(); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, one)
		wantLocked(t, d, "after Append")
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, d, dataFile)
	})
	t.Run("also after a compaction", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, s := withHistory(t, d)
		if err := compact(j, s); err != nil {
			t.Fatal(err)
		}
		wantLocked(t, d, "after a compaction")
		if err := j.Close(); err != nil {
			t.Error(err)
		}
		mustOpen(t, d, dataFile)
	})
	t.Run("while a file is only locked", func(t *testing.T) {
		t.Parallel()
		d := diskWith(journaltest.File(one))
		lock, err := journal.Lock(d, dataFile)
		if err != nil {
			t.Fatal(err)
		}
		wantLocked(t, d, "after Lock")
		if err := lock.Close(); err != nil {
			t.Fatal(err)
		}
		mustOpen(t, d, dataFile)
	})
	t.Run("after a start that failed", func(t *testing.T) {
		t.Parallel()
		d := diskWith("rubbish\n")
		j, err := journal.Open(d, dataFile, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := read(j); err == nil {
			t.Fatal("rubbish is a journal")
		}
		wantLocked(t, d, "before Close")
		j.Close()
		if _, err := journal.Open(d, dataFile, journal.Options{}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a replaced file is left alone", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, s := withHistory(t, d)
		text := content(d)
		d.Put(dataFile, text) // an editor replaces the file when it saves
		for range 2 {
			if err := j.Append(journaltest.Noon, bodies(one)); !errors.Is(err, history.ErrReadOnly) || !strings.Contains(err.Error(), "was removed or replaced by another program") {
				t.Errorf("a write: %v", err)
			}
		}
		if err := compact(j, s); err == nil {
			t.Error("a compaction overwrites it")
		}
		if content(d) != text {
			t.Error("the new file was changed")
		}
	})
	t.Run("a file replaced during a compaction too", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, s := withHistory(t, d)
		d.OnSync = func(name string) {
			if strings.HasSuffix(name, ".new") {
				d.Put(dataFile, "another program's")
			}
		}
		if err := compact(j, s); err == nil {
			t.Error("the compaction overwrites it")
		}
		if content(d) != "another program's" {
			t.Error("the new file was changed")
		}
		if j.State().Failed == nil {
			t.Error("State doesn't say that nothing can be written")
		}
	})
	t.Run("a removed file is noticed before a write", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, _ := withHistory(t, d)
		if err := d.Remove(dataFile); err != nil {
			t.Fatal(err)
		}
		if err := j.Check(); err == nil || !strings.Contains(err.Error(), "was removed or replaced by another program") {
			t.Errorf("Check = %v", err)
		}
		if j.State().Failed == nil {
			t.Error("State doesn't say that nothing can be written")
		}
	})
	t.Run("a foreign line is left alone", func(t *testing.T) {
		t.Parallel()
		d := journaltest.New(1)
		j, _ := mustOpen(t, d, dataFile)
		mustAppend(t, j, one)
		other, err := d.Open(dataFile, false)
		if err != nil {
			t.Fatal(err)
		}
		size, _ := other.Size()
		other.WriteAt([]byte(`{"seq":2,`+two+"}\n"), size)
		if err := j.Append(journaltest.Noon, bodies(three)); !errors.Is(err, history.ErrReadOnly) || !strings.Contains(err.Error(), "was changed by another program") {
			t.Errorf("a write: %v", err)
		}
		j.Close()
		if _, got := mustOpen(t, d, dataFile); got[2] != two || len(got) != 2 {
			t.Errorf("after a restart: %v", got)
		}
	})
	t.Run("a file replaced while it is opened", func(t *testing.T) {
		t.Parallel()
		d := diskWith(journaltest.File(one))
		var once sync.Once
		swap := &swappingDisk{Disk: d, before: func() { once.Do(func() { d.Put(dataFile, journaltest.File(two)) }) }}
		j, got := mustOpen(t, swap, dataFile)
		if got[2] != two {
			t.Errorf("replayed %v, of the old file", got)
		}
		mustAppend(t, j, three)
	})
}

// A swappingDisk calls before at the start of each Names.
type swappingDisk struct {
	*journaltest.Disk
	before func()
}

func (d *swappingDisk) Names(name string, f journal.File) (int64, bool, error) {
	d.before()
	return d.Disk.Names(name, f)
}

// Open removes a file that it created and can't use. With DropUnused, Close
// removes it if nothing was written. An existing file stays.
func TestUnusedFile(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name           string
		there, drop    bool
		fault          string // the call that fails
		written, stays bool
	}{
		{name: "nothing is written", drop: true},
		{name: "nothing is written, by a server", stays: true},
		{name: "something is written", drop: true, written: true, stays: true},
		{name: "the file was there", there: true, drop: true, stays: true},
		{name: "it can't be locked", fault: "Lock", stays: false},
		{name: "it can't be synced", fault: "Sync"},
		{name: "the file was there and can't be synced", there: true, fault: "Sync", stays: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := journaltest.New(1)
			if tt.there {
				d.Put(dataFile, journaltest.Header(0, 0))
			}
			for at := 0; tt.fault != "" && at < 20; at++ {
				// the fault strikes the first call of its kind
				dry := journaltest.New(1)
				if tt.there {
					dry.Put(dataFile, journaltest.Header(0, 0))
				}
				mustOpen(t, dry, dataFile)
				if calls := dry.Calls(); at < len(calls) && calls[at].Name == tt.fault+" "+dataFile {
					d.Fail(journaltest.Fault{At: at, Err: syscall.EINVAL})
					break
				}
			}
			j, err := journal.Open(d, dataFile, journal.Options{DropUnused: tt.drop})
			if err == nil {
				if _, err = read(j); err == nil {
					err = j.Start()
				}
				if err == nil && tt.written {
					mustAppend(t, j, one)
				}
				j.Close()
			}
			if (err != nil) != (tt.fault != "") {
				t.Errorf("a start: %v", err)
			}
			if _, stays := d.Content(dataFile); stays != tt.stays {
				t.Errorf("the file is there: %v; want %v", stays, tt.stays)
			}
		})
	}
}

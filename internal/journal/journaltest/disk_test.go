package journaltest_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// write makes a file called a with that content, and leaves it unsynced.
func write(t *testing.T, d *journaltest.Disk, content string) journal.File {
	t.Helper()
	f, err := d.Open("a", true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte(content), 0); err != nil {
		t.Fatal(err)
	}
	return f
}

// What a crash leaves depends on what was synced: the content, and the name.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		sync, named bool
		leave       journaltest.Leftover
		there       bool
		want        string
	}{
		{"nothing is synced", false, false, journaltest.LeaveNothing, false, ""},
		{"the name is synced", false, true, journaltest.LeaveNothing, true, ""},
		{"the content is synced", true, false, journaltest.LeaveNothing, false, ""},
		{"both are synced", true, true, journaltest.LeaveNothing, true, "content"},
		{"nothing is synced, and all survives", false, false, journaltest.LeaveAll, true, "content"},
	} {
		d := journaltest.New(7)
		f := write(t, d, "content")
		if tt.sync {
			f.Sync()
		}
		if tt.named {
			d.SyncDir(".")
		}
		got, there := d.Crash(tt.leave).Content("a")
		// A size that the file had may be left without its content.
		if tt.leave == journaltest.LeaveAll {
			got, tt.want = "", ""
		}
		if there != tt.there || got != tt.want {
			t.Errorf("%s: %q, %v; want %q, %v", tt.name, got, there, tt.want, tt.there)
		}
	}
}

// A fault strikes at its call, and ErrCrash at all that follow, too.
func TestFail(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	d.Fail(journaltest.Fault{At: 1, Keep: 3, Err: journaltest.ErrIO})
	d.Fail(journaltest.Fault{At: 3, Err: journaltest.ErrCrash})
	f, err := d.Open("a", true)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := f.WriteAt([]byte("content"), 0); n != 3 || err != journaltest.ErrIO {
		t.Errorf("call 1: %d, %v; want 3 bytes and %v", n, err, journaltest.ErrIO)
	}
	if size, err := f.Size(); size != 3 || err != nil {
		t.Errorf("call 2: %d, %v; want 3", size, err)
	}
	for range 2 {
		if err := f.Sync(); !errors.Is(err, journaltest.ErrCrash) || !d.Dead() {
			t.Errorf("call 3 and later: %v; want %v", err, journaltest.ErrCrash)
		}
	}
	want := []journaltest.Call{{"Open a", 0}, {"WriteAt a", 7}, {"Size a", 0}, {"Sync a", 0}}
	if got := d.Calls(); !slices.Equal(got, want) {
		t.Errorf("calls %v; want %v", got, want)
	}
}

// A Sync that failed is not made good by the next one.
func TestFailedSync(t *testing.T) {
	t.Parallel()
	lost := 0
	for seed := range uint64(20) {
		d := journaltest.New(seed)
		f := write(t, d, strings.Repeat("x", 10*journaltest.Sector))
		d.SyncDir(".")
		d.Fail(journaltest.Fault{At: d.Next(), Err: journaltest.ErrIO})
		if err := f.Sync(); err != journaltest.ErrIO {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		if got, _ := d.Crash(journaltest.LeaveNothing).Content("a"); strings.Trim(got, "x") != "" {
			lost++
		}
	}
	if lost == 0 {
		t.Error("of twenty failed Syncs none has lost anything")
	}
}

func TestSetRoom(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	d.SetRoom(10)
	f := write(t, d, "1234567")
	if n, err := f.WriteAt([]byte("890AB"), 7); n != 3 || err != journaltest.ErrNoRoom {
		t.Errorf("WriteAt = %d, %v; want the 3 bytes that fit", n, err)
	}
	d.SetRoom(0)
	if _, err := f.WriteAt([]byte("890AB"), 7); err != nil {
		t.Error(err)
	}
}

// A lock ends with its file, and with the process.
func TestLock(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	d.Put("a", "")
	var files [3]journal.File
	for i := range files {
		var err error
		if files[i], err = d.Open("a", false); err != nil {
			t.Fatal(err)
		}
	}
	for i, f := range files {
		if err := f.Lock(); err != nil {
			t.Errorf("file %d: %v", i, err)
		}
		if err := files[(i+1)%3].Lock(); i < 2 && !errors.Is(err, journal.ErrLocked) {
			t.Errorf("a second lock: %v; want %v", err, journal.ErrLocked)
		}
		if i == 0 {
			f.Close()
		} else {
			d.Kill()
		}
	}
}

// Attempted tells the bodies of a batch, also of one that never arrived.
func TestAttempted(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	d.Put("a", journaltest.File(`"n":1`))
	j, err := journal.Open(d, "a", journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Attempted("a"); err != nil {
		t.Fatal(err)
	}
	if err := j.Replay(func([]history.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := j.Start(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second has a mark in front
		d.Forget()
		if got, err := d.Attempted("a"); got != nil || err != nil {
			t.Errorf("after Forget Attempted = %q, %v", got, err)
		}
		d.Fail(journaltest.Fault{At: d.Next() + 1, Keep: 5, Err: journaltest.ErrNoRoom})
		if err := j.Append(journaltest.Noon, [][]byte{[]byte(`"n":2`), []byte(`"n":3`)}); err == nil {
			t.Fatal("the fault did not strike")
		}
		got, err := d.Attempted("a")
		if err != nil || len(got) != 2 || string(got[0]) != `"n":2` || string(got[1]) != `"n":3` {
			t.Errorf("Attempted = %q, %v", got, err)
		}
	}
}

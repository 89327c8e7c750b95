package journal_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal/journaltest"
)

// Need changes the header and no line.
func TestNeed(t *testing.T) {
	t.Parallel()
	first, second := line(1, put(1, "ann"), 1), line(2, put(2, "bob"), 1)
	for _, tt := range []struct {
		name, before, after string
		found               int // version in the file before
	}{
		{"a file without lines", journaltest.Header(0, 0), journaltest.HeaderOf(2, 0, 0), 1},
		{"lines stay", journaltest.Header(0, 0) + first + second, journaltest.HeaderOf(2, 0, 0) + first + second, 1},
		{"a snapshot stays one", journaltest.Header(0, 1) + first + second, journaltest.HeaderOf(2, 0, 1) + first + second, 1},
		{"what a failed write left stays", journaltest.Header(0, 0) + first + `{"seq":2 #refused` + "\n" + second, journaltest.HeaderOf(2, 0, 0) + first + `{"seq":2 #refused` + "\n" + second, 1},
		{"a header by hand gets a checksum", `{"format":"shelf","version":1, "after":0,"snapshot":0}` + "\r\n" + first, journaltest.HeaderOf(2, 0, 0) + first, 1},
		{"a line by hand stays", journaltest.Header(0, 0) + `{"seq":1, "op":"put","n":1}` + "\n", journaltest.HeaderOf(2, 0, 0) + `{"seq":1, "op":"put","n":1}` + "\n", 1},
		{"a file that says so already is left alone", `{"format":"shelf","version":2,"after":0,"snapshot":0}` + "\n" + first, `{"format":"shelf","version":2,"after":0,"snapshot":0}` + "\n" + first, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := diskWith(tt.before)
			j, s := mustOpen(t, d, dataFile)
			if got := j.Found().Version; got != tt.found {
				t.Errorf("a start finds version %d; want %d", got, tt.found)
			}
			lines := j.State().Lines
			if err := j.Need(2); err != nil {
				t.Fatal(err)
			}
			if got := content(d); got != tt.after {
				t.Errorf("the file is\n%s\nwant\n%s", got, tt.after)
			}
			if got := j.State(); got != (history.State{Bytes: int64(len(tt.after)), Lines: lines}) {
				t.Errorf("State = %+v", got)
			}
			mustAppend(t, j, put(9, "after"))
			if err := j.Need(2); err != nil {
				t.Fatal(err)
			}
			s[9] = put(9, "after")
			if err := j.Close(); err != nil {
				t.Fatal(err)
			}
			j, got := mustOpen(t, d, dataFile)
			if diff := difference(got, s); diff != "" || j.Found().Version != 2 {
				t.Errorf("after a restart: version %d\n%s", j.Found().Version, diff)
			}
		})
	}
}

// Compaction keeps a higher version.
func TestNeedOutlivesCompaction(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	if err := j.Need(2); err != nil {
		t.Fatal(err)
	}
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	if got, want := content(d), journaltest.HeaderOf(2, 9, 11); !strings.HasPrefix(got, want) {
		t.Errorf("the file is\n%s\nwant %s in front", got, want)
	}
}

// Need waits for a compaction, because both write a file of the same name.
func TestNeedBesideCompaction(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	write, err := j.Compact(journaltest.Noon, len(s), anyLine)
	if err != nil {
		t.Fatal(err)
	}
	needed := make(chan error, 1)
	go func() { needed <- j.Need(2) }()
	if err := write(s.snapshot()); err != nil {
		t.Fatal(err)
	}
	if err := <-needed; err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, put(10, "after"))
	s[10] = put(10, "after")
	j.Close()
	j, got := mustOpen(t, d, dataFile)
	if !maps.Equal(got, s) || j.Found().Version != 2 {
		t.Errorf("version %d\n%s", j.Found().Version, difference(got, s))
	}
}

// Need fails on a full disk or for a replaced file, and changes nothing.
func TestNeedRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		spoil func(*journaltest.Disk)
		want  error
	}{
		{"a full disk", func(d *journaltest.Disk) { d.SetRoom(int64(len(content(d))) + 10) }, history.ErrFull},
		{"a broken disk", func(d *journaltest.Disk) {
			d.Fail(journaltest.Fault{At: d.Next() + 2, Err: journaltest.ErrIO})
		}, history.ErrReadOnly},
		{"another file has the name", func(d *journaltest.Disk) { d.Put(dataFile, content(d)) }, history.ErrReadOnly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := journaltest.New(1)
			j, _ := mustOpen(t, d, dataFile)
			mustAppend(t, j, put(1, "ann"))
			before := content(d)
			tt.spoil(d)
			if err := j.Need(2); !errors.Is(err, tt.want) {
				t.Errorf("Need = %v; want %v", err, tt.want)
			}
			if got := content(d); got != before {
				t.Errorf("the file is\n%s\nwant\n%s", got, before)
			}
			if _, ok := d.Content(dataFile + ".new"); ok {
				t.Error("the new file is still there")
			}
		})
	}
}

// Need fails once the journal has failed, even if a former call has raised the version:
// a crash may bring the old file back.
func TestNeedAfterAFailure(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	before := d.Next()
	if err := j.Need(2); err != nil {
		t.Fatal(err)
	}
	calls := d.Next() - before
	d = journaltest.New(1)
	j, _ = mustOpen(t, d, dataFile)
	d.Fail(journaltest.Fault{At: d.Next() + calls - 1, Err: journaltest.ErrIO}) // the folder's sync
	for range 2 {
		if err := j.Need(2); !errors.Is(err, history.ErrReadOnly) {
			t.Errorf("Need = %v; want %v", err, history.ErrReadOnly)
		}
	}
}

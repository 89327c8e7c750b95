package journal_test

import (
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/journal/journaltest"
)

// withHistory returns a journal worth compacting: eleven lines, two of them
// alive.
func withHistory(t testing.TB, disk journal.Disk) (*journal.Journal, state) {
	t.Helper()
	j, s := mustOpen(t, disk, dataFile)
	batches := [][]string{{put(1, "ann")}}
	for range 4 {
		batches = append(batches, []string{put(2, "gone")}, []string{remove(2)})
	}
	batches = append(batches, []string{put(3, "alive"), put(3, "alive and edited")})
	for _, batch := range batches {
		mustAppend(t, j, batch...)
		if err := s.apply(bodies(batch...)); err != nil {
			t.Fatal(err)
		}
	}
	return j, s
}

func TestCompact(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	want := journaltest.Header(9, 11) + line(10, put(1, "ann"), 1) + line(11, put(3, "alive and edited"), 1)
	if got := content(d); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
	if got := j.State(); got != (history.State{Bytes: int64(len(want)), Lines: 2}) {
		t.Errorf("State = %+v", got)
	}
	// numbers and file continue
	mustAppend(t, j, put(4, "after"))
	want += line(12, put(4, "after"), 1)
	if got := content(d); got != want {
		t.Errorf("then the file is\n%s\nwant\n%s", got, want)
	}
	j.Close()
	j, got := mustOpen(t, d, dataFile)
	s[4] = put(4, "after")
	if diff := difference(got, s); diff != "" {
		t.Error(diff)
	}
	if seq, snapshot := j.Last(); seq != 12 || snapshot != 11 {
		t.Errorf("Last = %d, %d; want 12, 11", seq, snapshot)
	}
	if _, ok := d.Content(dataFile + ".new"); ok {
		t.Error("the new file is still there")
	}
}

// A snapshot without rows keeps the numbers too.
func TestCompactToNothing(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, _ := mustOpen(t, d, dataFile)
	mustAppend(t, j, put(1, "one"), remove(1))
	if err := compact(j, state{}); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, put(2, "two"))
	if got, want := content(d), journaltest.Header(2, 2)+line(3, put(2, "two"), 1); got != want {
		t.Errorf("the file is\n%s\nwant\n%s", got, want)
	}
}

// Lines appended while the new file is written are carried over.
func TestCompactBesideAppend(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	write, err := j.Compact(journaltest.Noon, len(s), anyLine)
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, put(10, "before the snapshot"))
	syncs := 0
	d.OnSync = func(name string) {
		if strings.HasSuffix(name, ".new") {
			if syncs++; syncs <= 2 { // at the third fsync Append waits
				mustAppend(t, j, put(10+syncs, "meanwhile"), put(20+syncs, strings.Repeat("long ", 500)))
			}
		}
	}
	if err := write(s.snapshot()); err != nil {
		t.Fatal(err)
	}
	if syncs != 3 {
		t.Errorf("%d syncs of the new file; want 3", syncs)
	}
	for n, text := range map[int]string{10: "before the snapshot", 11: "meanwhile", 12: "meanwhile", 21: strings.Repeat("long ", 500), 22: strings.Repeat("long ", 500)} {
		s[n] = put(n, text)
	}
	if got := j.State(); got != (history.State{Bytes: int64(len(content(d))), Lines: 2 + 5}) {
		t.Errorf("State = %+v", got)
	}
	j.Close()
	if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
}

// Append, Check and a compaction at the same time, for the race detector.
func TestCompactRace(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	for range 20 {
		write, err := j.Compact(journaltest.Noon, len(s), anyLine)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- write(maps.Clone(s).snapshot()) }()
		for running := true; running; {
			select {
			case err := <-done:
				if running = false; err != nil {
					t.Fatal(err)
				}
			default:
				mustAppend(t, j, put(1, "again"))
				if j.Check() != nil || j.State().Lines < 2 {
					t.Errorf("State = %+v", j.State())
				}
			}
		}
		s[1] = put(1, "again")
		mustAppend(t, j, s[1])
	}
	j.Close()
	if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
}

// A rejected compaction changes nothing.
func TestCompactRefused(t *testing.T) {
	t.Parallel()
	lines := func(bodies ...string) iter.Seq[[]byte] {
		return func(yield func([]byte) bool) {
			for _, body := range bodies {
				if !yield([]byte(body)) {
					return
				}
			}
		}
	}
	for _, tt := range []struct {
		name string
		do   func(j *journal.Journal) error
		want string
	}{
		{"more lines than were ever written", func(j *journal.Journal) error {
			_, err := j.Compact(journaltest.Noon, 12, anyLine)
			if !errors.Is(err, journal.ErrNoHistory) {
				return nil
			}
			return err
		}, "nothing to compact"},
		{"a snapshot that is too short", func(j *journal.Journal) error {
			write, err := j.Compact(journaltest.Noon, 3, anyLine)
			if err != nil {
				return nil
			}
			return write(lines(one, two))
		}, "the snapshot does not have the announced 3 lines"},
		{"a snapshot that is too long", func(j *journal.Journal) error {
			write, err := j.Compact(journaltest.Noon, 1, anyLine)
			if err != nil {
				return nil
			}
			return write(lines(one, two))
		}, "the snapshot does not have the announced 1 lines"},
		{"two at a time", func(j *journal.Journal) error {
			write, err := j.Compact(journaltest.Noon, 1, anyLine)
			if err != nil {
				return nil
			}
			_, err = j.Compact(journaltest.Noon, 1, anyLine)
			write(lines())
			return err
		}, "a compaction is already running"},
		{"a journal that is closed meanwhile", func(j *journal.Journal) error {
			write, err := j.Compact(journaltest.Noon, 1, anyLine)
			if err != nil {
				return nil
			}
			j.Close()
			return write(lines(one))
		}, "closed"},
		{"a snapshot that panics", func(j *journal.Journal) (err error) {
			write, err := j.Compact(journaltest.Noon, 1, anyLine)
			if err != nil {
				return nil
			}
			defer func() { err, _ = recover().(error) }()
			return write(func(func([]byte) bool) { panic(errors.New("a bug in the tables")) })
		}, "a bug in the tables"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := journaltest.New(1)
			j, s := withHistory(t, d)
			before := content(d)
			if err := tt.do(j); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v; want %s", err, tt.want)
			}
			if content(d) != before {
				t.Error("the file was changed")
			}
			if _, ok := d.Content(dataFile + ".new"); ok {
				t.Error("the new file is still there")
			}
			if j.State().Failed != nil {
				return // closed
			}
			if err := compact(j, s); err != nil {
				t.Errorf("a compaction after it: %v", err)
			}
			mustAppend(t, j, put(9, "after"))
		})
	}
}

// A compaction that fails at any call leaves the old file in use.
func TestCompactFault(t *testing.T) {
	t.Parallel()
	// The calls of a compaction, to make each fail.
	d := journaltest.New(1)
	j, s := withHistory(t, d)
	first := d.Next()
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	for at, call := range d.Calls() {
		if at < first {
			continue
		}
		d := journaltest.New(1)
		j, s := withHistory(t, d)
		d.Fail(journaltest.Fault{At: at, Err: journaltest.ErrNoRoom})
		err := compact(j, s)
		unsynced := strings.HasPrefix(call.Name, "SyncDir")
		got := j.Append(journaltest.Noon, bodies(put(9, "after")))
		if (got != nil) != unsynced || (j.State().Failed != nil) != unsynced {
			t.Errorf("%s failed (%v); then a write: %v", call.Name, err, got)
		}
		if got == nil {
			s[9] = put(9, "after")
		}
		if _, _, err := open(d, dataFile); err == nil {
			t.Errorf("%s failed; then a second process may open the file", call.Name)
		}
		// the next compaction works
		if err := compact(j, s); err != nil && !unsynced {
			t.Errorf("%s failed; then another compaction: %v", call.Name, err)
		}
		if err := j.Close(); err != nil {
			t.Errorf("%s failed; then Close: %v", call.Name, err)
		}
		if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
			t.Errorf("%s failed; then %s", call.Name, difference(got, s))
		}
	}
}

// A closingDisk closes both files in Replace, as on Windows. If renamed or
// opened is set, the rename or the opening after it fails.
type closingDisk struct {
	*journaltest.Disk
	renamed, opened error
}

func (d *closingDisk) Replace(f journal.File, from, to string, old journal.File) (journal.File, error) {
	f.Close()
	old.Close()
	if d.renamed == nil {
		d.Rename(from, to)
	}
	if d.opened != nil {
		return nil, errors.Join(d.renamed, d.opened)
	}
	f, err := d.Open(to, false)
	if err == nil {
		err = f.Lock()
	}
	return f, errors.Join(d.renamed, err)
}

// A compaction that can't rename its file leaves the old one in use, even if
// that had to be closed before.
func TestCompactCannotRename(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name            string
		renamed, opened error
		write           error // error of the next write
	}{
		{"it can", nil, nil, nil},
		{"another program reads the old file", journaltest.ErrIO, nil, nil},
		{"and it can't be opened again", journaltest.ErrIO, journal.ErrLocked, history.ErrReadOnly},
		{"the new file can't be opened", nil, journal.ErrLocked, history.ErrReadOnly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := &closingDisk{Disk: journaltest.New(1), renamed: tt.renamed, opened: tt.opened}
			j, s := withHistory(t, d)
			if err := compact(j, s); (err == nil) != (tt.renamed == nil && tt.opened == nil) {
				t.Errorf("compact = %v; want %v, %v", err, tt.renamed, tt.opened)
			}
			err := j.Append(journaltest.Noon, bodies(put(9, "after")))
			if !errors.Is(err, tt.write) {
				t.Errorf("a write after it: %v; want %v", err, tt.write)
			}
			if err == nil {
				s[9] = put(9, "after")
			}
			if err := j.Check(); (err == nil) != (tt.write == nil) {
				t.Errorf("Check = %v; want it to say whether writes work", err)
			}
			j.Close()
			d.renamed, d.opened = nil, nil
			if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
				t.Error(difference(got, s))
			}
		})
	}
}

// A large snapshot is written in several pieces.
func TestCompactLarge(t *testing.T) {
	t.Parallel()
	d := journaltest.New(1)
	j, s := mustOpen(t, d, dataFile)
	var batch []string
	for n := range 2000 {
		batch = append(batch, put(n, strings.Repeat("long ", 100)))
	}
	mustAppend(t, j, slices.Concat(batch, batch)...)
	if err := s.apply(bodies(batch...)); err != nil {
		t.Fatal(err)
	}
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	if n := d.Count("WriteAt " + dataFile + ".new"); n < 3 {
		t.Errorf("a megabyte went in %d writes; want several", n)
	}
	j.Close()
	if _, got := mustOpen(t, d, dataFile); !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
}

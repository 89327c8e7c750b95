package journal_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

// The real disk gives the same results: a start, writes, a compaction, a torn
// tail, a restart.
func TestOS(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), dataFile)
	j, s := mustOpen(t, journal.OS{}, path)
	for range 3 {
		mustAppend(t, j, one, two)
	}
	s[1], s[2] = one, two
	if _, err := journal.Open(journal.OS{}, path, journal.Options{}); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a second Open = %v", err)
	}
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Lock(journal.OS{}, path); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("Lock after a compaction = %v", err)
	}
	mustAppend(t, j, three)
	s[3] = three
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteString(`{"seq":`)
	f.Close()

	j, got := mustOpen(t, journal.OS{}, path)
	defer j.Close()
	if !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
	if text, err := os.ReadFile(path + ".torn"); string(text) != `{"seq":` {
		t.Errorf("the torn tail is %q, %v", text, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %o; want 600", info.Mode().Perm())
	}
	// Read needs no lock
	r, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	found, err := journal.Read(r, info.Size(), func([]history.Record) error { return nil })
	if err != nil || found.Lines != 3 || found.Seq != 7 || found.Snapshot != 6 {
		t.Errorf("Read = %+v, %v", found, err)
	}
}

func TestOSCannotOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "nowhere", dataFile), dir} {
		_, err := journal.Open(journal.OS{}, path, journal.Options{})
		if err == nil {
			t.Fatalf("Open(%s) works", path)
		}
		if text := journal.Explain(path, err).Error(); !strings.HasPrefix(text, "can't open the data file ") {
			t.Errorf("Explain: %s", text)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "nowhere")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a folder was made")
	}
}

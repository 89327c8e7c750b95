//go:build !windows

package journal_test

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/shelf/internal/journal"
)

// A compacted file keeps the owner of the old one, even if root compacts it for
// a service. Only root can test a change of owner.
func TestCompactKeepsTheOwner(t *testing.T) {
	t.Parallel()
	const service = 12345
	want := service
	if os.Geteuid() != 0 {
		want = os.Geteuid() // no change of owner
	}
	path := filepath.Join(t.TempDir(), dataFile)
	j, s := mustOpen(t, journal.OS{}, path)
	defer j.Close()
	mustAppend(t, j, one, two, remove(2))
	s[1] = one
	if err := os.Chown(path, want, -1); err != nil {
		t.Fatal(err)
	}
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(want) || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600 and the owner %d", info, err, want)
	}
	mustAppend(t, j, three)
}

// If the data file is a symbolic link, the journal uses the file that it points
// to.
func TestSymbolicLink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "real.jsonl")
	link := filepath.Join(dir, dataFile)
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if _, _, err := open(journal.OS{}, link); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("opening a link to nothing = %v; want that there is no such file", err)
	}

	j, _ := mustOpen(t, journal.OS{}, elsewhere)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, s := mustOpen(t, journal.OS{}, link)
	mustAppend(t, j, one, two, remove(2))
	s[1] = one
	if err := compact(j, s); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("after a compaction the link is %v, %v; want a link", info.Mode(), err)
	}
	mustAppend(t, j, three)
	s[3] = three
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j, got := mustOpen(t, journal.OS{}, elsewhere)
	defer j.Close()
	if !maps.Equal(got, s) {
		t.Error(difference(got, s))
	}
}

//go:build !windows

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What takes the place of a file belongs to whom that belonged to, also where root
// has done it for a service. The test of it takes root.
func TestReplacedFilesKeepTheirOwner(t *testing.T) {
	t.Parallel()
	const service = 12345
	want := service
	if os.Geteuid() != 0 {
		want = os.Geteuid() // it changes nothing then
	}
	path := filepath.Join(t.TempDir(), dataFile)
	key := keyPath(path)
	s, err := openStore(osDisk{}, path, quiet, clockAtNoon)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	if err := s.signUp(&user{Username: "ann", PublicID: "a"}); err != nil {
		t.Fatal(err)
	}
	history(t, s)
	writeTestFile(t, filepath.Dir(path), filepath.Base(key), "old")
	for _, name := range []string{path, key} {
		if err := os.Chown(name, want, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.compact(); err != nil {
		t.Fatal(err)
	}
	if err := writeFileDurably(key, []byte("new")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, key} {
		info, err := os.Stat(name)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(want) || info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v, %v; want mode 0600 and the owner %d", name, info, err, want)
		}
	}
	if err := s.addItem(&item{Itemname: "after", CreatedBy: 1}); err != nil {
		t.Errorf("a write after it: %v", err)
	}
}

// Where the data file is a symbolic link, what it points to is the data file.
func TestStoreBehindASymbolicLink(t *testing.T) {
	t.Parallel()
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "real.jsonl")
	link := filepath.Join(dir, dataFile)
	open := func(name string) *store {
		t.Helper()
		s, err := openStore(osDisk{}, name, quiet, clockAtNoon)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.close() })
		return s
	}
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(osDisk{}, link, quiet, clockAtNoon); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("openStore of a link to nothing = %v; want that there is no such file", err)
	}

	if err := open(elsewhere).close(); err != nil {
		t.Fatal(err)
	}
	s := open(link)
	if err := s.signUp(&user{Username: "ann", PublicID: "a"}); err != nil {
		t.Fatal(err)
	}
	history(t, s)
	if err := s.compact(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("after a compaction the link is %v, %v; want a link", info.Mode(), err)
	}
	if err := s.addItem(&item{Itemname: "after", CreatedBy: 1}); err != nil {
		t.Errorf("a write after it: %v", err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	if _, items, _ := open(elsewhere).counts(); items != 2 {
		t.Errorf("the file that the link points to has %d items; want 2", items)
	}
}

//go:build !windows

package durable_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"example.com/shelf/internal/durable"
)

// A file that takes another's place belongs to the same owner, also when root
// writes it for a service. Only root can test that it is given away.
func TestWriteFileKeepsTheOwner(t *testing.T) {
	t.Parallel()
	const service = 12345
	want := service
	if os.Geteuid() != 0 {
		want = os.Geteuid() // it changes nothing then
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, want, -1); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != uint32(want) || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v; want mode 0600 and the owner %d", info, err, want)
	}
	wantContent(t, path, "new")
}

func TestKeepOwner(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if durable.KeepOwner(f, f.Name()) {
		t.Error("a file with the same owner counts as changed")
	}
	if durable.KeepOwner(f, filepath.Join(dir, "nowhere")) {
		t.Error("the owner of no file was taken over")
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{syscall.ENOSPC, true},
		{syscall.EDQUOT, true},
		{syscall.EFBIG, true},
		{&fs.PathError{Op: "write", Path: "file", Err: syscall.ENOSPC}, true},
		{fmt.Errorf("moving: %w", syscall.EFBIG), true},
		{syscall.EIO, false},
		{errors.New("no space left on device"), false},
		{nil, false},
	} {
		if got := durable.Full(tt.err); got != tt.want {
			t.Errorf("Full(%v) = %v", tt.err, got)
		}
	}
}

// A file-size limit must not end the process.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if !signal.Ignored(syscall.SIGXFSZ) {
		t.Error("SIGXFSZ is not ignored")
	}
}

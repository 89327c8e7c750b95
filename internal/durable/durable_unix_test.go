//go:build !windows

package durable_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"example.com/shelf/internal/durable"
)

// A replaced file keeps its owner, even if root writes it for a service. Only
// root can test a change of owner.
func TestWriteFileKeepsTheOwner(t *testing.T) {
	t.Parallel()
	const service = 12345
	want := service
	if os.Geteuid() != 0 {
		want = os.Geteuid() // no change of owner
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

// A file-size limit doesn't end the process.
func TestFileSizeLimit(t *testing.T) {
	t.Parallel()
	if !signal.Ignored(syscall.SIGXFSZ) {
		t.Error("SIGXFSZ is not ignored")
	}
}

// Anything but a regular file is rejected at once. A link is followed for
// reading only.
func TestOpenRegular(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link, pipe, loose := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "pipe"), filepath.Join(dir, "loose")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), os.Symlink(file, link), syscall.Mkfifo(pipe, 0o600), os.Symlink(pipe, loose)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, read, here string }{
		{file, "", ""},
		{link, "", "it is a symbolic link, not a file"},
		{pipe, "it is a named pipe, not a file", "it is a named pipe, not a file"},
		{loose, "it is a named pipe, not a file", "it is a symbolic link, not a file"},
		{dir, "is a directory", "is a directory"},
		{"/dev/zero", "it is a device, not a file", "it is a device, not a file"},
		{filepath.Join(dir, "nowhere"), "no such file or directory", "no such file or directory"},
	} {
		check := func(how string, err error, want string) {
			t.Helper()
			if want != "" {
				want = "open " + tt.name + ": " + want
			}
			if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
				t.Errorf("%s(%s) = %v; want %s", how, tt.name, err, want)
			}
		}
		text, err := durable.ReadFile(tt.name)
		check("ReadFile", err, tt.read)
		if err == nil && string(text) != "text" {
			t.Errorf("ReadFile(%s) = %q", tt.name, text)
		}
		f, err := durable.OpenHere(tt.name, os.O_RDWR, 0)
		check("OpenHere", err, tt.here)
		if err == nil {
			f.Close()
		}
	}
}

// An error names the requested file, never a temporary one.
func TestErrorsNameTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(dir, "nowhere", "file"), folder} {
		for how, err := range map[string]error{
			"WriteFile":  durable.WriteFile(name, []byte("x")),
			"CreateFile": durable.CreateFile(name, "own", []byte("x")),
		} {
			if how == "CreateFile" && name == folder {
				continue // the file exists, so nothing is written
			}
			if err == nil || !strings.Contains(err.Error(), name+": ") || strings.Contains(err.Error(), ".new") {
				t.Errorf("%s(%s) = %v; want an error with that name alone", how, name, err)
			}
		}
	}
}

func TestLacks(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		syscall.EINVAL: true, syscall.ENOTSUP: true, syscall.ENOSYS: true, syscall.ENOLCK: true,
		&fs.PathError{Op: "sync", Path: ".", Err: syscall.EINVAL}: true,
		syscall.EIO: false, syscall.ENOSPC: false, syscall.EACCES: false, errors.New("invalid argument"): false,
	} {
		if got := durable.Lacks(err); got != want {
			t.Errorf("Lacks(%v) = %v", err, got)
		}
	}
}

// A file that others can read gets a warning; a file that others can change is
// rejected. Both texts name the file and the command to run.
func TestCheckPrivate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if warning, err := durable.CheckPrivate(path, "read it"); warning != "" || err != nil {
		t.Errorf("no file: %q, %v", warning, err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		mode          fs.FileMode
		owner         int
		warning, fail string
	}{
		{0o600, -1, "", ""},
		{0o400, -1, "", ""},
		{0o640, -1, "is open to other users of this machine (mode 0640), who can read it: chmod 600 " + path, ""},
		{0o644, -1, "is open to other users of this machine (mode 0644), who can read it: chmod 600 " + path, ""},
		{0o660, -1, "", "can be written by other users of this machine (mode 0660), and shelf trusts what is in it: chmod 600 " + path},
		{0o606, -1, "", "can be written by other users of this machine (mode 0606), and shelf trusts what is in it: chmod 600 " + path},
		{0o666, -1, "", "can be written by other users of this machine (mode 0666), and shelf trusts what is in it: chmod 600 " + path},
		{0o600, 12345, "", "belongs to another user of this machine (uid 12345)"},
	} {
		if tt.owner >= 0 && os.Geteuid() != 0 {
			continue // only root can give a file away
		}
		if err := errors.Join(os.Chown(path, tt.owner, -1), os.Chmod(path, tt.mode)); err != nil {
			t.Fatal(err)
		}
		warning, err := durable.CheckPrivate(path, "read it")
		if (warning == "") != (tt.warning == "") || !strings.HasSuffix(warning, tt.warning) || (err == nil) != (tt.fail == "") || err != nil && !strings.Contains(err.Error(), path+" "+tt.fail) {
			t.Errorf("mode %o, owner %d: %q, %v; want %q, %q", tt.mode, tt.owner, warning, err, tt.warning, tt.fail)
		}
	}
}

func TestCheckFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for mode, want := range map[fs.FileMode]bool{0o700: false, 0o755: false, 0o777: true, 0o777 | fs.ModeSticky: false, 0o702: true} {
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		got := durable.CheckFolder(filepath.Join(dir, "file"))
		if (got != "") != want || want && !strings.HasSuffix(got, "chmod go-w "+dir) {
			t.Errorf("a folder of mode %v: %q", mode, got)
		}
	}
}

package durable_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"example.com/shelf/internal/durable"
)

// onlyFile checks that path is the only file in its folder and has mode 0600.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %o; want 600", info.Mode().Perm())
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("the folder holds %v, %v; want %s alone", files, err, filepath.Base(path))
	}
}

// A file that its writer gives up keeps its old content.
func TestWriteToGivenUp(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := durable.WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	givenUp := errors.New("given up")
	err := durable.WriteTo(path, func(w io.Writer) error {
		fmt.Fprint(w, "new")
		return givenUp
	})
	if !errors.Is(err, givenUp) {
		t.Errorf("WriteTo = %v", err)
	}
	wantContent(t, path, "old")
	onlyFile(t, path)
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s holds %q, %v; want %q", filepath.Base(path), got, err, want)
	}
}

func TestWriteFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"a new file", "a longer content than the one before", "", "short"} {
		if err := durable.WriteFile(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, content)
		onlyFile(t, path)
	}
}

// WriteFile creates a new file and never writes to the old one, because a crash
// could leave a part of the new content.
func TestWriteFileReplaces(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var infos [2]os.FileInfo
	for i := range infos {
		if err := durable.WriteFile(path, []byte("content")); err != nil {
			t.Fatal(err)
		}
		var err error
		if infos[i], err = os.Stat(path); err != nil {
			t.Fatal(err)
		}
	}
	if os.SameFile(infos[0], infos[1]) {
		t.Error("the file was written to in place")
	}
}

// A failed write changes nothing and leaves no file.
func TestWriteFileFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := durable.WriteFile(filepath.Join(dir, "no such folder", "file"), nil); err == nil {
		t.Error("a file in no folder: want an error")
	}
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(folder, []byte("x")); err == nil {
		t.Error("a file in a folder's place: want an error")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 1 || !files[0].IsDir() {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestCreateFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, id := range []string{"first", "second"} {
		if err := durable.CreateFile(path, id, []byte(id)); err != nil {
			t.Fatal(err)
		}
		wantContent(t, path, "first")
		onlyFile(t, path)
	}
}

// If several callers create a file at once, one succeeds and its content is
// complete.
func TestCreateFileTogether(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			id := fmt.Sprint(i)
			if err := durable.CreateFile(path, id, []byte(strings.Repeat(id, 1000))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := os.ReadFile(path)
	if err != nil || len(got) != 1000 || strings.Trim(string(got), string(got[:1])) != "" {
		t.Errorf("the file holds %.20q (%d bytes), %v; want what one of them wrote", got, len(got), err)
	}
	onlyFile(t, path)
}

func TestSyncDir(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := durable.SyncDir(dir); err != nil {
		t.Error(err)
	}
	if err := durable.SyncDir(filepath.Join(dir, "nowhere")); (err == nil) != (runtime.GOOS == "windows") {
		t.Errorf("SyncDir of no folder = %v", err)
	}
}

//go:build unix

package program_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The socket is its owner's alone, and goes with its server.
func TestUserSocket(t *testing.T) {
	t.Parallel()
	for name, folder := range map[string]string{"a short path": "data", "a path that is too long for a socket": strings.Repeat("folder/", 20) + "data"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), folder)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			data := filepath.Join(dir, "shelf.jsonl")
			elsewhere := t.TempDir()
			p := startShelf(t, elsewhere, "-data", data)
			for _, ending := range []string{".sock", ".port"} {
				info, err := os.Lstat(data + ending)
				if err == nil && info.Mode()&^fs.ModeSocket != 0o600 {
					t.Errorf("%s has the mode %v", ending, info.Mode())
				}
			}
			if status, stdout, stderr := userCommand(t, elsewhere, "worm", "add", "ann", "-data", data); status != 0 || stdout != "ann (user 1) is added, a book account\n" {
				t.Errorf("shelf user add = %d, %s, %s", status, stdout, stderr)
			}
			p.cmd.Process.Signal(syscall.SIGTERM)
			if status := p.wait(); status != 0 {
				t.Errorf("the server ends with %d; %s", status, p.stderr)
			}
			wantFiles(t, dir, "shelf.jsonl", "shelf.key")
		})
	}
}

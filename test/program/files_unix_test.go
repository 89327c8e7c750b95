//go:build !windows

package program_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What other users can change is not trusted, and what they can read is told. The
// server changes neither.
func TestStartPermissions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		file, text string
		mode       os.FileMode
		refused    string // the end of the error, "" for a start
	}{
		{"shelf.jsonl", "", 0o666, "chmod 600 shelf.jsonl"},
		{"shelf.jsonl", "", 0o620, "chmod 600 shelf.jsonl"},
		{"shelf.jsonl", "", 0o644, ""},
		{"shelf.key", "", 0o602, "chmod 600 shelf.key"},
		{"shelf.key", "", 0o640, ""},
		{".env", "SHELF_ACCESS_TTL=1m\n", 0o666, "chmod 600 .env"},
		{".env", "SHELF_ACCESS_TTL=1m\n", 0o644, ""},
	} {
		t.Run(tt.file+" "+tt.mode.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			startShelf(t, dir).kill() // leaves a data file and a key
			path := filepath.Join(dir, tt.file)
			if tt.text != "" {
				writeTestFile(t, dir, tt.file, tt.text)
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			if tt.refused != "" {
				status, stdout, stderr := runShelf(t, dir, nil, "-addr", "127.0.0.1:0")
				wantFailure(t, status, stdout, stderr, tt.file+" can be written by other users", tt.refused)
			} else {
				p := startShelf(t, dir)
				p.kill()
				wantText(t, p.stderr.String(), tt.file+" is open to other users", "chmod 600 "+tt.file)
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != tt.mode {
				t.Errorf("the file is %v, %v now", info, err)
			}
		})
	}
}

// What is no file is refused by name, instead of hanging.
func TestNoFile(t *testing.T) {
	t.Parallel()
	for _, args := range []string{
		"-data pipe.jsonl", "-seed pipe.jsonl", "check pipe.jsonl", "export pipe.jsonl", "import pipe.jsonl", "user list -data pipe.jsonl",
		"explain eyJ -data pipe.jsonl", "-data piped.jsonl", "key list -data piped.jsonl", "explain eyJ -data piped.jsonl", "-tls-cert pipe.jsonl -tls-key pipe.jsonl",
		"check /dev/zero", "export /dev/zero", "import /dev/zero", "check .", "export .", "import .", ".env",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "piped.jsonl", `{"format":"shelf","version":1,"after":0,"snapshot":0}`+"\n")
			pipe := map[bool]string{true: "pipe.jsonl", false: "piped.key"}[strings.Contains(args, "pipe.")]
			name := args
			if args == ".env" {
				pipe, args = ".env", "user list"
			}
			if err := syscall.Mkfifo(filepath.Join(dir, pipe), 0o600); err != nil {
				t.Fatal(err)
			}
			status, stdout, stderr := runShelf(t, dir, nil, strings.Fields(args)...)
			want := "it is a named pipe, not a file"
			switch {
			case strings.HasSuffix(name, "/dev/zero"):
				pipe, want = "/dev/zero", "it is a device, not a file"
			case strings.HasSuffix(name, " ."):
				pipe, want = "", "is a folder"
			}
			if status == 0 || stdout != "" {
				t.Errorf("exit status %d, %q", status, stdout)
			}
			wantText(t, stderr, pipe, want)
		})
	}
}

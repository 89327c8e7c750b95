package program_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// opens waits until p has opened the file, or has ended.
func (p *program) opens(t *testing.T, file string) {
	t.Helper()
	folder := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	waitUntil(t, "shelf opens "+file, func() bool {
		open, err := os.ReadDir(folder)
		for _, fd := range open {
			if to, err := os.Readlink(filepath.Join(folder, fd.Name())); err == nil && to == file {
				return true
			}
		}
		return err != nil // it has ended
	})
}

// bigDocument is a JSON file whose import takes a while.
func bigDocument(t *testing.T, dir string) {
	t.Helper()
	row := `{"itemname":"ball","category":"soccer","description":"` + strings.Repeat("round ", 40) + `"}`
	writeTestFile(t, dir, "big.json", `{"items":[`+strings.Repeat(row+",", 150_000)+row+`]}`)
}

// Ctrl-C ends a command at once, with one line that says what was kept, and with
// the exit status that a shell expects. Nothing is left lying about.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	full := t.TempDir() // with a data file that takes a while to read
	bigDocument(t, full)
	if status, _, stderr := runShelf(t, full, nil, "import", "big.json"); status != 0 {
		t.Fatalf("shelf import = %d, %s", status, stderr)
	}
	data := filepath.Join(full, "shelf.jsonl")
	before := readTestFile(t, full, "shelf.jsonl")
	secret := "SECRET_KEY=" + goodSecret
	for _, tt := range []struct {
		name, args string
		opens      string // the signal comes once the command has opened this
		kept       string
	}{
		{"a server that reads its data", "-data=DATA", data, "the data was not changed"},
		{"check", "check DATA", data, "nothing was changed"},
		{"export to a file", "export -o out.json DATA", data, "nothing was changed"},
		{"explain", "explain eyJhbGciOiJIUzI1NiJ9.e30.x -data=DATA", data, "nothing was changed"},
		{"user list", "user list -data=DATA", data, "nothing was changed"},
		{"user delete", "user delete nobody -data=DATA", data, "nothing was changed"},
		{"import", "import BIG", "shelf.jsonl", "nothing was changed"},
		{"a server that is seeded", "-seed=BIG", filepath.Join(full, "big.json"), "the data was not changed"},
		{"run that is seeded", "run -seed=BIG -- false", filepath.Join(full, "big.json"), "the command was not started"},
	} {
		for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			t.Run(tt.name+", "+sig.String(), func(t *testing.T) { // one after the other: they lock one file
				dir := t.TempDir()
				var args []string
				for _, arg := range strings.Fields(tt.args) {
					args = append(args, strings.NewReplacer("DATA", data, "BIG", filepath.Join(full, "big.json")).Replace(arg))
				}
				p := launch(t, shelfCommand(t, dir, []string{secret}, args...))
				opens := tt.opens
				if !filepath.IsAbs(opens) {
					opens = filepath.Join(dir, opens)
				}
				p.opens(t, opens)
				_ = p.cmd.Process.Signal(sig)
				if status, want := p.wait(), "shelf: interrupted: "+tt.kept+"\n"; status != 128+int(sig) || withoutProgress(p.stderr.String()) != want || p.stdout.String() != "" {
					t.Errorf("exit status = %d, %q, %q; want %d and %q", status, p.stdout, p.stderr, 128+int(sig), want)
				}
				for _, left := range []string{"out.json", "*.new", "*.torn"} {
					if names, _ := filepath.Glob(filepath.Join(dir, left)); names != nil {
						t.Errorf("%v is left", names)
					}
				}
			})
		}
	}
	if readTestFile(t, full, "shelf.jsonl") != before {
		t.Error("the data file has changed")
	}

	t.Run("export to a program that doesn't read", func(t *testing.T) {
		reads, writes, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer reads.Close()
		cmd := shelfCommand(t, full, nil, "export")
		cmd.Stdout = writes
		p := launch(t, cmd)
		writes.Close()
		if _, err := reads.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		p.cmd.Process.Signal(os.Interrupt)
		if status, want := p.wait(), "shelf: interrupted: what was written is not whole\n"; status != 130 || withoutProgress(p.stderr.String()) != want {
			t.Errorf("exit status = %d, %q; want 130 and %q", status, p.stderr, want)
		}
	})

	t.Run("explain that asks for the token", func(t *testing.T) {
		_, tty := openPTY(t)
		cmd := shelfCommand(t, t.TempDir(), nil, "explain")
		cmd.Stdin = tty
		p := launch(t, cmd)
		p.await(p.stderr, "Paste a token")
		p.cmd.Process.Signal(os.Interrupt)
		if status := p.wait(); status != 130 || !strings.HasSuffix(p.stderr.String(), "shelf: interrupted: nothing was changed\n") {
			t.Errorf("exit status = %d, %q; want 130", status, p.stderr)
		}
	})
}

// An import that is interrupted while it writes has imported all or nothing.
func TestInterruptCommit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	bigDocument(t, dir)
	cmd := shelfCommand(t, dir, nil, "import", "big.json")
	p := launch(t, cmd)
	data := filepath.Join(dir, "shelf.jsonl")
	waitUntil(t, "the rows are being written", func() bool { return fileSize(data) > 1<<20 })
	p.cmd.Process.Signal(os.Interrupt)
	status := p.wait()
	checked, report, _ := runShelf(t, dir, nil, "check")
	whole := strings.Contains(report, "150001 items") || strings.Contains(report, "150,001 items")
	want := "shelf: interrupted: shelf.jsonl holds all of big.json, or nothing of it\n"
	if checked != 0 || !whole && !strings.Contains(report, "0 items") || status != 0 && (status != 130 || withoutProgress(p.stderr.String()) != want) {
		t.Errorf("exit status = %d, %q; the file is\n%s", status, p.stderr, report)
	}
}

// withoutProgress is what a command said, without the lines of its progress: there is
// one every ten seconds on a slow machine.
func withoutProgress(said string) string {
	var rest strings.Builder
	for line := range strings.Lines(said) {
		if !strings.Contains(line, "% (") {
			rest.WriteString(line)
		}
	}
	return rest.String()
}

package program_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Standard output has one line, whatever comes later; the rest is for standard
// error.
func TestReadyLine(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir(), "-log=requests")
	p.send("GET /", "", "").want(http.StatusOK)
	p.kill()
	if got, want := p.stdout.String(), "listening on "+p.url+"\n"; got != want {
		t.Errorf("standard output = %q; want %q", got, want)
	}
}

// With -log-format json both outputs are for programs: each line is an object.
func TestReadyLineJSON(t *testing.T) {
	t.Parallel()
	_, stdout, _ := runShelf(t, t.TempDir(), nil, "version")
	first, _, _ := strings.Cut(stdout, "\n")
	version := strings.TrimPrefix(first, "shelf ")
	for _, data := range []string{"memory", "books.jsonl"} {
		t.Run(data, func(t *testing.T) {
			t.Parallel()
			p := launch(t, shelfCommand(t, t.TempDir(), nil, "-log-format=json", "-log=requests", "-data="+data)).listening()
			var ready struct {
				URL, Data, Version string
				PID                int
			}
			if err := json.Unmarshal([]byte(p.stdout.String()), &ready); err != nil {
				t.Fatal(err)
			}
			p.send("GET /", "", "").want(http.StatusOK)
			if ready.URL != p.url || ready.PID != p.cmd.Process.Pid || ready.Data != data || ready.Version != version {
				t.Errorf("the line says %+v; want process %d, data %s, version %s", ready, p.cmd.Process.Pid, data, version)
			}
			p.await(p.stderr, "\n")
			p.kill()
			if strings.Count(p.stdout.String(), "\n") != 1 {
				t.Errorf("standard output = %q; want one line", p.stdout)
			}
			for line := range strings.Lines(p.stderr.String()) {
				if !json.Valid([]byte(line)) {
					t.Errorf("standard error has %q; want JSON", line)
				}
			}
		})
	}
}

// shelf ready tells by its exit status whether a server takes requests and writes.
func TestReadyCommand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	ready := func(want int, says string) {
		t.Helper()
		status, stdout, stderr := runShelf(t, t.TempDir(), nil, "ready", p.url)
		if said := stdout + stderr; status != want || strings.Count(said, "\n") != 1 || !strings.Contains(said, p.url+" is "+says) {
			t.Errorf("status %d, output %q, error %q; want %d and one line: is %s", status, stdout, stderr, want, says)
		}
	}
	ready(0, "ready\n")
	if runtime.GOOS != "windows" { // there the file is locked for others too
		writeTestFile(t, dir, "shelf.jsonl", "")
		ready(1, "not ready: it answers 503: The store can't be written; reads go on")
	}
	p.kill()
	ready(1, "not ready: ")
}

// A ready file is there, whole, once the server answers, and takes the place of
// nothing but its like.
func TestReadyFile(t *testing.T) {
	t.Parallel()
	for name, before := range map[string]string{"there is none": "", "a crash left one": "http://127.0.0.1:1\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if before != "" {
				writeTestFile(t, dir, "url", before)
			}
			p := launch(t, shelfCommand(t, dir, nil, "-data=memory", "-ready-file=url"))
			waitUntil(t, "the file is written", func() bool {
				held, err := os.ReadFile(filepath.Join(dir, "url")) // Windows refuses it while the file is replaced
				return err == nil && string(held) != before
			})
			p.url = strings.TrimSuffix(readTestFile(t, dir, "url"), "\n")
			p.send("GET /", "", "").want(http.StatusOK)
			p.listening()
			if got := readTestFile(t, dir, "url"); got != p.url+"\n" {
				t.Errorf("the file holds %q; want %s", got, p.url)
			}
			wantFiles(t, dir, "url")
		})
	}
	t.Run("mktemp made it", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeTestFile(t, dir, "url", "")
		p := launch(t, shelfCommand(t, dir, nil, "-data=memory", "-ready-file=url")).listening()
		if got := readTestFile(t, dir, "url"); got != p.url+"\n" {
			t.Errorf("the file holds %q; want %s", got, p.url)
		}
	})
	for _, tt := range []struct{ name, path, before, want string }{
		{"notes about http stay", "notes", "httpd notes: my only copy\n", "notes is not a file with a URL"},
		{"a list of URLs stays", "notes", "http://127.0.0.1:1\nhttp://127.0.0.1:2\n", "notes is not a file with a URL"},
		{"a diary stays", "notes", "Dear diary,\n", "notes is not a file with a URL"},
		{"the data file stays", "shelf.jsonl", "", "shelf.jsonl is not a file with a URL"},
		{"a folder stays", ".", "", ". is not a file with a URL"},
		{"its folder is there", "nowhere/url", "", "nowhere"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tt.before != "" {
				writeTestFile(t, dir, tt.path, tt.before)
			}
			status, stdout, stderr := runShelf(t, dir, nil, "-log=off", "-ready-file", tt.path)
			wantFailure(t, status, stdout, stderr, "-ready-file", tt.want)
			if tt.before != "" && readTestFile(t, dir, tt.path) != tt.before {
				t.Errorf("%s was changed", tt.path)
			}
		})
	}
}

// With -stdin the end of standard input is a stop like any other: what the
// server was told is on disk, and the ready file gone.
func TestStdin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := shelfCommand(t, dir, nil, "-stdin", "-ready-file=url")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd).listening()
	in.Write([]byte("what comes before the end\n"))
	p.signUpAnn()
	in.Close()
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0; standard error:\n%s", status, p.stderr)
	}
	if exists(filepath.Join(dir, "url")) {
		t.Error("the ready file was left behind")
	}
	startShelf(t, dir).send("POST /api/v1/auth/signin", "", annSecret).want(http.StatusOK)
}

// Without -stdin it does not matter what standard input does: services have none.
func TestStdinUnread(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir(), "-data=memory") // its standard input is the null device
	p.signUpAnn()
	p.send("GET /", "", "").want(http.StatusOK)
}

// The program, as its user sees it.
func TestHealthOfTheProgram(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir())
	p.send("GET /healthz", "", "").want(200, "alive")
	p.send("GET /readyz", "", "").want(200, "ready")
	p.signUpAnn()
	p.send("GET /metrics", "", "").want(200,
		`shelf_http_requests_total{route="POST /api/v1/auth/signup",status="201"} 1`+"\n",
		`shelf_rows{kind="users"} 1`+"\n",
		"shelf_journal_fsync_duration_seconds_count 1\n")
}

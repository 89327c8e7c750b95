//go:build unix

package program_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A slowRequest is one that the server works on until the test goes on with it.
type slowRequest struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	body string
}

// slowly begins to add an item, and returns when the server waits for the body.
func (p *program) slowly(t *testing.T, token, body string) *slowRequest {
	t.Helper()
	addr := strings.TrimPrefix(p.url, "http://")
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	r := &slowRequest{t, conn, bufio.NewReader(conn), body}
	contentType := "application/x-www-form-urlencoded"
	if strings.HasPrefix(body, "{") {
		contentType = "application/json"
	}
	fmt.Fprintf(conn, "POST /api/v1/items HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", addr, token, contentType, len(r.body))
	if line, err := r.in.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("the server says %q, %v; want 100 Continue", line, err)
	}
	r.in.ReadString('\n') // an empty line
	return r
}

// goOn sends the rest and returns the answer's status and body.
func (r *slowRequest) goOn() (int, string) {
	r.t.Helper()
	io.WriteString(r.conn, r.body)
	resp, err := http.ReadResponse(r.in, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A server that is asked to stop answers what it has begun, takes nothing new,
// and ends with status 0.
func TestStop(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := startShelf(t, dir)
			token := p.signUpAnn()
			request := p.slowly(t, token, ballForm)
			p.cmd.Process.Signal(signal)
			p.refusesCalls(t)
			if status, body := request.goOn(); status != http.StatusCreated {
				t.Errorf("the request that was running = %d %s; want 201", status, body)
			}
			if status := p.wait(); status != 0 {
				t.Errorf("exit status = %d; want 0", status)
			}
			rejectText(t, p.stderr.String(), "level=", "shelf: ", "goroutine")
			startShelf(t, dir).send("GET /api/v1/items/1", token, "").want(http.StatusOK, `"itemname":"ball"`)
		})
	}
}

// npm passes on a signal that its group has got as well. The second one, in the same
// moment, cuts nothing off.
func TestStopIsToldTwice(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir())
	request := p.slowly(t, p.signUpAnn(), ballForm)
	p.cmd.Process.Signal(syscall.SIGTERM)
	p.cmd.Process.Signal(syscall.SIGINT) // two of a kind might arrive as one
	p.refusesCalls(t)
	if status, body := request.goOn(); status != http.StatusCreated {
		t.Errorf("the request that was running = %d %s; want 201", status, body)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0", status)
	}
}

// A stream of events ends at once, and whole, while a stop waits for other
// requests: by itself it would never end.
func TestStopEndsStreams(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir())
	token := p.signUpAnn()
	request := p.slowly(t, token, ballForm)
	r, err := http.NewRequest("GET", p.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	stream, err := p.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	if _, err := io.Copy(io.Discard, stream.Body); err != nil {
		t.Errorf("the stream breaks off: %v", err)
	}
	if status, body := request.goOn(); status != http.StatusCreated {
		t.Errorf("the request that was running = %d %s; want 201", status, body)
	}
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0", status)
	}
}

// A stop under load, while a compaction runs, loses nothing that was answered,
// and leaves nothing lying about.
func TestStopCompacting(t *testing.T) {
	t.Parallel()
	dir, l := t.TempDir(), newLedger()
	p := startShelf(t, dir)
	token := p.signUpAnn()
	var running sync.WaitGroup
	running.Go(func() { l.load(t.Context(), p, token, "stopped", 8, 40, true) })
	waitUntil(t, "a compaction begins", func() bool { return exists(filepath.Join(dir, "shelf.jsonl.new")) })
	p.cmd.Process.Signal(syscall.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0; standard error:\n%s", status, p.stderr)
	}
	running.Wait()
	for _, name := range []string{"shelf.jsonl.new", "shelf.jsonl.torn"} {
		if exists(filepath.Join(dir, name)) {
			t.Errorf("%s was left behind", name)
		}
	}
	rejectText(t, p.stderr.String(), "level=")
	p = startShelf(t, dir)
	l.check("after the stop", l.snapshot(), p.items(token), true)
	for _, fault := range l.faults {
		t.Error(fault)
	}
}

// Browsers open connections ahead of need. One on which nothing was ever asked
// doesn't hold a stop up.
func TestStopUnusedConnection(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir())
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p.send("GET /", "", "").want(http.StatusOK) // accepted later than conn
	start := time.Now()
	p.cmd.Process.Signal(syscall.SIGTERM)
	status := p.wait()
	if took := time.Since(start); status != 0 || took > 4*time.Second {
		t.Errorf("exit status = %d after %v; want 0 at once", status, took)
	}
}

// A user who asks twice doesn't want to wait for the requests that run.
func TestStopTwice(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir())
	p.slowly(t, p.signUpAnn(), ballForm)
	p.cmd.Process.Signal(os.Interrupt)
	p.refusesCalls(t)
	waitUntil(t, "the server ends", func() bool {
		p.cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	if status := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
		t.Errorf("the second signal: %v; want an end by it", p.cmd.ProcessState)
	}
}

// What holds password hashes and keys is for its owner's eyes, whatever the
// umask, and stays so when a compaction replaces it.
func TestStartModes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd := shelfCommand(t, dir, nil)
	cmd.Args = append([]string{"sh", "-c", `umask 0; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	p := launch(t, cmd).listening()
	token := p.signUpAnn()
	wantMode := func(name string) {
		t.Helper()
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != 0o600 {
			t.Errorf("%s has mode %o; want 600", name, got)
		}
	}
	wantMode("shelf.key")
	wantMode("shelf.jsonl")
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
	p.compacted(t, filepath.Join(dir, "shelf.jsonl"), token)
	wantMode("shelf.jsonl")
	// What a crash leaves of a write goes to a file that is no more public.
	p.kill()
	writeTestFile(t, dir, "shelf.jsonl", readTestFile(t, dir, "shelf.jsonl")+`{"seq":`)
	p = startShelf(t, dir)
	wantMode("shelf.jsonl.torn")
	p.kill()
	wantText(t, p.stderr.String(), "torn tail", "shelf.jsonl.torn", "bytes=7")
}

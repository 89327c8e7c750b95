// Package program_test runs the built program as its users do: it starts it as a
// process, talks to it over HTTP, stops or kills it, and looks at the files that
// it leaves. It uses nothing of the program but its commands and its API.
package program_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/shelf/test/built"
)

// patience is how long a test waits for anything before it fails: a busy machine, and
// the race detector beside it, take their time.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	asUsual()
	built.Main(m)
}

// shelfCommand is the binary in the working folder dir. Its environment holds
// nothing of the tester's but what a program needs to run, a free port, the
// cheapest bcrypt, and then env, which goes before both.
func shelfCommand(t testing.TB, dir string, env []string, args ...string) *exec.Cmd {
	t.Helper()
	name, err := built.Program()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "SHELF_ADDR=127.0.0.1:0", "SHELF_BCRYPT_COST=4"}, env...)
	endWithTest(cmd)
	return cmd
}

// A program is a process that was started. It ends with its test at the latest.
type program struct {
	t              testing.TB
	cmd            *exec.Cmd
	url            string // where it listens
	stdout, stderr *output
	client         *http.Client
	ended          chan struct{} // closed when the process has gone
}

// launch starts cmd. A Stdout or Stderr that cmd has stays.
func launch(t testing.TB, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, stdout: newOutput(), stderr: newOutput(), ended: make(chan struct{})}
	p.client = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	if cmd.Stdout == nil {
		cmd.Stdout = p.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.stderr
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		cmd.Wait() // the status is in cmd.ProcessState
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// startShelf starts a server in dir and returns when it listens.
func startShelf(t testing.TB, dir string, args ...string) *program {
	t.Helper()
	return launch(t, shelfCommand(t, dir, nil, args...)).listening()
}

// listening waits until the server says where it listens.
func (p *program) listening() *program {
	p.t.Helper()
	line := p.await(p.stdout, "\n")
	url, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "listening on ")
	if !ok { // with -log-format json
		var ready struct{ URL string }
		if json.Unmarshal([]byte(line), &ready); ready.URL == "" {
			p.t.Fatalf("the first line is %q; want listening on http://…", line)
		}
		url = ready.URL
	}
	p.url = url
	return p
}

// await waits until o holds part, and returns all that o holds then.
func (p *program) await(o *output, part string) string {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	for {
		text, more := o.now()
		if strings.Contains(text, part) {
			return text
		}
		select {
		case <-more:
		case <-p.ended:
			if text, _ := o.now(); strings.Contains(text, part) {
				return text
			}
			p.t.Fatalf("shelf ended with %v before it said %q; standard error:\n%s", p.cmd.ProcessState, part, p.stderr)
		case <-timeout.C:
			p.t.Fatalf("shelf did not say %q; standard error:\n%s", part, p.stderr)
		}
	}
}

// wait waits for the process to end and returns its exit status, which is -1
// when a signal ended it.
func (p *program) wait() int {
	p.t.Helper()
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case <-p.ended:
	case <-timeout.C:
		p.t.Fatalf("shelf does not end; standard error:\n%s", p.stderr)
	}
	p.client.CloseIdleConnections()
	for _, never := range []string{"DATA RACE", "panic", "goroutine "} {
		if strings.Contains(p.stderr.String(), never) {
			p.t.Errorf("standard error holds %q:\n%s", never, p.stderr)
		}
	}
	return p.cmd.ProcessState.ExitCode()
}

// kill ends the process with no warning, as kill -9 does.
func (p *program) kill() {
	p.cmd.Process.Kill() // fails if it has ended already
	p.wait()
}

// refusesCalls waits until nothing listens at p's address any more.
func (p *program) refusesCalls(t *testing.T) {
	t.Helper()
	waitUntil(t, "the server stops listening", func() bool {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
}

// runShelf runs the binary to its end.
func runShelf(t testing.TB, dir string, env []string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	p := launch(t, shelfCommand(t, dir, env, args...))
	status = p.wait()
	return status, p.stdout.String(), p.stderr.String()
}

// An output keeps what a process writes and tells when there is more.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed at the next write
}

func newOutput() *output { return &output{more: make(chan struct{})} }

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.more)
	o.more = make(chan struct{})
	return o.buf.Write(b)
}

func (o *output) now() (text string, more <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String(), o.more
}

func (o *output) String() string { text, _ := o.now(); return text }

// A programReply is what a server answered.
type programReply struct {
	t       testing.TB
	request string
	status  int
	header  http.Header
	body    string
}

// try sends a request such as "GET /api/v1/items". Its token travels as that
// API wants it; a body that begins with { is JSON, any other a form. It fails
// when there is no answer.
func (p *program) try(request, token, body string) (programReply, error) {
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequest(method, p.url+path, strings.NewReader(body))
	if err != nil {
		return programReply{}, err
	}
	switch {
	case strings.HasPrefix(body, "{"):
		r.Header.Set("Content-Type", "application/json")
	case body != "":
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	switch {
	case token == "":
	case strings.HasPrefix(path, "/api/"):
		r.Header.Set("Authorization", "Bearer "+token)
	case strings.HasPrefix(path, "/lab/"):
		r.Header.Set("X-Lab-Token", token)
	default:
		r.Header.Set("x-access-token", token)
	}
	resp, err := p.client.Do(r)
	if err != nil {
		return programReply{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return programReply{p.t, request, resp.StatusCode, resp.Header, string(text)}, err
}

// send is try where an answer is certain.
func (p *program) send(request, token, body string) programReply {
	p.t.Helper()
	r, err := p.try(request, token, body)
	if err != nil {
		p.t.Fatalf("%s: %v; standard error:\n%s", request, err, p.stderr)
	}
	return r
}

// want checks the status and, for each part, that the body holds it.
func (r programReply) want(status int, parts ...string) programReply {
	r.t.Helper()
	if r.status != status {
		r.t.Fatalf("%s = %d %s; want %d", r.request, r.status, r.body, status)
	}
	for _, part := range parts {
		if !strings.Contains(r.body, part) {
			r.t.Errorf("%s = %d %s; want it to hold %s", r.request, r.status, r.body, part)
		}
	}
	return r
}

// decode reads the body into v.
func (r programReply) decode(v any) {
	r.t.Helper()
	if err := json.Unmarshal([]byte(r.body), v); err != nil {
		r.t.Errorf("%s = %s: %v", r.request, r.body, err)
	}
}

// tokens are those of a sign-up or sign-in.
func (r programReply) tokens() (access, refresh string) {
	r.t.Helper()
	var v struct {
		Data []struct {
			AccessToken  string `json:"access_token"`
			RefreshToken string `json:"refresh_token"`
		}
	}
	r.decode(&v)
	if len(v.Data) != 1 || v.Data[0].AccessToken == "" || v.Data[0].RefreshToken == "" {
		r.t.Errorf("%s = %s; want an access and a refresh token", r.request, r.body)
		return "", ""
	}
	return v.Data[0].AccessToken, v.Data[0].RefreshToken
}

// An itemRow is an item as clients read it.
type itemRow struct {
	ID                              int
	Itemname, Category, Description string
}

// items are all of them.
func (p *program) items(token string) []itemRow {
	p.t.Helper()
	var v struct{ Data []itemRow }
	p.send("GET /api/v1/items", token, "").want(http.StatusOK).decode(&v)
	return v.Data
}

const (
	annSecret  = "email=ann@example.com&password=youcantguess%234"
	ballForm   = "itemname=ball&category=soccer&description=something+to+kick"
	goodSecret = "this secret has more than 32 bytes, and nobody guesses it"
)

// signUpAnn makes an account and returns its access token.
func (p *program) signUpAnn() string {
	p.t.Helper()
	access, _ := p.send("POST /api/v1/auth/signup", "", annSecret).want(http.StatusCreated).tokens()
	return access
}

// waitUntil polls ok until it says true.
func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !untilDone(ctx, ok) {
		t.Fatalf("waited in vain: %s", what)
	}
}

// untilDone polls ok until it says true, or ctx is done.
func untilDone(ctx context.Context, ok func() bool) bool {
	tick := time.NewTicker(200 * time.Microsecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// greeting is all of what a start says, in one write. Standard error comes by a pipe of
// its own, so it may still be on its way when the address is known.
func (p *program) greeting() string {
	p.t.Helper()
	return p.await(p.stderr, "  stop   Ctrl-C\n")
}

// compacted changes item 1 until the file at path was compacted.
func (p *program) compacted(t *testing.T, path, token string) {
	t.Helper()
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3000 {
		p.send("PATCH /api/v1/items/1/description", token, fmt.Sprintf(`{"description":%q}`, describe(n))).want(http.StatusOK)
		is, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if !os.SameFile(was, is) {
			return
		}
	}
	t.Fatal("no compaction in 3000 changes")
}

// busyPort is an address that is taken while the test runs.
func busyPort(t *testing.T) (addr, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return l.Addr().String(), port
}

// writeTestFile makes a file in dir.
func writeTestFile(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// readTestFile returns what a file in dir holds, "" if there is none.
func readTestFile(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(b)
}

// wantFiles checks what a folder holds.
func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the folder holds %q; want %q", got, want)
	}
}

// wantMisuse checks that a command ended as those do whose flags or settings are wrong.
func wantMisuse(t *testing.T, status int, stdout, stderr string, parts ...string) {
	t.Helper()
	if status != 2 {
		t.Errorf("exit status = %d; want 2", status)
	}
	wantFailure(t, 1, stdout, stderr, parts...)
}

// wantFailure checks that a command ended as failures do.
func wantFailure(t *testing.T, status int, stdout, stderr string, parts ...string) {
	t.Helper()
	if status != 1 {
		t.Errorf("exit status = %d; want 1", status)
	}
	if stdout != "" {
		t.Errorf("standard output = %q; want none", stdout)
	}
	line, rest, _ := strings.Cut(stderr, "\n")
	if !strings.HasPrefix(line, "shelf: ") || rest != "" {
		t.Errorf("standard error = %q; want one line from shelf", stderr)
	}
	for _, part := range parts {
		if !strings.Contains(line, part) {
			t.Errorf("standard error = %q; want it to hold %q", stderr, part)
		}
	}
	for _, never := range []string{"goroutine", "panic", "2short4words", goodSecret} {
		if strings.Contains(stderr, never) {
			t.Errorf("standard error = %q; it must not hold %q", stderr, never)
		}
	}
}

// wantText checks that text holds every part.
func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("want %q in:\n%s", part, text)
		}
	}
}

// rejectText checks that text holds none of the parts.
func rejectText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if strings.Contains(text, part) {
			t.Errorf("want no %q in:\n%s", part, text)
		}
	}
}

// exists reports whether there is such a file.
func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// fileSize is the size of a file in bytes, 0 if there is none.
func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// spin lets a time pass that is too short for a timer.
func spin(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

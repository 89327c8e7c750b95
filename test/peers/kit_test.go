// Package peers_test holds shelf against the real json-server and json-server-auth.
// Both sides start with the same data and get the same requests. Status, the
// headers that a client reads and the bodies must be equal, or the difference
// must stand at the request with a reason of differences_test.go.
//
// Without a flag the answers of the other side come from testdata/recorded.json:
//
//	go test ./test/peers                  against the recorded answers
//	go test ./test/peers -live            against the real servers
//	go test ./test/peers -live -fresh 20  the same, and 20 sequences of new random requests
//	go test ./test/peers -record          against the real servers, and record their answers
//
// The real servers need node and the packages of package-lock.json; test/peers/run
// installs both.
package peers_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/shelf/test/built"
)

var (
	live   = flag.Bool("live", false, "ask the real servers instead of their recorded answers")
	fresh  = flag.Int("fresh", 0, "with -live: send so many sequences of requests that were never sent before")
	record = flag.Bool("record", false, "ask the real servers and record their answers")
)

const patience = 60 * time.Second

// A scenario is a pair of servers with the same data, and the requests that both get.
type scenario struct {
	name     string
	auth     bool     // json-server-auth instead of json-server
	data     string   // the db.json
	routes   string   // a routes.json, or empty
	static   string   // a folder of files, or empty
	flags    []string // of shelf only
	requests []*request

	generated bool
	fresh     bool // generated for this run only
}

// A request is sent to both sides. differs names the reason for each part of the
// answer that differs on purpose.
type request struct {
	method, path, body string
	header             http.Header
	save               string            // keeps the token of the answer under this name
	differs            map[string]string // part of the answer: key of reasons
}

func (r *request) String() string { return strings.TrimSpace(r.method + " " + r.path + " " + r.body) }

// parts are what is compared of an answer, beside status and body.
var parts = []string{"Content-Type", "X-Total-Count", "Link", "Location", "Access-Control-Expose-Headers"}

// An answer maps each part, status and body included, to its text.
type answer map[string]string

// A server is one side. tokens are the saved ones by name.
type server struct {
	url    string
	tokens map[string]string
}

var token = regexp.MustCompile(`"accessToken":"[^"]*"`)

// ask sends r and returns the answer in a form that both sides share: no address
// of the server, no token, no blanks around JSON.
func (s *server) ask(t *testing.T, r *request) answer {
	t.Helper()
	q, err := http.NewRequest(r.method, s.url+r.path, strings.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case r.body == "":
	case strings.HasPrefix(r.body, "{"), strings.HasPrefix(r.body, "["):
		q.Header.Set("Content-Type", "application/json")
	default:
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	q.Header.Set("Origin", "http://localhost:5173") // the page of a front end
	for name, values := range r.header {
		value := values[0]
		if saved, ok := strings.CutPrefix(value, "Bearer $"); ok {
			value = "Bearer " + s.tokens[saved]
		}
		q.Header.Set(name, value)
	}
	transport := http.Transport{DisableCompression: true, DisableKeepAlives: true}
	answered, err := (&http.Client{Transport: &transport, Timeout: patience}).Do(q)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	defer answered.Body.Close()
	body, err := io.ReadAll(answered.Body)
	if err != nil {
		t.Fatalf("%s: %v", r, err)
	}
	if r.save != "" {
		var got struct{ AccessToken string }
		json.Unmarshal(body, &got)
		s.tokens[r.save] = got.AccessToken
	}
	a := answer{"status": fmt.Sprint(answered.StatusCode), "body": plainBody(answered.Header.Get("Content-Type"), body)}
	for _, name := range parts {
		if value := answered.Header.Get(name); value != "" {
			value = strings.TrimSuffix(strings.Replace(value, "UTF-8", "utf-8", 1), "; charset=utf-8")
			a[name] = strings.ReplaceAll(value, s.url, "http://host")
		}
	}
	return a
}

// plainBody is JSON without blanks around it, with the order of its keys and the
// text of its numbers, and without the token. Of a page of HTML, which holds a
// stack and paths, nothing is kept.
func plainBody(contentType string, body []byte) string {
	if strings.HasPrefix(contentType, "text/html") {
		if bytes.Contains(body, []byte("<title>front end</title>")) {
			return "(the page)"
		}
		return "(HTML)"
	}
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return string(body)
	}
	return token.ReplaceAllString(compact.String(), `"accessToken":"(token)"`)
}

func TestMain(m *testing.M) {
	flag.Parse()
	built.Main(m)
}

// files writes the data of a scenario into a folder of its own.
func (s *scenario) files(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, text := range map[string]string{"db.json": s.data, "routes.json": s.routes} {
		if text == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if s.static != "" {
		if err := os.CopyFS(filepath.Join(dir, "static"), os.DirFS(s.static)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// startShelf starts shelf with the data of s. shelf chooses its port and tells it.
func (s *scenario) startShelf(t *testing.T) *server {
	t.Helper()
	name, err := built.Program()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-addr", "127.0.0.1:0", "-data", "memory", "-bcrypt-cost", "4", "-log", "problems"}
	if s.routes != "" {
		args = append(args, "-routes", "routes.json")
	}
	if s.static != "" {
		args = append(args, "-static", "static")
	}
	p := start(t, s.files(t), name, append(append(args, s.flags...), "db.json")...)
	select {
	case line := <-p.first:
		url, ok := strings.CutPrefix(line, "listening on ")
		if !ok {
			p.stop()
			t.Fatalf("shelf %s says %q:\n%s", args, line, &p.stderr)
		}
		return &server{url: url, tokens: map[string]string{}}
	case <-time.After(patience):
		t.Fatalf("shelf %s doesn't say where it listens", args)
	}
	return nil
}

// startPeer starts the real server with the data of s, and waits until it answers.
func (s *scenario) startPeer(t *testing.T) *server {
	t.Helper()
	program := "node_modules/json-server/lib/cli/bin.js"
	if s.auth {
		program = "node_modules/json-server-auth/dist/bin.js"
	}
	program, err := filepath.Abs(program)
	if err != nil {
		t.Fatal(err)
	}
	port := built.FreePort(t)
	args := []string{program, "--quiet", "--host", "127.0.0.1", "--port", port}
	if s.routes != "" {
		args = append(args, "--routes", "routes.json")
	}
	if s.static != "" {
		args = append(args, "--static", "static")
	}
	p := start(t, s.files(t), "node", append(args, "db.json")...)
	url := "http://127.0.0.1:" + port
	timeout, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		if answered, err := http.Get(url + "/db"); err == nil {
			answered.Body.Close()
			return &server{url: url, tokens: map[string]string{}}
		}
		select {
		case <-tick.C:
		case <-p.ended:
			t.Fatalf("node %s ended:\n%s", args, &p.stderr)
		case <-timeout:
			t.Fatalf("node %s doesn't answer", args)
		}
	}
}

// A process is a program that was started. It ends with its test at the latest.
type process struct {
	cmd    *exec.Cmd
	first  chan string   // gets the first line of standard output, "" if there is none
	ended  chan struct{} // closed when the process has gone
	stderr bytes.Buffer  // to be read once it has gone
}

// start starts a program in dir.
func start(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), first: make(chan string, 1), ended: make(chan struct{})}
	stdout, said := io.Pipe()
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, said, &p.stderr
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		p.first <- strings.TrimSpace(line)
		io.Copy(io.Discard, lines)
	}()
	go func() {
		p.cmd.Wait()
		close(p.ended)
		said.Close()
	}()
	t.Cleanup(p.stop)
	return p
}

func (p *process) stop() {
	p.cmd.Process.Kill()
	<-p.ended
}

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
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
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

// binary is shelf, built once.
var binary = sync.OnceValues(func() (string, error) {
	if built := os.Getenv("SHELF_PROGRAM"); built != "" {
		return built, nil
	}
	name := filepath.Join(binaryDir, "shelf.exe") // any system starts that
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", name, "example.com/shelf").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	// go test keeps a result until a folder changes that the tests have read.
	folders, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", "example.com/shelf").Output()
	for folder := range strings.Lines(string(folders)) {
		if _, err := os.ReadDir(strings.TrimSpace(folder)); err != nil {
			return "", err
		}
	}
	return name, err
})

var binaryDir string

func TestMain(m *testing.M) {
	flag.Parse()
	var err error
	if binaryDir, err = os.MkdirTemp("", "shelf-peers-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(binaryDir)
	os.Exit(status)
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

// startShelf starts shelf with the data of s.
func (s *scenario) startShelf(t *testing.T) *server {
	t.Helper()
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	url := freeAddress(t)
	args := []string{"-addr", strings.TrimPrefix(url, "http://"), "-data", "memory", "-bcrypt-cost", "4", "-log", "problems"}
	if s.routes != "" {
		args = append(args, "-routes", "routes.json")
	}
	if s.static != "" {
		args = append(args, "-static", "static")
	}
	start(t, s.files(t), url+"/healthz", name, append(append(args, s.flags...), "db.json")...)
	return &server{url: url, tokens: map[string]string{}}
}

// startPeer starts the real server with the data of s.
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
	url := freeAddress(t)
	args := []string{program, "--quiet", "--host", "127.0.0.1", "--port", url[strings.LastIndex(url, ":")+1:]}
	if s.routes != "" {
		args = append(args, "--routes", "routes.json")
	}
	if s.static != "" {
		args = append(args, "--static", "static")
	}
	start(t, s.files(t), url+"/db", "node", append(args, "db.json")...)
	return &server{url: url, tokens: map[string]string{}}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// start starts a process in dir, waits until url answers, and stops the process
// at the end of the test.
func start(t *testing.T, dir, url, name string, args ...string) {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SYSTEMROOT=" + os.Getenv("SYSTEMROOT")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	timeout, tick := time.After(patience), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		if answered, err := http.Get(url); err == nil {
			answered.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ended:
			t.Fatalf("%s %s ended:\n%s", name, args, &said)
		case <-timeout:
			t.Fatalf("%s %s doesn't answer", name, args)
		}
	}
}

package program_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// A start that fails says why in one line, with status 1 or 2, and leaves every file as
// it was.
func TestStartFails(t *testing.T) {
	t.Parallel()
	busy, port := busyPort(t)
	other, _ := busyPort(t)
	const header = `{"format":"shelf","version":1,"after":0,"snapshot":0}` + "\n"
	tests := []struct {
		name  string // ends in (2) for a wrong setting, which has that status
		files map[string]string
		env   []string
		args  []string
		want  []string // parts of the line
	}{
		{"the port is in use", nil, nil, []string{"-addr", busy}, []string{busy + " is in use by another program", "-addr"}},
		{"PORT is that of the default address", nil, []string{"SHELF_ADDR=", "PORT=" + port}, nil, []string{busy + " is in use"}},
		{"PORT goes before .env", map[string]string{".env": "SHELF_ADDR=" + other}, []string{"SHELF_ADDR=", "PORT=" + port}, nil, []string{busy + " is in use"}},
		{"SHELF_ADDR goes before PORT", nil, []string{"SHELF_ADDR=" + other, "PORT=" + port}, nil, []string{other + " is in use"}},
		{"a flag goes before SHELF_ADDR", nil, []string{"SHELF_ADDR=" + other}, []string{"-addr", busy}, []string{busy + " is in use"}},
		{"SHELF_ADDR goes before .env", map[string]string{".env": "SHELF_ADDR=" + other}, []string{"SHELF_ADDR=" + busy}, nil, []string{busy + " is in use"}},
		{".env goes before the default", map[string]string{".env": "SHELF_ADDR=" + busy}, []string{"SHELF_ADDR="}, nil, []string{busy + " is in use"}},
		{"an address that is not of this machine", nil, nil, []string{"-addr", "192.0.2.1:0"}, []string{"can't listen on 192.0.2.1:0: "}},

		{"the folder is not there", nil, nil, []string{"-data", "nowhere/shelf.jsonl"}, []string{"can't open the data file ", "nowhere"}},
		{"the folder can't be written, for it is a file", map[string]string{"file": ""}, nil, []string{"-data", "file/shelf.jsonl"}, []string{"can't open the data file ", "file"}},
		{"the data file is a folder", nil, nil, []string{"-data", "."}, []string{"can't open the data file ", "it is a folder"}},
		{"the file is not ours", map[string]string{"shelf.jsonl": "Dear diary,\n"}, nil, nil, []string{"shelf.jsonl: not a data file of shelf"}},
		{"the file is another program's JSON", map[string]string{"shelf.jsonl": `{"items":[]}` + "\n"}, nil, nil, []string{"shelf.jsonl: not a data file of shelf"}},
		{"the file is a newer shelf's", map[string]string{"shelf.jsonl": `{"format":"shelf","version":3}` + "\n"}, nil, nil, []string{"shelf.jsonl: data format 3", "newer shelf"}},
		{"a line is missing", map[string]string{"shelf.jsonl": header + `{"seq":2,"op":"put","book":{"id":1,"title":"Dune","author":"Frank Herbert"}}` + "\n"}, nil, nil, []string{"shelf.jsonl is damaged: line 2: "}},
		{"the data file has the name of its key file (2)", nil, nil, []string{"-data", "shelf.key"}, []string{"-data shelf.key", "another name"}},
		{"the key file is not ours", map[string]string{"shelf.key": "secret\n"}, nil, nil, []string{"shelf.key is not a key file of shelf"}},

		{"the secret is short (2)", nil, []string{"SECRET_KEY=2short4words"}, nil, []string{"SECRET_KEY", "RFC 7518 §3.2", "openssl rand"}},
		{"the secret in .env is short (2)", map[string]string{".env": "SECRET_KEY=2short4words"}, nil, nil, []string{".env line 1: SECRET_KEY: the secret has 12 bytes", "RFC 7518 §3.2", "openssl rand"}},
		{"the secret in .env can't be read (2)", map[string]string{".env": "A=1\nSECRET_KEY='x\n"}, nil, nil, []string{".env line 2: SECRET_KEY: a quote"}},
		{"the secret is a placeholder (2)", nil, []string{"SECRET_KEY=your-secret-key-here-change-in-production"}, nil, []string{"SECRET_KEY: this is a placeholder", "openssl rand"}},
		{"a fallback is short (2)", nil, []string{"SECRET_KEY=" + goodSecret, "SECRET_KEY_FALLBACKS=2short4words"}, nil, []string{"SECRET_KEY_FALLBACKS", "RFC 7518 §3.2"}},
		{"a fallback without a key (2)", nil, []string{"SECRET_KEY_FALLBACKS=" + goodSecret}, nil, []string{"SECRET_KEY is not"}},
		{"a broken .env (2)", map[string]string{".env": "SECRET_KEY\n"}, nil, nil, []string{".env line 1: SECRET_KEY: want KEY=VALUE"}},

		{"a lab on a file (2)", nil, nil, []string{"-lab"}, []string{"-lab needs -data memory", "shelf.jsonl"}},
		{"a lab on every interface (2)", nil, []string{"SHELF_LAB=true"}, []string{"-data", "memory", "-addr", "0.0.0.0:0"}, []string{"-lab needs a loopback -addr", "0.0.0.0:0"}},
		{"a lab with a short secret (2)", nil, []string{"SHELF_LAB_TOKEN=2short4words"}, []string{"-lab", "-data", "memory"}, []string{"SHELF_LAB_TOKEN must be 16 to 256"}},

		{"a bad value in .env (2)", map[string]string{".env": "A=1\nSHELF_LOG=loud\n"}, nil, nil, []string{`.env line 2: SHELF_LOG: "loud": want one of requests`}},
		{"a bad PORT (2)", nil, []string{"SHELF_ADDR=", "PORT=99999"}, nil, []string{`environment PORT: "99999": want`}},
		{"a bad value in the environment (2)", nil, []string{"SHELF_ACCESS_TTL=soon"}, nil, []string{`SHELF_ACCESS_TTL: "soon"`}},
		{"an admin without a data file", nil, nil, []string{"user", "admin", "ann"}, []string{"there is no data file shelf.jsonl"}},
		{"an admin of nothing (2)", nil, nil, []string{"user", "admin", "ann", "-data", "memory"}, []string{"-data memory"}},
		{"an unknown admin", map[string]string{"shelf.jsonl": header}, nil, []string{"user", "admin", "ann"}, []string{`no account`, `"ann"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, text := range tt.files {
				writeTestFile(t, dir, name, text)
			}
			status, stdout, stderr := runShelf(t, dir, tt.env, tt.args...)
			if strings.HasSuffix(tt.name, " (2)") {
				wantMisuse(t, status, stdout, stderr, tt.want...)
			} else {
				wantFailure(t, status, stdout, stderr, tt.want...)
			}
			for name, text := range tt.files {
				if got := readTestFile(t, dir, name); got != text {
					t.Errorf("%s holds %q now; want it untouched", name, got)
				}
			}
		})
	}
}

// A file of collections that can't be served leaves nothing behind: no data file
// and no key.
func TestCollectionsFileRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string // of db.json
		want string // in the first line
	}{
		{`[]`, "the top level is an array"},
		{`{"posts":[1]}`, "posts[0] is a number"},
		{`{"posts":[{"id":1},{"id":1}]}`, "posts[0] and posts[1] have the same id"},
		{`{"posts":5}`, `"posts" is a number`},
		{`{"login":[]}`, `"login" is the name of a route of shelf`},
		{`{"a/b":[]}`, `the name "a/b" has a slash in it`},
		{`{"posts":[{"id":1},]}`, "line 1, column 19"},
	} {
		dir := t.TempDir()
		writeTestFile(t, dir, "db.json", tt.text)
		status, stdout, stderr := runShelf(t, dir, nil, "db.json")
		line, _, _ := strings.Cut(stderr, "\n")
		if status != 1 || stdout != "" || !strings.HasPrefix(line, "shelf: db.json") || !strings.Contains(line, tt.want) {
			t.Errorf("%s: status %d, output %q, error %q; want 1, none, %q", tt.text, status, stdout, stderr, tt.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
			t.Errorf("%s: the folder holds %v now, %v; want db.json alone", tt.text, left, err)
		}
	}
}

// A file that was damaged, in the middle of what was acknowledged, is refused
// with its line's number.
func TestStartDamaged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	token := p.signUpAnn() // lines 2 to 4: the account and its two tokens
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
	p.kill()
	damaged := strings.Replace(readTestFile(t, dir, "shelf.jsonl"), `"itemname":"ball"`, `"itemname":"bell"`, 1)
	writeTestFile(t, dir, "shelf.jsonl", damaged)
	status, stdout, stderr := runShelf(t, dir, nil)
	wantFailure(t, status, stdout, stderr, "shelf.jsonl is damaged: line 5: ", "nothing was changed")
	if got := readTestFile(t, dir, "shelf.jsonl"); got != damaged {
		t.Errorf("shelf.jsonl was changed")
	}
}

// One data file has one server, and import counts as one.
func TestStartLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	token := p.signUpAnn()
	writeTestFile(t, dir, "db.json", `{"books":[{"title":"Dune","author":"Frank Herbert"}]}`)
	for _, args := range [][]string{{}, {"import", "db.json"}} {
		status, stdout, stderr := runShelf(t, dir, nil, args...)
		wantFailure(t, status, stdout, stderr, "shelf.jsonl is in use by another shelf")
	}
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
}

// Of several that start at once, in a folder with nothing in it, one serves.
func TestStartTogether(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all []*program
	for range 4 {
		all = append(all, launch(t, shelfCommand(t, dir, nil)))
	}
	serving, ended := 0, 0
	waitUntil(t, "each serves or ends", func() bool {
		serving, ended = 0, 0
		for _, p := range all {
			select {
			case <-p.ended:
				ended++
			default:
				if p.stdout.String() != "" {
					serving++
				}
			}
		}
		return serving+ended == len(all)
	})
	if serving != 1 {
		t.Errorf("%d serve; want 1", serving)
	}
	for _, p := range all {
		select {
		case <-p.ended:
			wantFailure(t, p.wait(), p.stdout.String(), p.stderr.String(), "shelf.jsonl is in use by another shelf")
		default:
			p.listening().signUpAnn()
		}
	}
}

// An account becomes an admin by the command, while no server runs.
func TestUserAdmin(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	token := p.signUpAnn()
	p.send("POST /signup", "", `{"username":"bob","password":"builder"}`).want(http.StatusCreated)
	p.send("DELETE /api/v1/auth/tokens", token, "").want(http.StatusForbidden, "Only admins")
	p.kill()

	status, stdout, stderr := runShelf(t, dir, nil, "user", "admin", "eve")
	wantFailure(t, status, stdout, stderr, `no account has the e-mail or username "eve"`)
	for name, want := range map[string]string{"Ann@Example.com": "ann@example.com (user 1) is an admin\n", "bob": "bob (user 2) is an admin\n"} {
		status, stdout, stderr := runShelf(t, dir, nil, "user", "admin", name)
		if status != 0 || stdout != want || stderr != "" {
			t.Errorf("shelf user admin %s = %d, %q, %q; want 0, %q, none", name, status, stdout, stderr, want)
		}
	}

	p = startShelf(t, dir)
	p.send("DELETE /api/v1/auth/tokens", token, "").want(http.StatusOK, `"pruned":`)
	p.send("POST /api/v1/auth/signin", "", annSecret).want(http.StatusOK, `"admin":true`)
}

// The greeting names everything that a person has to know.
func TestStartGreeting(t *testing.T) {
	t.Parallel()
	t.Run("the first start makes a file and a key", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startShelf(t, dir)
		wantText(t, p.greeting(), "shelf listens on "+p.url+"\n", filepath.Join(filepath.Base(dir), "shelf.jsonl")+" (0 users, 0 items, 0 books)\n", "  stop   Ctrl-C\n", "key    shelf.key\n", "curl "+p.url)
		rejectText(t, p.stderr.String(), "config .env", "warning")
		if !exists(filepath.Join(dir, "shelf.key")) {
			t.Error("there is no shelf.key")
		}
	})
	t.Run("a later start counts what is there", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startShelf(t, dir)
		p.send("POST /api/v1/items", p.signUpAnn(), ballForm).want(http.StatusCreated)
		p.kill()
		p = startShelf(t, dir)
		data := filepath.Join(filepath.Base(dir), "shelf.jsonl") + " (1 user, 1 item, 0 books)\n"
		wantText(t, p.greeting(), "shelf listens on "+p.url+"\n", data, "  stop   Ctrl-C\n")
		if n := strings.Count(p.greeting(), "\n"); n != 3 {
			t.Errorf("the greeting has %d lines; want 3:\n%s", n, p.greeting())
		}
	})
	t.Run(".env is named when it was used", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeTestFile(t, dir, ".env", "FLASK_ENV=development\nSECRET_KEY='"+goodSecret+"'\nSHELF_DATA=books.jsonl\nSHELF_DTA=typo\n")
		p := startShelf(t, dir)
		wantText(t, p.greeting(), "config .env\n", "key    SECRET_KEY\n", filepath.Join(filepath.Base(dir), "books.jsonl"), "warning: .env line 4: SHELF_DTA is not a setting of shelf\n")
		rejectText(t, p.stderr.String(), goodSecret)
		if exists(filepath.Join(dir, "books.key")) || exists(filepath.Join(dir, "shelf.jsonl")) {
			t.Error("the settings of .env did not count")
		}
		// The secret is the key: anything else that knows it can check a token.
		token, err := jwt.Parse(p.signUpAnn(), func(*jwt.Token) (any, error) { return []byte(goodSecret), nil })
		if err != nil {
			t.Errorf("a token does not verify with SECRET_KEY: %v", err)
		}
		mac := hmac.New(sha256.New, []byte(goodSecret))
		mac.Write([]byte("shelf: kid"))
		if got, want := token.Header["kid"], base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:12]); got != want {
			t.Errorf("kid = %s; want that of SECRET_KEY, %s", got, want)
		}
	})
	t.Run("-log off says nothing, not even of .env", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeTestFile(t, dir, ".env", "SHELF_DTA=typo\nSHELF_LOG=off\n")
		p := startShelf(t, dir)
		p.kill()
		if got := p.stderr.String(); got != "" {
			t.Errorf("standard error = %q; want none", got)
		}
	})
	t.Run("the flags go before .env and the environment", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		writeTestFile(t, dir, ".env", "SHELF_DATA=file.jsonl\n")
		cmd := shelfCommand(t, dir, []string{"SHELF_DATA=environment.jsonl"}, "-data", "flag.jsonl")
		p := launch(t, cmd).listening()
		wantText(t, p.greeting(), filepath.Join(filepath.Base(dir), "flag.jsonl"), "key    flag.key\n")
		rejectText(t, p.stderr.String(), "config .env")
	})
	t.Run("memory leaves nothing on disk", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		p := startShelf(t, dir, "-data", "memory")
		wantText(t, p.greeting(), "data   memory", "key    memory\n")
		p.send("POST /api/v1/items", p.signUpAnn(), ballForm).want(http.StatusCreated)
		p.kill()
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) > 0 {
			t.Errorf("the folder holds %v, %v; want nothing", entries, err)
		}
	})
}

// The log has requests where it was asked to; it has problems unless it was
// turned off, and standard error is not a terminal here.
func TestStartLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name         string
		args         []string
		want, reject []string
	}{
		{"problems only, where nobody watches", nil, []string{"level=ERROR", "shelf listens on"}, []string{"level=INFO"}},
		{"problems", []string{"-log", "problems"}, []string{"level=ERROR"}, []string{"level=INFO"}},
		{"requests", []string{"-log", "requests"}, []string{"level=INFO", `route="GET /api/v1/items/{id}"`, "status=200", "level=ERROR"}, nil},
		{"requests as JSON", []string{"-log=requests", "-log-format=json"}, []string{`"level":"INFO"`, `"route":"GET /api/v1/items/{id}"`, `"status":200`, `"level":"ERROR"`}, nil},
		{"off", []string{"-log", "off"}, nil, []string{"shelf", "level", "curl"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			p := startShelf(t, dir, tt.args...)
			token := p.signUpAnn()
			p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
			p.send("GET /api/v1/items/1?secret=inTheQuery", token, "").want(http.StatusOK)
			// A problem: somebody writes into the file while the server runs.
			writeTestFile(t, dir, "shelf.jsonl", readTestFile(t, dir, "shelf.jsonl")+"\n")
			p.send("POST /api/v1/items", token, ballForm).want(http.StatusServiceUnavailable, `"error":"`)
			p.send("GET /api/v1/items/1", token, "").want(http.StatusOK)
			p.kill()
			wantText(t, p.stderr.String(), tt.want...)
			rejectText(t, p.stderr.String(), append(tt.reject, token, "youcantguess", "inTheQuery", "goroutine")...)
		})
	}
}

// shelf -h, in each of its spellings, is for standard output, and no failure.
func TestHelp(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"-h", "--help", "help", "-log off -h", "help all"} {
		status, stdout, stderr := runShelf(t, t.TempDir(), nil, strings.Fields(arg)...)
		if status != 0 || stderr != "" {
			t.Errorf("shelf %s = %d, %q; want 0 and nothing on standard error", arg, status, stderr)
		}
		wantText(t, stdout, "shelf user list", "-addr HOST:PORT", "shelf help")
		if arg == "help all" {
			wantText(t, stdout, "SHELF_ADDR, default 127.0.0.1:8080", "SECRET_KEY_FALLBACKS", "PORT")
		} else if n := strings.Count(stdout, "\n"); n > 60 {
			t.Errorf("shelf %s has %d lines; want 60 at most", arg, n)
		}
		for line := range strings.Lines(stdout) {
			if len(line) > 81 {
				t.Errorf("shelf %s: a line of %d bytes wraps in a terminal: %s", arg, len(line)-1, line)
			}
		}
	}
}

// The transcript of the first greeting works as pasted: at the first start, and at the
// second, when the account is there already.
func TestGreetingTranscript(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	greeting, first := p.greeting(), p.url
	for start := 1; start <= 2; start++ {
		out, ok := paste(t, strings.ReplaceAll(greeting, first, p.url))
		if !ok {
			return
		}
		wantText(t, out, `"message":"Created a new item"`, fmt.Sprintf(`"id":%d`, start), `"itemname":"ball"`)
		last := strings.TrimSpace(out)
		last = last[strings.LastIndex(last, "\n")+1:]
		if got := strings.Count(last, `"itemname":"ball"`); got != start || !strings.HasPrefix(last, `{"status":200,"data":[`) {
			t.Errorf("the last answer of start %d is %s; want a list of %d", start, last, start)
		}
		p.kill()
		p = startShelf(t, dir)
	}
}

// So does that of a server with collections, which reads one that has a route.
func TestGreetingTranscriptOfCollections(t *testing.T) {
	t.Parallel()
	for _, flags := range []string{"-skip=login", "-skip=login -open -prefix=/data"} {
		t.Run(flags, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "db.json", `{"login":[],"my posts":[{"id":1,"title":"Hello"}]}`)
			p := startShelf(t, dir, append(strings.Fields(flags), "db.json")...)
			greeting, first := p.greeting(), p.url
			for range 2 {
				if out, ok := paste(t, strings.ReplaceAll(greeting, first, p.url)); ok && !strings.HasSuffix(out, `[{"id":1,"title":"Hello"}]`) {
					t.Errorf("the transcript ends with %s", out)
				}
				p.kill()
				p = startShelf(t, dir, append(strings.Fields(flags), "db.json")...)
				rejectText(t, p.greeting(), "curl")
			}
		})
	}
}

// paste runs the transcript of a greeting in a shell, and returns what that says. ok
// tells whether there are the programs for it.
func paste(t *testing.T, greeting string) (out string, ok bool) {
	t.Helper()
	bash, err := exec.LookPath("bash")
	_, curlErr := exec.LookPath("curl")
	if err != nil || curlErr != nil {
		t.Logf("not run: it takes bash and curl: %v, %v", err, curlErr)
		return "", false
	}
	_, transcript, found := strings.Cut(greeting, "Open it")
	_, transcript, _ = strings.Cut(transcript, "\n")
	if !found || !strings.Contains(transcript, "curl ") {
		t.Fatalf("there is no transcript in:\n%s", greeting)
	}
	cmd := exec.Command(bash, "-e", "-o", "pipefail")
	cmd.Stdin = strings.NewReader(transcript)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // no proxy of the tester's
	endWithTest(cmd)
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("bash: %v\n%s", err, said)
	}
	return string(said), true
}

// A setting that has no effect says so, in one line.
func TestStartIdleSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, flags string
		env         []string
		want        string // "" for silence
	}{
		{"nothing given", "", nil, ""},
		{"a seed for a store that holds something", "-seed=db.json", nil, "-seed has no effect: the store already has data"},
		{"PORT without an address", "", []string{"SHELF_ADDR=", "PORT= 0\r"}, "a platform that sets PORT wants -addr 0.0.0.0:0"},
		{"PORT with one", "-addr=127.0.0.1:0", []string{"PORT=80"}, ""},
		{"hosts beyond loopback", "-addr=0.0.0.0:0 -hosts=shelf.example", nil, "-hosts has no effect"},
		{"all pages and some", "-cors=*,https://app.example", nil, "-cors: * allows all web pages"},
		{"a wait of a day", "-longest-wait=1d", nil, "no wait is longer than an hour"},
		{"more of one account than in all", "-max-streams=2", nil, "-max-account-streams is above"},
		{"more rows of one account than in all", "-max-rows=2", nil, "-max-owned is above"},
		{"a slip in the environment", "", []string{"SHELF_ADR=:80"}, "environment: SHELF_ADR is not a setting of shelf"},
		{"what Kubernetes sets", "", []string{"SHELF_SERVICE_HOST=10.0.0.1", "SHELF_PORT=tcp://10.0.0.1:80", "SHELF_PORT_80_TCP_ADDR=10.0.0.1"}, ""},
		{"what shelf run sets", "", []string{"SHELF_URL=http://127.0.0.1", "SHELF_TOKEN=x", "SHELF_ADMIN_TOKEN=x", "SHELF_LAB_TOKEN=x"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "db.json", `{"books":[{"title":"Dune","author":"Frank Herbert"}]}`)
			if status, _, stderr := runShelf(t, dir, nil, "import", "db.json"); status != 0 {
				t.Fatal(stderr)
			}
			p := launch(t, shelfCommand(t, dir, tt.env, strings.Fields(tt.flags)...)).listening()
			p.kill()
			said := ""
			for line := range strings.Lines(p.stderr.String()) {
				if (strings.Contains(line, "level=WARN") || strings.Contains(line, "warning")) && !strings.Contains(line, "without TLS") {
					said += line
				}
			}
			if strings.Count(said, "\n") > 1 || !strings.Contains(said, tt.want) || tt.want == "" && said != "" {
				t.Errorf("shelf says\n%swant one line with %q", said, tt.want)
			}
		})
	}
}

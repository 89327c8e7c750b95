package program_test

import (
	"bufio"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userCommand runs shelf user with a password on standard input.
func userCommand(t *testing.T, dir, password string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	cmd := shelfCommand(t, dir, nil, append([]string{"user"}, args...)...)
	cmd.Stdin = strings.NewReader(password + "\n")
	p := launch(t, cmd)
	status = p.wait()
	return status, p.stdout.String(), p.stderr.String()
}

// get asks with a bearer token, and returns the status.
func (p *program) get(path, token string) int {
	p.t.Helper()
	r, err := http.NewRequest("GET", p.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// The five commands work beside a running server, which goes by them at once.
func TestUserBesideServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		args []string // of the server
		data string
	}{
		{"without collections", nil, "shelf.jsonl"},
		{"with collections", []string{"db.json", "-guard", "posts=600"}, "db.jsonl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "db.json", `{"posts":[{"id":1,"title":"a","userId":77}]}`)
			p := startShelf(t, dir, append(tt.args, "-password-policy=nist")...)
			run := func(password, command, want string) {
				t.Helper()
				status, stdout, stderr := userCommand(t, dir, password, append(strings.Fields(command), "-data", tt.data)...)
				if strings.HasPrefix(want, "shelf: ") {
					wantFailure(t, status, stdout, stderr, strings.TrimPrefix(want, "shelf: "))
				} else if status != 0 || !strings.Contains(stdout+stderr, want) {
					t.Errorf("shelf user %s = %d, %q, %q; want %q", command, status, stdout, stderr, want)
				}
			}
			signIn := func(email, password string) (access string) {
				t.Helper()
				access, _ = p.send("POST /api/v1/auth/signin", "", "email="+email+"&password="+password).want(http.StatusOK).tokens()
				return access
			}
			const first, second = "rhubarb-lantern-7", "thistle-harbour-9"

			run("password1", "add ann@example.com", "shelf: Invalid password") // the server's policy
			run(first, "add ann@example.com", "ann@example.com (user ")
			run(first, "add ANN@example.com", "shelf: an account with the e-mail or username")
			run(first, "add bob@example.com", "is added, a catalog account\n")
			run("", "list", "bob@example.com  no     no")
			ann, bob := signIn("ann@example.com", first), signIn("bob@example.com", first)

			guarded, denied := "/api/v1/users", http.StatusForbidden
			if tt.data == "db.jsonl" {
				guarded = "/posts/1"
			}
			if got := p.get(guarded, ann); got != denied {
				t.Errorf("GET %s = %d; want %d", guarded, got, denied)
			}
			run("", "admin ann@example.com", " is an admin\n")
			if got := p.get(guarded, ann); got != http.StatusOK {
				t.Errorf("GET %s of the new admin = %d; want 200", guarded, got)
			}
			run("", "admin ann@example.com -off", "no enabled account is an admin now")
			if got := p.get(guarded, ann); got != denied {
				t.Errorf("GET %s of an admin no longer = %d; want %d", guarded, got, denied)
			}

			run(second, "passwd ann@example.com", "has a new password; its sign-ins have ended")
			p.send("GET /api/v1/auth/me", ann, "").want(http.StatusUnauthorized)
			p.send("GET /api/v1/auth/me", bob, "").want(http.StatusOK)
			ann = signIn("ann@example.com", second)

			p.send("POST /api/v1/items", bob, ballForm).want(http.StatusCreated)
			events, err := http.NewRequest("GET", p.url+"/api/v1/events", nil)
			if err != nil {
				t.Fatal(err)
			}
			events.Header.Set("Authorization", "Bearer "+ann)
			stream, err := p.client.Do(events)
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Body.Close()
			run("", "delete bob@example.com", "is deleted; what it made stays")
			p.send("GET /api/v1/auth/me", bob, "").want(http.StatusUnauthorized)
			for lines := bufio.NewScanner(stream.Body); ; {
				if !lines.Scan() {
					t.Fatalf("the stream ended without the deletion: %v", lines.Err())
				}
				if strings.Contains(lines.Text(), "creator.deleted") {
					break
				}
			}
			run("", "delete bob@example.com", "shelf: no account has the e-mail or username")

			for _, event := range []string{"account added", "account changed", "password changed", "account deleted"} {
				p.await(p.stderr, `msg=security event="`+event+` by shelf user" client=local account=`)
			}
			rejectText(t, p.stderr.String(), first, second, "$2a$")
			if status, _, stderr := runShelf(t, dir, nil, "key", "rotate", "-data", tt.data); status != 1 || !strings.Contains(stderr, "stop the server, rotate, start it again") {
				t.Errorf("shelf key rotate = %d, %s", status, stderr)
			}
		})
	}
}

// A killed server leaves its socket, which harms no command and no later start.
func TestUserAfterKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	if _, stdout, stderr := userCommand(t, dir, "worm", "add", "ann"); !strings.Contains(stdout, "is added") {
		t.Fatalf("%s, %s", stdout, stderr)
	}
	p.kill()
	if !exists(filepath.Join(dir, "shelf.jsonl.sock")) && !exists(filepath.Join(dir, "shelf.jsonl.port")) {
		t.Error("no socket is left: this test shows nothing")
	}
	if status, stdout, stderr := userCommand(t, dir, "", "admin", "ann"); status != 0 || stdout != "ann (user 1) is an admin\n" {
		t.Errorf("without a server: %d, %s, %s", status, stdout, stderr)
	}
	p = startShelf(t, dir)
	if status, stdout, stderr := userCommand(t, dir, "", "delete", "ann"); status != 0 || !strings.Contains(stdout, "is deleted") {
		t.Errorf("beside the next server: %d, %s, %s", status, stdout, stderr)
	}
	p.await(p.stderr, "account deleted by shelf user")
}

// Where a server has no socket, a command says so. It changes nothing.
func TestUserWithoutSocket(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := startShelf(t, dir)
	for _, ending := range []string{".sock", ".port"} {
		os.Remove(filepath.Join(dir, "shelf.jsonl"+ending))
	}
	status, stdout, stderr := userCommand(t, dir, "worm", "add", "ann")
	wantFailure(t, status, stdout, stderr, "shelf.jsonl is in use by another shelf, and shelf user can't reach it (it has no socket): stop it")
	p.send("POST /login", "", "username=ann&password=worm").want(http.StatusUnauthorized)

	memory := t.TempDir()
	startShelf(t, memory, "-data=memory")
	wantFiles(t, memory)
}

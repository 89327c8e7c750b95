//go:build unix

package program_test

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A runProgram is shelf run with a shell for its command, which says what it
// was given and lasts until its standard input ends.
type runProgram struct {
	*program
	in                        io.Closer
	token, adminToken, secret string
}

func launchRun(t testing.TB, dir string, env []string, flags ...string) *runProgram {
	t.Helper()
	cmd := shelfCommand(t, dir, env, append(append([]string{"run"}, flags...), "--", "sh", "-c",
		`echo "$SHELF_URL $SHELF_TOKEN $SHELF_ADMIN_TOKEN $SHELF_LAB_TOKEN"; read line; exit 7`)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return &runProgram{program: launch(t, cmd), in: in}
}

// given waits for what the command says.
func (p *runProgram) given() *runProgram {
	p.t.Helper()
	line := p.await(p.stdout, "\n")
	if n, _ := fmt.Sscan(line, &p.url, &p.token, &p.adminToken, &p.secret); n != 4 {
		p.t.Fatalf("the command was given %q; want four values", line)
	}
	return p
}

// The command finds a server with an account and an admin, and nothing of shelf
// in its output. The server goes when it goes.
func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := launchRun(t, dir, nil).given()
	p.send("GET /api/v1/auth/me", p.token, "").want(http.StatusOK, `"email":"user@shelf.example"`, `"admin":false`)
	p.send("GET /api/v1/users", p.token, "").want(http.StatusForbidden)
	p.send("GET /api/v1/users", p.adminToken, "").want(http.StatusOK, `"email":"admin@shelf.example"`)
	p.send("POST /api/v1/items", p.token, ballForm).want(http.StatusCreated)
	p.send("GET /bookapi/books", p.token, "").want(http.StatusOK)
	ann := p.signUpAnn()
	p.send("POST /lab/reset", p.secret, "").want(http.StatusOK)
	p.send("GET /api/v1/auth/me", ann, "").want(http.StatusUnauthorized, "User not found")
	if items := p.items(p.token); len(items) != 0 {
		t.Errorf("after a reset the items are %v; want none", items)
	}
	p.send("GET /api/v1/users", p.adminToken, "").want(http.StatusOK, `"email":"admin@shelf.example"`)
	said := p.stdout.String()
	p.in.Close()
	if status := p.wait(); status != 7 {
		t.Errorf("exit status = %d; want that of the command, 7", status)
	}
	p.refusesCalls(t)
	if p.stdout.String() != said || p.stderr.String() != "" {
		t.Errorf("standard output = %q, standard error = %q; want the command's own", p.stdout, p.stderr)
	}
	wantFiles(t, dir)
}

// The ready-made tokens last a day by the server's clock, other tokens as they
// always do. A reset has them good again, with the data that was seeded.
func TestRunTokensLast(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeTestFile(t, dir, "db.json", `{"items":[{"itemname":"ball","category":"soccer","description":"round"}]}`)
	p := launchRun(t, dir, nil, "-seed=db.json").given()
	ann := p.signUpAnn()
	for _, tt := range []struct {
		advance, token string
		status         int
	}{
		{"14m", ann, http.StatusOK},
		{"1m", ann, http.StatusUnauthorized},
		{"23h", p.token, http.StatusOK},
		{"45m", p.token, http.StatusUnauthorized},
	} {
		p.send("POST /lab/clock", p.secret, "advance="+tt.advance).want(http.StatusOK)
		p.send("GET /api/v1/auth/me", tt.token, "").want(tt.status)
	}
	p.send("POST /lab/reset", p.secret, "").want(http.StatusOK)
	p.send("DELETE /api/v1/items/1", p.adminToken, "").want(http.StatusOK)
	p.send("DELETE /api/v1/auth/logout", p.token, "").want(http.StatusOK)
	p.send("POST /lab/reset", p.secret, "").want(http.StatusOK)
	if items := p.items(p.token); len(items) != 1 {
		t.Errorf("after a reset the items are %v; want the one of -seed", items)
	}
}

// Without a lab there is no secret, not even an old one.
func TestRunNoLab(t *testing.T) {
	t.Parallel()
	status, stdout, stderr := runShelf(t, t.TempDir(), []string{"SHELF_LAB_TOKEN=old-and-well-known"}, "run", "-lab=false", "--", "sh", "-c", `echo "<$SHELF_LAB_TOKEN>"`)
	if status != 0 || stdout != "<>\n" || stderr != "" {
		t.Errorf("shelf run -lab=false = %d, %q, %q; want an empty secret", status, stdout, stderr)
	}
}

// No setting of another server gets in the way; those of shelf run do.
func TestRunSettings(t *testing.T) {
	t.Parallel()
	busy, port := busyPort(t)
	dir := t.TempDir()
	writeTestFile(t, dir, ".env", "SHELF_DATA=books.jsonl\n")
	writeTestFile(t, dir, "db.json", `{"items":[{"itemname":"ball","category":"soccer","description":"round"}]}`)
	env := []string{"SHELF_LAB=false", "SHELF_LAB_TOKEN=old-and-well-known", "PORT=" + port, "SHELF_ADDR=" + busy, "SHELF_BCRYPT_COST=15", "SHELF_STDIN=true", "SHELF_LOG=requests", "SHELF_TOKEN=old", "SHELF_URL=old"}
	p := launchRun(t, dir, env, "-seed=db.json", "-ready-file=url", "-access-ttl=1h").given()
	if items := p.items(p.token); len(items) != 1 || items[0].Itemname != "ball" {
		t.Errorf("the items are %v; want those of -seed", items)
	}
	if p.secret == "old-and-well-known" {
		t.Error("the lab's secret is that of another server")
	}
	p.send("POST /lab/reset", p.secret, "").want(http.StatusOK)
	if got := readTestFile(t, dir, "url"); got != p.url+"\n" {
		t.Errorf("the ready file holds %q; want %s", got, p.url)
	}
	p.in.Close()
	p.wait()
	wantFiles(t, dir, ".env", "db.json")
	if p.stderr.String() != "" {
		t.Errorf("standard error = %q; want nothing", p.stderr)
	}
}

// The keys of other programs are none of shelf run's, whose data is in memory.
func TestRunKeys(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, env, file string
		flags           string
		stderr          string // a part; "" for silence
	}{
		{"a short one in .env", "", "SECRET_KEY=dev", "", ""},
		{"a good one in .env", "", "SECRET_KEY='" + goodSecret + "'", "-alg=EdDSA", ""},
		{"one in .env that can't be read", "", "SECRET_KEY=\"dev\";", "", ""},
		{"former ones in .env", "", "SECRET_KEY_FALLBACKS=dev,prod", "", ""},
		{"a good one in the environment", "SECRET_KEY=" + goodSecret, "SECRET_KEY=dev", "", ""},
		{"a short one in the environment", "SECRET_KEY=dev", "", "", "shelf: warning: run does not use this key, and makes one: SECRET_KEY: the secret has 3 bytes"},
		{"a placeholder in the environment", "SECRET_KEY=your-secret-key-here-change-in-production", "", "", "run does not use this key, and makes one: SECRET_KEY: this is a placeholder"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, ".env", "; others\nexport FOO\n"+tt.file+"\nBAR: x\n")
			status, stdout, stderr := runShelf(t, dir, []string{tt.env}, "run", cmp.Or(tt.flags, "-alg=HS256"), "--", "echo", "ok")
			if status != 0 || stdout != "ok\n" || strings.Count(stderr, "\n") > 1 || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("shelf run = %d, %q, %q; want 0, ok, %q", status, stdout, stderr, tt.stderr)
			}
		})
	}
}

// What needs no key doesn't look at it.
func TestKeysOfOthers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeTestFile(t, dir, ".env", "export FOO\n; comment\nSECRET_KEY=dev\nBAR: x\n")
	writeTestFile(t, dir, "db.json", `{"books":[{"title":"Dune","author":"Frank Herbert"}]}`)
	for _, args := range []string{"import db.json", "check", "export", "user list", "-h", "version"} {
		if status, _, stderr := runShelf(t, dir, nil, strings.Fields(args)...); status != 0 || stderr != "" {
			t.Errorf("shelf %s = %d, %q", args, status, stderr)
		}
	}
	status, stdout, stderr := runShelf(t, dir, nil, "key", "list")
	if status != 2 || stdout != "" {
		t.Errorf("shelf key list = %d, %q; want 2, none", status, stdout)
	}
	wantText(t, stderr, "shelf: .env line 3: SECRET_KEY: the secret has 3 bytes")
}

// Standard input is the command's.
func TestRunStdin(t *testing.T) {
	t.Parallel()
	cmd := shelfCommand(t, t.TempDir(), nil, "run", "--", "cat")
	cmd.Stdin = strings.NewReader("one\ntwo")
	p := launch(t, cmd)
	if status := p.wait(); status != 0 || p.stdout.String() != "one\ntwo" {
		t.Errorf("shelf run -- cat = %d, %q", status, p.stdout)
	}
}

// The exit status tells the command's from those of shelf, which says why.
func TestRunStatus(t *testing.T) {
	t.Parallel()
	busy, _ := busyPort(t)
	const usage = "shelf: usage: shelf run [flags] COMMAND ARGS..., such as: shelf run npm test\n"
	for _, tt := range []struct {
		name, args string
		status     int
		stderr     string // a part; "" for silence
	}{
		{"all went well", "-- true", 0, ""},
		{"the command failed", "-- false", 1, ""},
		{"with a number of its own", "-- sh -c exit${IFS}42", 42, ""},
		{"a signal ended it", "-- sh -c kill${IFS}-KILL${IFS}$$", 137, ""},
		{"what follows -- is the command's", "-- sh -c exit${IFS}$# -- -h -- -data", 3, ""},

		{"no command", "", 2, usage},
		{"no command behind the dashes", "-log off --", 2, usage},
		{"no dashes", "true", 0, ""},
		{"flags and no dashes: what follows the command is its own", "-log off sh -c exit${IFS}$# -- -h -- -data", 3, ""},
		{"flags and no command", "-log off", 2, usage},
		{"no such flag", "-prot 80 -- true", 2, "shelf: there is no flag -prot: did you mean -port? (shelf help all lists the flags)\n"},
		{"what has no place here: a data file", "-data shelf.jsonl -- true", 2, "shelf: run keeps its data in memory"},
		{"what has no place here: -stdin", "-stdin -- true", 2, "shelf: standard input belongs to the command"},

		{"the port is in use", "-addr " + busy + " -- true", 125, "is in use by another program"},
		{"a lab for all the world", "-addr 0.0.0.0:0 -- true", 125, "-lab needs a loopback -addr"},
		{"no such seed", "-seed nowhere.json -- true", 125, "nowhere.json"},
		{"not a program", "-- ./db.json", 126, "shelf: can't run the command ./db.json: it may not be run"},
		{"a folder", "-- ./", 126, "shelf: can't run the command ./: "},
		{"no such command", "-- no-such-command", 127, "no-such-command: no folder of PATH has"},
		{"no such file", "-- ./no-such-command", 127, "no-such-command: there is no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			writeTestFile(t, dir, "db.json", "{}")
			status, stdout, stderr := runShelf(t, dir, nil, append([]string{"run"}, strings.Fields(tt.args)...)...)
			if status != tt.status || stdout != "" || strings.Count(stderr, "\n") > 1 || !strings.Contains(stderr, tt.stderr) || tt.stderr == "" && stderr != "" {
				t.Errorf("shelf run %s = %d, %q, %q; want %d, nothing, %q", tt.args, status, stdout, stderr, tt.status, tt.stderr)
			}
		})
	}
}

// The command gets the signals that shelf gets, and what it makes of them is
// its own business.
func TestRunSignals(t *testing.T) {
	t.Parallel()
	for name, sig := range map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "QUIT": syscall.SIGQUIT, "TERM": syscall.SIGTERM, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := `trap 'echo got ` + name + `' ` + name + `; echo "$SHELF_URL $SHELF_TOKEN"; for n in 1 2 3 4; do read line && exit 3; done`
			cmd := detach(shelfCommand(t, t.TempDir(), nil, "run", "--", "sh", "-c", script))
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			p := launch(t, cmd)
			var token string
			fmt.Sscan(p.await(p.stdout, "\n"), &p.url, &token)
			for n := 1; n <= 2; n++ { // the second ends nothing either
				p.cmd.Process.Signal(sig)
				p.await(p.stdout, strings.Repeat("got "+name+"\n", n))
			}
			p.send("GET /api/v1/auth/me", token, "").want(http.StatusOK)
			io.WriteString(in, "end\n")
			if status := p.wait(); status != 3 || p.stderr.String() != "" {
				t.Errorf("exit status = %d, standard error %q; want 3 and nothing", status, p.stderr)
			}
		})
		t.Run(name+" ends it", func(t *testing.T) {
			t.Parallel()
			cmd := detach(shelfCommand(t, t.TempDir(), nil, "run", "--", "sh", "-c", "echo begun; exec cat"))
			if _, err := cmd.StdinPipe(); err != nil {
				t.Fatal(err)
			}
			p := launch(t, cmd)
			p.await(p.stdout, "begun\n")
			p.cmd.Process.Signal(sig)
			if status := p.wait(); status != 128+int(sig) {
				t.Errorf("exit status = %d; want %d", status, 128+int(sig))
			}
		})
	}
}

// A command that is to ignore a hangup goes on with its server after one, as
// under nohup.
func TestRunHangupIgnored(t *testing.T) {
	t.Parallel()
	cmd := detach(shelfCommand(t, t.TempDir(), nil, "run", "--", "sh", "-c", `kill -HUP $PPID; kill -HUP $$; exit 5`))
	cmd.Args = append([]string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	if status := launch(t, cmd).wait(); status != 5 {
		t.Errorf("exit status = %d; want 5", status)
	}
}

// A parent that is killed takes a server with -stdin along. The parent is a
// shell that holds the other side of the server's standard input.
func TestStdinParentKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := shelfCommand(t, dir, nil, "-stdin", "-data=memory")
	cmd.Args = append([]string{"sh", "-c", `"$@" <pipe & exec 3>pipe; wait`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	p := launch(t, cmd).listening()
	p.send("GET /", "", "").want(http.StatusOK)
	p.cmd.Process.Kill()
	p.refusesCalls(t)
	p.wait() // which the server would hold up, as it has the shell's standard output
}

// Two hundred at once, as on a machine that runs many tests: none waits for
// another, and none gets another's port. It runs before the parallel tests, as
// four hundred processes would try their patience.
func TestRunMany(t *testing.T) {
	const many = 200
	dir := t.TempDir()
	all := make([]*runProgram, many)
	for i := range all {
		all[i] = launchRun(t, dir, nil)
	}
	var urls []string
	for _, p := range all { // all of them are alive once the last has spoken
		urls = append(urls, p.given().url)
	}
	for _, p := range all {
		p.send("GET /api/v1/auth/me", p.token, "").want(http.StatusOK)
	}
	for _, p := range all {
		p.in.Close()
	}
	for _, p := range all {
		if status := p.wait(); status != 7 || p.stderr.String() != "" {
			t.Errorf("exit status = %d, standard error = %q; want 7 and nothing", status, p.stderr)
		}
	}
	slices.Sort(urls)
	if n := len(slices.Compact(urls)); n != many {
		t.Errorf("%d servers have %d addresses", many, n)
	}
	wantFiles(t, dir)
}

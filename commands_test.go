package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"go/types"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/shelf/internal/strictjson"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/explain"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/term"
	"example.com/shelf/internal/token"
)

// run is the program with streams and an environment of its own.
func run(ctx context.Context, args []string, lookupEnv func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) error {
	return newShell(lookupEnv, stdin, stdout, stderr).run(ctx, args)
}

// plainScreen is standard error in an empty environment.
func plainScreen(stderr io.Writer) *term.Screen {
	return term.NewScreen(stderr, func(string) string { return "" })
}

// runArgs runs a command as main would, in a folder of its own.
func runArgs(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out strings.Builder
	none := func(string) (string, bool) { return "", false }
	err = run(context.Background(), args, none, strings.NewReader(""), &out, io.Discard)
	return out.String(), err
}

// The usage text names every command with its example, every flag with its
// variable and default, and fits a terminal.
func TestUsage(t *testing.T) {
	t.Parallel()
	wanted := []string{"SECRET_KEY ", "SECRET_KEY_FALLBACKS", "PORT", "Exit status"}
	for _, c := range commands().All {
		wanted = append(wanted, "  "+commands().Usage(c), " $ shelf "+c.Example+"\n")
	}
	table := new(settings).table()
	for _, s := range table.Settings {
		if s.Instead != "" {
			continue
		}
		wanted = append(wanted, "  -"+s.Name+" ", s.Default)
		if !s.FlagOnly {
			wanted = append(wanted, table.Variable(s.Name))
		}
	}
	usage, err := runArgs(t, "help", "all")
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		t.Errorf("shelf help all: %v", err)
	}
	wantText(t, usage, wanted...)
	wantNarrow(t, usage)
}

// wantNarrow checks that a text fits a terminal of 80 columns.
func wantNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if len(line) > 81 {
			t.Errorf("wider than a terminal of 80 columns: %s", line)
		}
	}
}

// Each command has its own help, in every spelling, and does nothing else then.
func TestCommandHelp(t *testing.T) {
	t.Parallel()
	for _, c := range commands().All[1:] {
		first, _, _ := strings.Cut(c.Name, " ")
		spellings := [][]string{{"help", first}, {first, "-h"}, {first, "-help"}, {first, "--help"}}
		if first != c.Name {
			spellings = append(spellings, append(strings.Fields(c.Name), "-h"))
		}
		for _, args := range spellings {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				usage, err := runArgs(t, args...)
				if err != nil && !errors.Is(err, flag.ErrHelp) {
					t.Fatalf("%v; want the usage", err)
				}
				wantText(t, usage, "  shelf "+c.Name, "$ shelf "+c.Example+"\n")
				if other := "shelf check"; first != "check" {
					rejectText(t, usage, other)
				}
				wantNarrow(t, usage)
			})
		}
	}
}

// What can't be understood is told in one line.
func TestCommandUnknown(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"frob":           `unknown command "frob" (shelf help lists the commands)`,
		"help frob":      `unknown command "frob" (shelf help lists the commands)`,
		"Check":          `unknown command "Check": did you mean shelf check? (shelf help lists the commands)`,
		"-serve":         "there is no flag -serve (shelf help all lists the flags)",
		"check -serve":   "check has no flag -serve (usage: shelf check [FILE])",
		"key -serve":     "usage: shelf key rotate [-now [-y]] [-data FILE] [-alg ALG], or shelf key list [-data FILE]",
		"version -serve": "usage: shelf version",
	} {
		stdout, err := runArgs(t, strings.Fields(args)...)
		if err == nil || err.Error() != want || stdout != "" {
			t.Errorf("shelf %s = %q, %v; want %s", args, stdout, err, want)
		}
	}
}

// Where a line of the table repeats a name, only the first could ever run.
func TestCommandNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range commands().All {
		if c.Help == "" || c.Example == "" || c.Run == nil || slices.Contains(names, c.Name) {
			t.Errorf("%q: want one line with a purpose and an example", c.Name)
		}
		names = append(names, c.Name)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"version", "-version", "--version"} {
		got, err := runArgs(t, arg)
		if err != nil || !strings.HasPrefix(got, "shelf "+serve.ThisBuild(version).Version+"\n") {
			t.Errorf("shelf %s = %q, %v", arg, got, err)
		}
		wantText(t, got, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, "commit")
	}
}

func TestBuildPrint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		build serve.Build
		want  string
	}{
		{"of a commit", serve.Build{Version: "v1.2.0", Commit: "abc", Time: "2026-11-23T00:00:00Z", Go: "go1.26", System: "linux/arm64"},
			"shelf v1.2.0\n  commit  abc of 2026-11-23T00:00:00Z\n  go      go1.26\n  system  linux/arm64\n"},
		{"of a commit and more", serve.Build{Version: "v1.2.0", Commit: "abc", Time: "2026-11-23T00:00:00Z", Modified: true, Go: "go1.26", System: "linux/arm64"},
			"shelf v1.2.0\n  commit  abc of 2026-11-23T00:00:00Z, modified\n  go      go1.26\n  system  linux/arm64\n"},
		{"outside of a checkout", serve.Build{Version: "(devel)", Go: "go1.26", System: "linux/arm64"},
			"shelf (devel)\n  commit  unknown\n  go      go1.26\n  system  linux/arm64\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			tt.build.Print(&got)
			if got.String() != tt.want {
				t.Errorf("got %q, want %q", got.String(), tt.want)
			}
		})
	}
}

// runUser runs shelf user on the data file at path, and returns both outputs.
func runUser(path, stdin string, args ...string) (stdout, stderr string, err error) {
	return runUserFrom(context.Background(), path, strings.NewReader(stdin), args...)
}

func runUserFrom(ctx context.Context, path string, stdin io.Reader, args ...string) (string, string, error) {
	var stdout, stderr strings.Builder
	args = append(append([]string{"user"}, args...), "-data", path, "-bcrypt-cost", "4", "-log", "off")
	err := run(ctx, args, func(string) (string, bool) { return "", false }, stdin, &stdout, &stderr)
	return stdout.String(), stderr.String(), err
}

// Each of these runs on a file with ann, an admin with an e-mail, and bob, a
// book account.
func TestUserCommand(t *testing.T) {
	t.Parallel()
	const (
		usage  = "usage: shelf user list, or shelf user add|passwd|admin|delete NAME, flags last (shelf help user says more)"
		nobody = `no account has the e-mail or username "eve"`
		unsafe = "no password given: nothing was changed"
		noOne  = "shelf: warning: no enabled account is an admin now (shelf user admin NAME makes one)\n"
	)
	tests := []struct {
		name, args, stdin       string
		stdout, stderr, refused string
	}{
		{"an e-mail makes a catalog account", "add eve@example.com", "b00k-worm\n", "eve@example.com (user 3) is added, a catalog account\n", "", ""},
		{"anything else makes a book account", "add eve", "worm\n", "eve (user 3) is added, a book account\n", "", ""},
		{"a line needs no end", "add eve", "worm", "eve (user 3) is added, a book account\n", "", ""},
		{"a line may end as on Windows", "add eve@example.com", "1-" + strings.Repeat("x", 70) + "\r\n", "eve@example.com (user 3) is added, a catalog account\n", "", ""},
		{"one line is read, and no more", "add eve", "worm\n" + strings.Repeat("x", 99), "eve (user 3) is added, a book account\n", "", ""},
		{"an e-mail is taken in any case", "add Ann@Example.com", "", "", "", `an account with the e-mail or username "Ann@Example.com" exists already`},
		{"a username is taken", "add bob", "", "", "", `an account with the e-mail or username "bob" exists already`},
		{"not all with an @ is an e-mail", "add eve@localhost", "b00k-worm\n", "", "", `"eve@localhost" is not a valid e-mail address`},
		{"a username has an end", "add " + strings.Repeat("x", 121), "b00k-worm\n", "", "", "the username is too long or not UTF-8; use at most 120 characters"},
		{"a catalog account keeps the rule of sign-up", "add eve@example.com", "worm\n", "", "", badPassword},
		{"no password is cut off silently", "add eve", strings.Repeat("x", 73) + "\n", "", "", "Invalid password. It should be at most 72 bytes long"},
		{"an empty line is no password", "add eve", "\n", "", "", "Invalid password. It should not be empty"},
		{"nothing is no password", "add eve", "", "", "", unsafe},
		{"what no request can hold is no password", "add eve", "\xff\n", "", "", "the password is not UTF-8: nothing was changed"},
		{"a password is no argument", "add eve worm", "", "", "", `unexpected argument "worm" (shelf help shows the usage)`},

		{"an account gets a new password", "passwd bob", "w0rms\n", "bob (user 2) has a new password; its sign-ins have ended\n", "", ""},
		{"the new one keeps the rule of sign-up", "passwd ann@example.com", "worm\n", "", "", badPassword},
		{"only an account gets a password", "passwd eve", "w0rms\n", "", "", nobody},

		{"an account becomes an admin", "admin bob", "", "bob (user 2) is an admin\n", "", ""},
		{"an e-mail names an account in any case", "admin ANN@example.com", "", "ann@example.com (user 1) is an admin\n", "", ""},
		{"the last admin can stop being one, with a warning", "admin ann@example.com -off", "", "ann@example.com (user 1) is no admin\n", noOne, ""},
		{"only an account becomes an admin", "admin eve", "", "", "", nobody},

		{"an account is deleted", "delete bob", "", "bob (user 2) is deleted; what it made stays\n", "", ""},
		{"the last admin is deleted, with a warning", "delete ann@example.com", "", "ann@example.com (user 1) is deleted; what it made stays\n", noOne, ""},
		{"only an account is deleted", "delete eve", "", "", "", nobody},
		{"off is for admins", "delete bob -off", "", "", "", "there is no flag -off (shelf help all lists the flags)"},

		{"the accounts are listed", "list", "", `ID  USERNAME         E-MAIL           ADMIN  DISABLED  CREATED              CAN SIGN IN
1   ann@example.com  ann@example.com  yes    no        2026-11-22 14:05:00  yes
2   bob              -                no     no        2026-11-22 14:05:00  yes
`, "", ""},
		{"the list takes no name", "list bob", "", "", "", `unexpected argument "bob" (shelf help shows the usage)`},

		{"a command is needed", "", "", "", "", usage},
		{"an unknown one is none", "rename bob", "", "", "", `unknown command "user rename": want shelf user list, add, passwd, admin, delete (shelf help user says more)`},
		{"a name is needed", "admin", "", "", "", usage},
		{"a flag is no name", "admin -off", "", "", "", usage},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k := newAccountKit(t)
			k.admin("ann")
			k.bookLogin("bob")
			if err := k.server.store.Close(); err != nil {
				t.Fatal(err)
			}
			stdout, stderr, err := runUser(k.path, tt.stdin, strings.Fields(tt.args)...)
			if stdout != tt.stdout || stderr != tt.stderr || errorText(err) != tt.refused {
				t.Errorf("shelf user %s\n got %q, %q, %v\nwant %q, %q, %s", tt.args, stdout, stderr, err, tt.stdout, tt.stderr, tt.refused)
			}
		})
	}
}

func TestUserCommandHelp(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"user -h", "user add -h", "user list -h"} {
		var stdout strings.Builder
		err := run(t.Context(), strings.Fields(args), func(string) (string, bool) { return "", false }, nil, &stdout, io.Discard)
		if !errors.Is(err, flag.ErrHelp) || !strings.Contains(stdout.String(), "shelf user passwd NAME") {
			t.Errorf("%s = %v, %q; want the usage", args, err, stdout.String())
		}
	}
}

// What the commands did is what a server then finds.
func TestUserCommandServed(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	offline := func(stdin string, args ...string) {
		t.Helper()
		if err := k.server.store.Close(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := runUser(k.path, stdin, args...); err != nil {
			t.Fatal(err)
		}
		k.open()
	}
	ann, bob := k.signUp("ann"), k.bookLogin("bob")
	k.must(201, "", ann.access, "POST /api/v1/items", "itemname=ball&category=soccer&description=round")

	offline("", "admin", "ann@example.com")
	k.must(200, "", ann.access, "GET /api/v1/users", "")
	offline("", "admin", "ann@example.com", "-off")
	k.must(403, "", ann.access, "GET /api/v1/users", "")

	offline(accountAnew+"\n", "passwd", "ann@example.com")
	k.ended(accountRevoked, ann.access, ann.refresh)
	k.must(401, "", "", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountPassword)
	k.must(200, "", "", "POST /api/v1/auth/signin", "email=ann@example.com&password="+accountAnew)
	k.must(200, "", bob, "GET /bookapi/books", "")

	offline("", "delete", "ann@example.com")
	k.ended("User not found", ann.access)
	if items := k.must(200, "", bob, "GET /api/v1/items", "").text; !strings.Contains(items, `"createdby":null`) {
		t.Errorf("items = %s; want ann's, made by no account", items)
	}

	offline(accountPassword+"\n", "add", "eve@example.com")
	k.good(k.signIn("eve").access)
	offline("worm\n", "add", "joe")
	k.must(201, "", "", "POST /login", "username=joe&password=worm")
}

func TestUserCommandFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "shelf.jsonl")
	for _, args := range []string{"list", "admin ann", "passwd ann", "delete ann", "add ann@here"} {
		if _, _, err := runUser(path, "worm\n", strings.Fields(args)...); err == nil {
			t.Errorf("shelf user %s worked without a data file", args)
		}
		if left, err := os.ReadDir(dir); len(left) > 0 || err != nil {
			t.Fatalf("shelf user %s left %v, %v; want nothing", args, left, err)
		}
	}
	stdout, _, err := runUser(path, "worm\n", "add", "ann")
	if want := "ann (user 1) is added, a book account, in the new file " + path + "\n"; stdout != want || err != nil {
		t.Errorf("the first add = %q, %v; want %q", stdout, err, want)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the new file: %v, %v; want one that only its owner reads", info, err)
	}
	if _, _, err := runUser(inMemory, "", "list"); errorText(err) != "-data memory has no file with accounts; name the data file with -data FILE" {
		t.Errorf("-data memory: %v", err)
	}
}

// A file that a process has locked, and no server that takes commands: one line says it.
func TestUserCommandLockedFile(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	for _, args := range []string{"list", "add eve", "admin ann@example.com"} {
		want := k.path + " is in use by another shelf, and shelf user can't reach it (it has no socket): stop it, or wait until it ends"
		if _, _, err := runUser(k.path, "worm\n", strings.Fields(args)...); errorText(err) != want {
			t.Errorf("shelf user %s beside a store: %v; want %s", args, err, want)
		}
	}
	document := filepath.Join(t.TempDir(), "db.json")
	if err := os.WriteFile(document, []byte(`{"items":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"import", document, "-data", k.path}, func(string) (string, bool) { return "", false }, nil, io.Discard, io.Discard)
	if want := k.path + " is in use by another shelf; stop the server, import, start it again"; errorText(err) != want {
		t.Errorf("shelf import beside a store: %v; want %s", err, want)
	}
}

// Names of an earlier shelf's accounts are what users once chose. A
// terminal must not obey them.
func TestUserListHostileNames(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	for _, name := range []string{"x\u001b[2J", "y\nroot", "z\u202etoor", "s\x00\u009b2J", "日本"} {
		if err := k.server.store.signUp(&user{PublicID: token.NewUUID(), Username: name}); err != nil {
			t.Fatal(err)
		}
	}
	k.server.store.Close()
	stdout, _, err := runUser(k.path, "", "list")
	if err != nil || strings.ContainsAny(stdout, "\x1b\x00\u009b\u202e") || strings.Count(stdout, "\n") != 6 || !strings.Contains(stdout, "日本") {
		t.Errorf("list = %q, %v; want six lines without control characters", stdout, err)
	}
}

func TestUserListWhoCanSignIn(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	root := k.admin("root")
	k.signUp("ann")
	k.must(200, "", root.access, "PATCH /api/v1/users/2", "disabled=true")
	if err := k.server.store.signUp(&user{PublicID: token.NewUUID(), Username: "imported", Created: k.now}); err != nil {
		t.Fatal(err)
	}
	k.server.store.Close()
	stdout, _, err := runUser(k.path, "", "list")
	if err != nil || !strings.Contains(stdout, "no: disabled") || !strings.Contains(stdout, "no: has no password") {
		t.Errorf("list = %q, %v; want who can't sign in, and why", stdout, err)
	}
	if _, _, err := runUser(k.path, "worm\n", "passwd", "imported"); err != nil {
		t.Fatal(err)
	}
	k.open()
	k.must(201, "", "", "POST /login", "username=imported&password=worm")
}

// Ctrl-C while a password is awaited changes nothing.
func TestUserCommandInterrupted(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	k.bookLogin("bob")
	k.server.store.Close()
	before, err := os.ReadFile(k.path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	never, w := io.Pipe()
	defer w.Close()
	cancel()
	_, _, err = runUserFrom(ctx, k.path, never, "passwd", "bob")
	after, readErr := os.ReadFile(k.path)
	if errorText(err) != "interrupted: nothing was changed" || readErr != nil || string(after) != string(before) {
		t.Errorf("interrupted: %v, %v; want an error that says so, and the file as it was", err, readErr)
	}
}

// runKey is shelf key at that moment. It returns what was printed.
func runKey(now time.Time, environ string, args ...string) (string, error) {
	var stdout strings.Builder
	err := keyCommand(context.Background(), shellOf(environ, now, nil, &stdout), args)
	return stdout.String(), err
}

// judgeFile says what a server that starts on the files at path makes of a token.
func judgeFile(t *testing.T, path, signed string, now time.Time) error {
	t.Helper()
	clock := func() time.Time { return now }
	st, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), clock)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ring, _, err := token.LoadKeys(token.KeyPath(path), token.HS256, now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&server{store: st, keys: ring, verifier: ring, now: clock}).callerOf(t.Context(), signed, anyToken)
	return err
}

func TestKeyRotate(t *testing.T) {
	t.Parallel()
	path, signed := explainFiles(t)
	before := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenNow)
	out, err := runKey(tokenNow, "", "rotate", "-data", path)
	if err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenNow)
	want := token.KeyPath(path) + ` holds a new key, which signs from the next start on.
No sign-in ends: the old key verifies until the last token has ended.

` + after.Keys()[0].ID + `
    HS256, made 2026-11-22, signs
` + before.Keys()[0].ID + `
    HS256, made 2026-11-22, verifies until 2026-11-22 14:19 UTC
`
	if out != want {
		t.Errorf("shelf key rotate printed\n%swant\n%s", out, want)
	}
	// The last token ends at tokenEnd, and with it the old key.
	if err := judgeFile(t, path, signed, tokenEnd.Add(-time.Second)); err != nil {
		t.Errorf("the old key's token in its last second: %v", err)
	}
	if ring := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenEnd); len(ring.Keys()) != 1 {
		t.Errorf("%d keys are left when the last token has ended; want 1", len(ring.Keys()))
	}
	// Twice in a row changes nothing for those who are signed in.
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	if err := judgeFile(t, path, signed, tokenNow); err != nil {
		t.Errorf("the first key's token after two rotations: %v", err)
	}
}

// A key for another algorithm is no successor: it must not be promised that
// everybody stays signed in.
func TestKeyRotateForAnotherAlgorithm(t *testing.T) {
	t.Parallel()
	path, _ := explainFiles(t)
	out, err := runKey(tokenNow, "", "rotate", "-alg", "EdDSA", "-data", path)
	if err != nil || !strings.Contains(out, "on that has -alg EdDSA.\nA server with one -alg refuses tokens that keys for another have signed.") || strings.Contains(out, "No sign-in ends") {
		t.Errorf("shelf key rotate -alg EdDSA printed %q, %v; want what that means", out, err)
	}
}

func TestKeyRotateAfterALeak(t *testing.T) {
	t.Parallel()
	path, signed := explainFiles(t)
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	out, err := runKey(tokenNow, "", "rotate", "--now", "-data", path)
	if err != nil || !strings.Contains(out, "every account has to sign in again") || strings.Count(out, "HS256") != 1 {
		t.Errorf("shelf key rotate -now printed %q, %v; want the one new key, and what it means", out, err)
	}
	if fault, ok := errors.AsType[*token.Error](judgeFile(t, path, signed, tokenNow)); !ok || fault.Reason != token.BadSignature {
		t.Errorf("a token of the leaked key: %v; want a bad signature", fault)
	}
}

// Without a token in the store nothing that the old key signed is good any more.
func TestKeyRotateWithoutTokens(t *testing.T) {
	t.Parallel()
	path, _ := explainFiles(t)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	st, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), time.Now)
	if err == nil {
		err = st.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	before := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenNow)
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenNow)
	if len(after.Keys()) != 1 || after.Keys()[0].ID == before.Keys()[0].ID {
		t.Errorf("%d keys, and %s signs; want a new one alone", len(after.Keys()), after.Keys()[0].ID)
	}
}

func TestKeyRotateBesideAServer(t *testing.T) {
	t.Parallel()
	path, _ := explainFiles(t)
	running, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	before, err := os.ReadFile(token.KeyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rotate", "-data", path}, {"rotate", "-now", "-data", path}} {
		_, err := runKey(tokenNow, "", args...)
		if want := "a server runs on " + path + " and would keep its key; stop the server, rotate, start it again"; errorText(err) != want {
			t.Errorf("shelf key %q = %v; want %s", args, err, want)
		}
	}
	if after, err := os.ReadFile(token.KeyPath(path)); err != nil || string(after) != string(before) {
		t.Errorf("the key file changed, %v", err)
	}
	if _, err := runKey(tokenNow, "", "list", "-data", path); err != nil {
		t.Errorf("shelf key list beside a server: %v", err)
	}
}

func TestKeyCommandRefused(t *testing.T) {
	t.Parallel()
	secret := "SECRET_KEY=" + strings.Repeat("s", 32)
	tests := []struct {
		name, environ string
		args          []string
		want          string // is part of the error
	}{
		{"no command", "", nil, "usage: shelf key rotate"},
		{"an unknown one", "", []string{"make"}, "usage: shelf key rotate"},
		{"an unknown flag", "", []string{"rotate", "-later"}, "there is no flag -later"},
		{"list has no -now", "", []string{"list", "-now"}, "there is no flag -now"},
		{"a secret is rotated by its fallbacks", secret, []string{"rotate"}, "SECRET_KEY_FALLBACKS"},
		{"a leaked one as well", secret, []string{"rotate", "-now"}, "SECRET_KEY_FALLBACKS"},
		{"rotating what is in memory", "", []string{"rotate", "-data", "memory"}, "makes a new key whenever it starts"},
		{"listing it", "", []string{"list", "-data", "memory"}, "makes a new key whenever it starts"},
		{"a secret for EdDSA", secret, []string{"list", "-alg", "EdDSA"}, "-alg EdDSA signs with a key that shelf makes, but SECRET_KEY is set"},
		{"a fallback for nothing", "SECRET_KEY_FALLBACKS=x", []string{"list"}, "SECRET_KEY is not"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := runKey(tokenNow, tt.environ, tt.args...)
			if err == nil || !strings.Contains(err.Error(), tt.want) || out != "" {
				t.Errorf("shelf key %q = %q, %v; want an error with %q", tt.args, out, err, tt.want)
			}
		})
	}
}

func TestKeyRotateWithoutData(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	_, err := runKey(tokenNow, "", "rotate", "-data", folder+"/shelf.jsonl")
	if files, _ := os.ReadDir(folder); !errors.Is(err, fs.ErrNotExist) || len(files) != 0 {
		t.Errorf("shelf key rotate = %v and left %v; want fs.ErrNotExist and nothing", err, files)
	}
}

// What is secret in a key never shows, whatever key it is.
func TestKeyList(t *testing.T) {
	t.Parallel()
	path, _ := explainFiles(t)
	ed := loadKeyFile(t, token.KeyPath(path), token.EdDSA, tokenNow)
	hs := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenNow)
	secret, former := token.HS256Key([]byte(tokenSecret)), token.HS256Key([]byte(strings.ReplaceAll(tokenSecret, ",", " and")))
	tests := []struct {
		name, environ, want string
	}{
		{"the chosen algorithm's key signs", "",
			ed.Keys()[0].ID + "\n    EdDSA, made 2026-11-22, not in use without -alg EdDSA\n" + hs.Keys()[0].ID + "\n    HS256, made 2026-11-22, signs\n"},
		{"the other's when that is chosen", "SHELF_ALG=EdDSA",
			ed.Keys()[0].ID + "\n    EdDSA, made 2026-11-22, signs\n" + hs.Keys()[0].ID + "\n    HS256, made 2026-11-22, not in use without -alg HS256\n"},
		{"a secret of the settings", "SECRET_KEY=" + tokenSecret + "\nSECRET_KEY_FALLBACKS=" + strings.ReplaceAll(tokenSecret, ",", " and"),
			secret.ID + "\n    HS256, SECRET_KEY, signs\n" + former.ID + "\n    HS256, SECRET_KEY_FALLBACKS, number 1, verifies\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := runKey(tokenNow, tt.environ, "list", "-data", path)
			if err != nil || got != tt.want {
				t.Errorf("shelf key list = %s%v; want %s", got, err, tt.want)
			}
		})
	}
}

// run finds these commands.
func TestKeyHelp(t *testing.T) {
	t.Parallel()
	for _, help := range []string{"-h", "-help", "--help"} {
		if _, err := runKey(tokenNow, "", help); !errors.Is(err, flag.ErrHelp) {
			t.Errorf("shelf key %s = %v; want the usage", help, err)
		}
	}
}

func TestRunKeyCommands(t *testing.T) {
	t.Parallel()
	path, signed := explainFiles(t)
	noEnv := func(string) (string, bool) { return "", false }
	for _, args := range [][]string{{"key", "list", "-data", path}, {"explain", signed, "-data", path}} {
		var stdout strings.Builder
		err := run(t.Context(), args, noEnv, strings.NewReader(""), &stdout, io.Discard)
		if err != nil && !errors.Is(err, explain.ErrRefused) || stdout.Len() == 0 {
			t.Errorf("shelf %q = %q, %v", args[0], stdout.String(), err)
		}
	}
}

// The tour leads nowhere that isn't there.
func TestTour(t *testing.T) {
	t.Parallel()
	printed, err := runArgs(t, "tour")
	if err != nil {
		t.Fatal(err)
	}
	there := declarations(t)
	stops := explain.Stops(readingGuide)
	for _, s := range stops {
		for _, f := range s.Functions {
			if len(there[f.Place]) == 0 {
				t.Errorf("%s: there is no %s", s.Heading, f.Place)
			}
			wantText(t, printed, "     "+f.Place+"\n         "+f.Does[:min(20, len(f.Does))])
		}
		if len(s.Functions) == 0 || s.Why == "" {
			t.Errorf("%s: no functions, or no reason", s.Heading)
		}
		if want := address(s.Source); s.URL == "" || s.URL != want {
			t.Errorf("%s: %s is read at %s, not at %s", s.Heading, s.Source, want, s.URL)
		}
		wantText(t, printed, ". "+s.Heading+"\n", "\n   "+s.Source+"\n   "+s.URL+"\n")
	}
	if n := strings.Count(readingGuide, "\n### ") - strings.Count(readingGuide, "?\n"); n != len(stops) {
		t.Errorf("%d stops are read of docs/reading.md; it has %d", len(stops), n)
	}
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, "   https://") { // which must stay whole
			wantNarrow(t, line)
		}
	}
}

// The path from sign-up to a restart, as docs/reading.md lists it, is short enough to be
// read in one sitting. A function that grows must give something away.
func TestReadingPath(t *testing.T) {
	t.Parallel()
	const maxLines, maxFiles, maxFunction = 600, 6, 40
	_, path, _ := strings.Cut(readingGuide, "\n## The path\n")
	path, _, found := strings.Cut(path, "\n## Around the path\n")
	if !found {
		t.Fatal("docs/reading.md has no path, or nothing around it")
	}
	there := declarations(t)
	lines, files := 0, map[string]bool{}
	for _, s := range explain.Stops(path) {
		for _, f := range s.Functions {
			file, _, _ := strings.Cut(f.Place, ": ")
			n := 0
			for _, line := range there[f.Place] {
				if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
					n++
				}
			}
			if n == 0 || n > maxFunction {
				t.Errorf("%s has %d lines of code; want 1 to %d", f.Place, n, maxFunction)
			}
			lines += n
			files[file] = true
		}
	}
	if lines > maxLines || len(files) > maxFiles {
		t.Errorf("the path has %d lines of code in %d files; want at most %d in %d", lines, len(files), maxLines, maxFiles)
	}
	for _, want := range []string{"signUp", "(*Hasher).Hash", "Sign", "bearer", "verify", "refresh", "logOut", "openData"} {
		if !strings.Contains(path, want+"`") {
			t.Errorf("the path does not lead through %s", want)
		}
	}
}

// Each place that keeps bad practice for a tutorial says so, and docs/reading.md lists
// exactly these places. What it quotes of the code stands in the code.
func TestReadingKept(t *testing.T) {
	t.Parallel()
	_, kept, _ := strings.Cut(readingGuide, "\n### What is kept only for the tutorials?\n")
	kept, _, _ = strings.Cut(kept, "\n## ")
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(kept, -1) {
		listed[m[1]] = true
	}
	said := map[string]bool{}
	all := ""
	for place, lines := range declarations(t) {
		text := commentBreak.ReplaceAllString(strings.Join(lines, "\n"), " ")
		all += text
		if strings.Contains(text, "kept for the tutorial") {
			said[place] = true
		}
	}
	if !maps.Equal(listed, said) {
		t.Errorf("docs/reading.md lists %v\nthe code says it at %v", slices.Sorted(maps.Keys(listed)), slices.Sorted(maps.Keys(said)))
	}
	for _, quoted := range []string{"jwt.WithValidMethods(algs)", `if alg, _ := header.Text("alg"); alg != k.Alg {`} {
		if !strings.Contains(readingGuide, "`"+quoted+"`") || !strings.Contains(all, quoted) {
			t.Errorf("%s is not in docs/reading.md, or not in the code", quoted)
		}
	}
}

// commentBreak is where a sentence of a comment goes on in the next line.
var commentBreak = regexp.MustCompile(`\n\s*// `)

// declarations are the lines of every function, type and constant of the program, with
// their comments, by "FILE: NAME" or "FILE: (TYPE).NAME".
func declarations(t testing.TB) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, pattern := range []string{"*.go", "internal/*/*.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			lines, files := strings.Split(string(text), "\n"), gotoken.NewFileSet()
			file, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			add := func(what string, doc *ast.CommentGroup, n ast.Node) {
				from := n.Pos()
				if doc != nil {
					from = doc.Pos()
				}
				all[filepath.ToSlash(name)+": "+what] = lines[files.Position(from).Line-1 : files.Position(n.End()).Line]
			}
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					what := d.Name.Name
					if d.Recv != nil {
						what = "(" + types.ExprString(d.Recv.List[0].Type) + ")." + what
					}
					add(what, d.Doc, d)
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						switch spec := spec.(type) {
						case *ast.TypeSpec:
							add(spec.Name.Name, cmp.Or(spec.Doc, d.Doc), spec)
						case *ast.ValueSpec:
							add(spec.Names[0].Name, spec.Doc, spec)
						}
					}
				}
			}
		}
	}
	return all
}

func TestTourUsage(t *testing.T) {
	t.Parallel()
	if printed, err := runArgs(t, "tour", "-fast"); printed != "" || errorText(err) != "usage: shelf tour" {
		t.Errorf("shelf tour -fast = %q, %v; want its usage", printed, err)
	}
}

// explainStore fills a store with Ann, whose sign-in made the good token and a
// refresh token, and with the tokens below that have ended.
func explainStore(t testing.TB, s *store) {
	t.Helper()
	record := func(jti, typ string) *tokenRecord {
		return &tokenRecord{JTI: jti, Type: typ, Expires: tokenEnd}
	}
	signUp := func(u *user, tokens ...*tokenRecord) {
		t.Helper()
		if err := s.signUp(u, tokens...); err != nil {
			t.Fatal(err)
		}
	}
	ended := func(jti, by string) *tokenRecord {
		r := record(jti, token.Access)
		r.EndedBy, r.Ended = by, tokenNow.Add(-3*time.Minute)
		return r
	}
	signUp(&user{PublicID: tokenClaims.Subject, Username: "ann", Email: "ann@example.com"},
		record(tokenClaims.ID, token.Access), record("refresh", token.Refresh),
		ended("revoked", endedByOwner), ended("logged out", endedByLogout), ended("by an admin", endedByAdmin))
	signUp(&user{PublicID: "bob", Username: "bob", Disabled: true}, record("bob's", token.Access))
}

func explainServer(t testing.TB) *server {
	t.Helper()
	now := func() time.Time { return tokenNow }
	s := &server{store: newStore(slog.New(slog.DiscardHandler), now), keys: tokenRing(t), verifier: tokenRing(t), now: now}
	explainStore(t, s.store)
	return s
}

const explainedGood = `good: an access token of ann@example.com

  text        pass  three parts, 380 bytes
  algorithm   pass  HS256
  signature   pass  made with key KID
  times       pass  issued 1m ago, expires in 14m
  claims      pass  sub, jti and type are there, none is wrong
  type        pass  access: good for everything but /api/v1/auth/refresh
  user        pass  user 1, ann@example.com
  revocation  pass  token 1, not revoked

header
  alg         "HS256"

claims
  exp         1795357140  expires in 14m, 2026-11-22 14:19:00 UTC
  fresh       true
  iat         1795356240  issued 1m ago, 2026-11-22 14:04:00 UTC
  iss         "shelf"
  jti         "7c9e6679-7425-40de-944b-e07fc1f90ae7"  token 1, not revoked
  nbf         1795356240  valid since 1m ago, 2026-11-22 14:04:00 UTC
  public_id   "0f8fad5b-d9cb-469f-a165-70867728950e"
  sub         "0f8fad5b-d9cb-469f-a165-70867728950e"  user 1, ann@example.com
  type        "access"

signature: 43 characters, not shown
`

const explainedForged = `refused: The specified alg value is not allowed

  text        pass  three parts, 76 bytes
  algorithm   FAIL  The specified alg value is not allowed
  signature   -     not checked
  times       -     not checked
  claims      -     not checked
  type        -     not checked
  user        -     not checked
  revocation  -     not checked

header (NOT VERIFIED: anyone can write this)
  alg         "none"
  kid         "\u009b31m"  no key of this server

claims (NOT VERIFIED: anyone can write this)
  sub         "bob"  user 2, bob, disabled
  exp         "never"  no valid time

signature: 0 characters, not shown
`

func TestExplain(t *testing.T) {
	t.Parallel()
	s := explainServer(t)
	tests := []struct{ name, token, want string }{
		{"a good token", forge(`{"alg":"HS256"}`, payload(), tokenSecret), strings.ReplaceAll(explainedGood, "KID", s.keys.Ring().Keys()[0].ID)},
		{"a forged token that would colour the terminal", b64("{\"alg\":\"none\",\"kid\":\"\u009b31m\"}") + "." + b64(`{"sub":"bob","exp":"never"}`) + ".", explainedForged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			s.judge().Token(&got, tt.token)
			if got.String() != tt.want {
				t.Errorf("explain = %s\nwant %s", got.String(), tt.want)
			}
		})
	}
}

func TestExplainWords(t *testing.T) {
	t.Parallel()
	s := explainServer(t)
	tests := []struct {
		name, token string
		want        []string // lines, or beginnings of lines, that are printed
	}{
		{"one that has expired", claimToken("exp", "1795356108"), []string{"refused: Token has expired", "  times       FAIL  expired 3m12s ago", "  exp         1795356108  expired 3m ago, "}},
		{"one from the future", claimToken("iat", "1795359901", "nbf", "1795449901"), []string{"  times       FAIL  issued 1h0m1s in the future (iat)", "  iat         1795359901  issued only in 1h 0m, ", "  nbf         1795449901  valid only in 1d 2h, "}},
		{"one of a wrong issuer", claimToken("iss", `"joe"`), []string{"  times       pass", "  claims      FAIL  Invalid claim: iss", "  type        -     not checked"}},
		{"a refresh token", claimToken("type", `"refresh"`, "jti", `"refresh"`), []string{"good: a refresh token of ann@example.com", "  type        pass  refresh: good for /api/v1/auth/refresh and log-out only"}},
		{"one that its owner revoked", claimToken("jti", `"revoked"`), []string{"  revocation  FAIL  revoked 3m0s ago by its owner", `  jti         "revoked"  token 3, revoked 3m0s ago by its owner`}},
		{"one that a log-out ended", claimToken("jti", `"logged out"`), []string{"refused: Token has been revoked", "  user        pass  user 1, ann@example.com", "  revocation  FAIL  revoked 3m0s ago by log-out"}},
		{"one that an admin ended", claimToken("jti", `"by an admin"`), []string{"  revocation  FAIL  revoked 3m0s ago by an admin"}},
		{"one that the store never made", claimToken("jti", `"x"`), []string{"  revocation  FAIL  this server has no record of the token", `  jti         "x"   not known to this store`}},
		{"another's token under her name", claimToken("jti", `"bob's"`), []string{"  revocation  FAIL  this server has no record of the token", `  jti         "bob's"  token 6, of another account`}},
		{"a refresh token that calls itself an access token", claimToken("jti", `"refresh"`), []string{"  revocation  FAIL  this server has no record of the token"}},
		{"one of no account", claimToken("sub", `"x"`, "public_id", ""), []string{"  user        FAIL  User not found", `  sub         "x"   no account of this store`}},
		{"one of a disabled account", claimToken("sub", `"bob"`, "public_id", "", "jti", `"bob's"`), []string{"  user        FAIL  Account is disabled", "  revocation  -     not checked"}},
		{"one by another key", forge(`{"alg":"HS256"}`, payload(), "another secret that has more than thirty-two bytes"), []string{"  signature   FAIL  Signature verification failed", "claims (NOT VERIFIED: anyone can write this)"}},
		{"one by a former key", forge(`{"alg":"HS256","kid":"`+token.HS256Key([]byte(formerSecret)).ID+`"}`, payload(), formerSecret), []string{"good: ", "  signature   pass  made with key " + token.HS256Key([]byte(formerSecret)).ID}},
		{"one that brings its own key", forge(`{"alg":"HS256","jku":"https://evil.example/"}`, payload(), formerSecret), []string{`  jku         "https://evil.example/"  never used`}},
		{"a header with alg twice", forge(`{"alg":"HS256","alg":"none"}`, payload(), tokenSecret), []string{"  text        FAIL  Invalid header string: 'alg' must be given only once", "  can't be read: not a clear JSON object: 'alg' must be given only once"}},
		{"no token at all", "garbage", []string{"refused: Not enough segments", "  text        FAIL  Not enough segments"}},
		{"nothing", "", []string{"  text        FAIL  Not enough segments"}},
		{"far too much", strings.Repeat("a.", token.MaxLength), []string{"  text        FAIL  The token is longer than 8 KiB"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			s.judge().Token(&got, tt.token)
			for _, line := range tt.want {
				if !strings.Contains("\n"+got.String(), "\n"+line) {
					t.Errorf("explain lacks the line %q:\n%s", line, got.String())
				}
			}
		})
	}
}

// What explain says of a token is what the server does with it; and whatever
// the token is, its lines fit a terminal and can't do anything to it.
func FuzzExplain(f *testing.F) {
	s := explainServer(f)
	f.Add(claimToken())
	f.Add(claimToken("exp", "-1", "x\u009b", `["a long list","`+strings.Repeat("x", 100)+`"]`))
	f.Add(claimToken("jti", `"revoked"`) + "A")
	f.Add("a.b.c.d")
	f.Add(b64(`{"alg":"none"}`) + "." + b64(`{"exp":99999999999999,"`+strings.Repeat("x", 100)+`":{}}`) + ".")
	f.Fuzz(func(t *testing.T, text string) {
		var out strings.Builder
		good := s.judge().Token(&out, text)
		_, err := s.callerOf(t.Context(), text, anyToken)
		if good != (err == nil) || good != strings.HasPrefix(out.String(), "good: ") || good == strings.Contains(out.String(), "  FAIL  ") {
			t.Errorf("explain = %v, the server says %v:\n%s", good, err, out.String())
		}
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			if utf8.RuneCountInString(line) > 79 || strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("explain printed %q", line)
			}
		}
		if parts := strings.Split(text, "."); len(parts) == 3 && len(parts[2]) >= 43 && strings.Contains(out.String(), parts[2]) {
			t.Errorf("explain shows the signature:\n%s", out.String())
		}
	})
}

// shellOf is a command's surroundings at that moment, with no .env.
func shellOf(environ string, now time.Time, stdin io.Reader, stdout io.Writer) shell {
	parse := func(args []string) (settings, error) { return settingsFrom(strings.Join(args, " "), environ, "") }
	return shell{parse: parse, now: func() time.Time { return now }, stdin: stdin, stdout: stdout, stderr: io.Discard, screen: plainScreen(io.Discard)}
}

// explainFiles makes a data file that holds explainStore and a key file, and
// returns the data file's path with a good token.
func explainFiles(t *testing.T) (path, text string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "shelf.jsonl")
	s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), func() time.Time { return tokenNow })
	if err != nil {
		t.Fatal(err)
	}
	explainStore(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	ring, _, err := token.LoadKeys(token.KeyPath(path), token.HS256, tokenNow)
	if err != nil {
		t.Fatal(err)
	}
	text, err = ring.Sign(tokenClaims)
	if err != nil {
		t.Fatal(err)
	}
	return path, text
}

func TestExplainCommand(t *testing.T) {
	t.Parallel()
	path, text := explainFiles(t)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// A server runs on the file meanwhile.
	running, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer running.Close()
	secret := "SECRET_KEY=" + strings.ReplaceAll(tokenSecret, " ", "_")
	bySecret := forge(`{"alg":"HS256"}`, payload(), strings.ReplaceAll(tokenSecret, " ", "_"))
	tests := []struct {
		name    string
		args    []string
		environ string
		stdin   string
		want    string // the first line, "" for an error
		err     error  // nil for any if there is no first line
	}{
		{"a token as argument", []string{text, "-data", path}, "", "", "good: an access token of ann@example.com", nil},
		{"a token behind the flags", []string{"-data", path, text}, "", "", "good: an access token of ann@example.com", nil},
		{"a line of standard input", []string{"-data", path}, "", text + "\n", "good: an access token of ann@example.com", nil},
		{"a header as people copy it", []string{"-data", path}, "", "'Authorization: Bearer " + text + "'\r\n", "good: an access token of ann@example.com", nil},
		{"the book API's header", []string{"x-access-token: " + text, "-data", path}, "", "", "good: an access token of ann@example.com", nil},
		{"no token in standard input", []string{"-data", path}, "", "", "", nil},
		{"SECRET_KEY counts as it does for the server", []string{"-data", path}, secret, bySecret, "good: an access token of ann@example.com", nil},
		{"a token of the key file under a SECRET_KEY", []string{"-data", path}, secret, text, "refused: Signature verification failed", explain.ErrRefused},
		{"a token of SECRET_KEY without it", []string{"-data", path}, "", bySecret, "refused: Signature verification failed", explain.ErrRefused},
		{"the other algorithm has no key, and gets none", []string{"-data", path, "-alg", "EdDSA"}, "", text, "", token.ErrNoKey},
		{"a data file that isn't there", []string{"-data", path + ".other"}, "", text, "", fs.ErrNotExist},
		{"a store in memory", []string{"-data", "memory"}, "", text, "", nil},
		{"an unknown flag", []string{"-dta", path}, "", text, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var stdout strings.Builder
			err := explainCommand(t.Context(), shellOf(tt.environ, tokenNow, strings.NewReader(tt.stdin), &stdout), tt.args)
			first, _, _ := strings.Cut(stdout.String(), "\n")
			if first != tt.want || tt.want == "" && err == nil || (tt.want != "" || tt.err != nil) && !errors.Is(err, tt.err) {
				t.Errorf("explain %q = %q, %v; want %q, %v", tt.args, first, err, tt.want, tt.err)
			}
			if status, ok := errors.AsType[*config.Status](err); tt.want == "" && (!ok || status.Code != 2) {
				t.Errorf("explain %q = %v; want exit status 2", tt.args, err)
			}
		})
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the data file changed, %v", err)
	}
	if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 2 {
		t.Errorf("the folder holds %v; want the data file and the key file", files)
	}
}

func TestExplainWithoutKeyFile(t *testing.T) {
	t.Parallel()
	path, text := explainFiles(t)
	if err := os.Remove(token.KeyPath(path)); err != nil {
		t.Fatal(err)
	}
	err := explainCommand(t.Context(), shellOf("", tokenNow, nil, io.Discard), []string{text, "-data", path})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("explain = %v; want fs.ErrNotExist", err)
	}
	if _, err := os.Stat(token.KeyPath(path)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("explain made a key file: %v", err)
	}
}

func TestLoadStore(t *testing.T) {
	t.Parallel()
	path, _ := explainFiles(t)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	tests := []struct {
		name, text string
		wantUsers  int // -1 for an error
	}{
		{"all that was written", string(whole), 2},
		{"a batch that is just being written counts as not there", string(whole[:len(whole)-20]), 1},
		{"an empty file, as at the very start", "", 0},
		{"damage in the middle", string(bytes.Replace(whole, []byte("ann@"), []byte("eve@"), 1)), -1},
		{"a line gone", string(bytes.Join(append(lines[:2:2], lines[3:]...), nil)), -1},
		{"another program's file", "root:x:0:0\n", -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.jsonl")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			users := -1
			s, _, err := loadStore(settings{data: path})
			if err == nil {
				users, _, _ = s.counts()
			} else if !strings.Contains(err.Error(), path) {
				t.Errorf("the error doesn't name the file: %v", err)
			}
			if users != tt.wantUsers {
				t.Errorf("loadStore found %d users, %v; want %d", users, err, tt.wantUsers)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != tt.text {
				t.Errorf("the file holds %q, %v; want it untouched", text, err)
			}
		})
	}
}

// filledStore makes a data file with a user, a token, items and a book, of
// which some have gone, and returns its path.
func filledStore(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shelf.jsonl")
	s, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	hash, err := password.New(password.MinCost).Hash(t.Context(), netip.Prefix{}, "b00k-worm")
	if err != nil {
		t.Fatal(err)
	}
	ann := &user{PublicID: token.NewUUID(), Username: "ann", Email: "ann@example.com", Hash: hash, Created: time.Now()}
	record := &tokenRecord{JTI: token.NewUUID(), Type: token.Access, Expires: time.Now().Add(time.Hour)}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(s.signUp(ann, record))
	for _, name := range []string{"ball", "<b>&\"ü\u2028", "bat"} {
		check(s.as(theOperator).addItem(&item{itemInput: itemInput{name, "sports", "d"}, CreatedBy: ann.ID}))
	}
	check(s.as(theOperator).deleteItem(3, terms{}))
	check(s.as(theOperator).addBook(&book{bookInput: bookInput{"Dune", "Herbert"}, CreatedBy: ann.ID}))
	check(s.Close())
	return path
}

func TestExportImport(t *testing.T) {
	t.Parallel()
	from := filledStore(t)
	dir := t.TempDir()
	document, copied := filepath.Join(dir, "out.json"), filepath.Join(dir, "copy.jsonl")
	if _, err := runArgs(t, "export", "-secrets", from, "-o", document); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(document); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("mode of the export = %v, %v; want 0600", info.Mode(), err)
	}
	// The export may be older than a log-out, so its tokens end.
	other := filepath.Join(dir, "other.jsonl")
	if done, err := runArgs(t, "import", document, "-data", other); err != nil || !strings.Contains(done, "; ended 1 token, so every account has to sign in again (-keep-tokens keeps them)") {
		t.Fatalf("import = %q, %v; want that a token has ended", done, err)
	}
	if ended, _ := runArgs(t, "export", other); !strings.Contains(ended, `"ended_by":"import"`) {
		t.Errorf("an import leaves the tokens as they were: %s", ended)
	}
	if done, err := runArgs(t, "import", document, "-data", copied, "-keep-tokens"); err != nil || strings.Contains(done, "ended") {
		t.Fatalf("import -keep-tokens = %q, %v", done, err)
	}
	want, _ := runArgs(t, "export", from, "-secrets")
	got, err := runArgs(t, "export", copied, "-secrets")
	withoutTime := func(s string) string { _, rest, _ := strings.Cut(s, "last_ids"); return rest }
	if err != nil || withoutTime(got) != withoutTime(want) {
		t.Errorf("an export, imported and exported again:\n%s\nwant\n%s (%v)", got, want, err)
	}

	if !json.Valid([]byte(want)) || !strings.Contains(want, "$2a$04$") {
		t.Errorf("export -secrets = %s; want JSON with the hash", want)
	}
	if bare, _ := runArgs(t, "export", from); strings.Contains(bare, "$2a$") || !json.Valid([]byte(bare)) {
		t.Errorf("export without -secrets = %s; want JSON without the hash", bare)
	}

	s, err := openStore(journal.OS{}, copied, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	next := &item{itemInput: itemInput{"n", "c", "d"}, CreatedBy: 1}
	if err := s.as(theOperator).addItem(next); err != nil || next.ID != 4 {
		t.Errorf("the first item after an import has id %d (%v); want 4, as 3 was used", next.ID, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := runArgs(t, "import", document, "-data", copied); err == nil || !strings.Contains(err.Error(), db.ErrNotEmpty.Error()) {
		t.Errorf("import of an export into a store that holds rows = %v; want %v", err, db.ErrNotEmpty)
	}
}

// An export never takes the place of what it is an export of.
func TestExportOverTheStore(t *testing.T) {
	t.Parallel()
	path := filledStore(t)
	dir := filepath.Dir(path)
	link := filepath.Join(dir, "link")
	writeTestFile(t, dir, "shelf.key", "a key")
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ out, want string }{
		{path, "an export doesn't replace " + path},
		{filepath.Join(dir, "..", filepath.Base(dir), "shelf.jsonl"), "an export doesn't replace " + path},
		{link, "an export doesn't replace " + path},
		{token.KeyPath(path), "an export doesn't replace " + token.KeyPath(path)},
		{dir, dir + " is no file"},
	} {
		before := readTestFile(t, dir, "shelf.jsonl") + readTestFile(t, dir, "shelf.key")
		if _, err := runArgs(t, "export", path, "-o", tt.out); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("export -o %s = %v; want %q", tt.out, err, tt.want)
		}
		if after := readTestFile(t, dir, "shelf.jsonl") + readTestFile(t, dir, "shelf.key"); after != before {
			t.Errorf("export -o %s changed the files", tt.out)
		}
	}
}

// importText imports a document as -seed does.
func importText(s *store, text string) (done string, err error) {
	from, err := strictjson.ReadDocument(strings.NewReader(text), int64(len(text)), func(int64) {})
	if err != nil {
		return "", err
	}
	return importDocument(s, from, false, func() {})
}

func TestImportRefuses(t *testing.T) {
	t.Parallel()
	const ids = `"format":"shelf-export","version":1,"last_ids":{}`
	for _, tt := range []struct{ name, document, want string }{
		{"what is not JSON", `{"items":[`, "line 1, column 11: the text ends here"},
		{"a trailing comma", "{\n\"items\":[1,]}", "line 2, column 11: a comma with nothing behind it"},
		{"what is not an object", `[]`, "must be a JSON object"},
		{"an empty object", `{}`, "nothing to import"},
		{"items that are no list", `{"items":{}}`, "items: must be a list"},
		{"an item without a name", `{"items":[{"itemname":"a","category":"b","description":"c"},{"category":"b","description":"c"}]}`, "items[1]: itemname is missing or blank"},
		{"an item whose name is a number", `{"items":[{"itemname":5}]}`, "items[0]: 'itemname' must be a string"},
		{"an item that is no object", `{"items":["ball"]}`, "items[0]: must be a JSON object"},
		{"a book without an author", `{"books":[{"title":"Dune"}]}`, "books[0]: author is missing or blank"},
		{"one title twice", `{"books":[{"title":"Dune","author":"h"},{"title":"Dune","author":"h"}]}`, `books[1]: title taken: "Dune"`},
		{"another format", `{"format":"x"}`, "this shelf reads"},
		{"a later version", `{"format":"shelf-export","version":2}`, "this shelf reads"},
		{"an export without its last ids", `{"format":"shelf-export","version":1}`, "last_ids"},
		{"last ids that leave none for others", `{"format":"shelf-export","version":1,"last_ids":{"item":9223372036854775807}}`, "last_ids: an id is above"},
		{"an id given twice", `{` + ids + `,"items":[{"id":1,"itemname":"a","category":"b","description":"c"},{"id":1,"itemname":"a","category":"b","description":"c"}]}`, "items[1]: id 1 is another item's too"},
		{"an id below 1", `{` + ids + `,"books":[{"id":0,"title":"a","author":"b"}]}`, "books[0]: book 0: ids go from 1 to"},
		{"an e-mail given twice", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","email":"a@b.cd"},{"id":2,"public_id":"b","username":"b","email":"A@b.cd"}]}`, "users[1]: user 1 already has this e-mail"},
		{"a hash that is not bcrypt's", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","hash":"plain"}]}`, "users[0]: the hash is not a bcrypt hash"},
		{"a hash of a cost beyond bearing", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","hash":"$2a$31$` + strings.Repeat("0", 53) + `"}]}`, "users[0]: the hash is not a bcrypt hash"},
		{"a time that no later file could hold", `{` + ids + `,"users":[{"id":1,"public_id":"a","username":"a","created":"9999-12-31T23:59:59-01:00"}]}`, "users[0]: 9999-12-31T23:59:59-01:00 is in the year 10000 in UTC"},
		{"an item's time that no later file could hold", `{` + ids + `,"items":[{"id":1,"itemname":"a","category":"b","description":"c","created":"0000-01-01T00:00:00+01:00"}]}`, "items[0]: "},
		{"a token of no account", `{` + ids + `,"tokens":[{"id":1,"jti":"a","type":"access","user":7}]}`, "tokens[0]: user 7 does not exist"},
		{"a member that no row has", `{` + ids + `,"books":[{"id":1,"titel":"a"}]}`, `books[0]: json: unknown field "titel"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStore(slog.New(slog.DiscardHandler), time.Now)
			_, err := importText(s, tt.document)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("import of %s = %v; want %q", tt.document, err, tt.want)
			}
			if users, items, books := s.counts(); users+items+books > 0 {
				t.Error("a refused import left rows behind")
			}
		})
	}
}

func TestImportPlain(t *testing.T) {
	t.Parallel()
	s := newStore(slog.New(slog.DiscardHandler), time.Now)
	const document = `{"items":[{"id":"x7","itemname":" ball ","category":"b","description":"c","price":3}],"books":[{"title":"Dune","author":"h"}],"posts":[]}`
	for i, id := range []int{1, 2} {
		done, err := importText(s, strings.ReplaceAll(document, "Dune", "Dune"+strings.Repeat("!", i)))
		if want := "imported 1 item, 1 book; dropped from items: price (1 row); new ids for 1 of 1 items; left out members that shelf has no table for: posts"; err != nil || done != want {
			t.Fatalf("import = %q, %v; want %q", done, err, want)
		}
		row, ok := s.items.Row(id)
		if !ok || row.itemname() != "ball" || row.createdBy() != 0 || !strings.HasSuffix(row.wire.Row(), `"createdby":null}`) {
			t.Errorf("item %d = %+v, %v; want the ball, created by no account", id, row, ok)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	sound, err := os.ReadFile(filledStore(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, file string
		status     int
		want       string
	}{
		{"a sound file", string(sound), 0, "alive      1 user, 1 token, 2 items, 1 book"},
		{"a new file", "", 0, "sound"},
		{"a torn tail is no damage", string(sound) + `{"seq":8,"ti`, 0, "torn tail  12 bytes"},
		{"a line that a person added", string(sound) + `{"seq":8,"op":"put","book":{"id":2,"title":"a","author":"b"}}` + "\n", 0, "2 books"},
		{"a refused write in between", strings.Replace(string(sound), "\n{\"seq\":3", "\n{\"seq\":3,\"x #refused\n{\"seq\":3", 1), 0, ""},
		{"a changed letter", strings.Replace(string(sound), "Dune", "June", 1), 1, "damaged at line 8: the checksum does not match"},
		{"a line that breaks a rule, before others", string(sound) + `{"seq":8,"op":"delete","kind":"item","id":7}` + "\n" + `{"seq":9,"op":"delete","kind":"item","id":1}` + "\n", 1, "changes    7, up to seq 7"},
		{"a lost line", strings.Replace(string(sound), "\n{\"seq\":4,", "\n#{\"seq\":4,", 1), 1, "damaged at line 5"},
		{"another program's file", `{"items":[]}`, 2, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.jsonl")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			out, err := runArgs(t, "check", path)
			status := 0
			if err != nil {
				status = err.(*config.Status).Code
			}
			if status != tt.status || !strings.Contains(out, tt.want) {
				t.Errorf("shelf check = %d (%v)\n%swant %d and %q", status, err, out, tt.status, tt.want)
			}
			if after, _ := os.ReadFile(path); string(after) != tt.file {
				t.Error("check changed the file")
			}
		})
	}
}

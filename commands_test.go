package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/explain"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

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
		wanted = append(wanted, "  -"+s.Name+" ", table.Variable(s.Name), s.Default)
	}
	for _, args := range []string{"-h", "-help", "--help", "help", "-log off -h"} {
		usage, err := runArgs(t, strings.Fields(args)...)
		if err != nil && !errors.Is(err, flag.ErrHelp) {
			t.Errorf("shelf %s: %v", args, err)
		}
		wantText(t, usage, wanted...)
		wantNarrow(t, usage)
	}
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
		"serve":          `unknown command "serve" (shelf help lists the commands)`,
		"help serve":     `unknown command "serve" (shelf help lists the commands)`,
		"Check":          `unknown command "Check" (shelf help lists the commands)`,
		"-serve":         "flag provided but not defined: -serve (shelf -h lists the flags)",
		"check -serve":   "flag provided but not defined: -serve (usage: shelf check [FILE])",
		"key -serve":     "usage: shelf key rotate [-now] [-data FILE] [-alg ALG], or shelf key list [-data FILE]",
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
		{"not all with an @ is an e-mail", "add eve@localhost", "b00k-worm\n", "", "", `"eve@localhost" is no e-mail address that an account can have`},
		{"a username has an end", "add " + strings.Repeat("x", 121), "b00k-worm\n", "", "", "a username is UTF-8 text of at most 120 characters"},
		{"a catalog account keeps the rule of sign-up", "add eve@example.com", "worm\n", "", "", badPassword},
		{"no password is cut off silently", "add eve", strings.Repeat("x", 73) + "\n", "", "", "Invalid password. It should be at most 72 bytes long"},
		{"an empty line is no password", "add eve", "\n", "", "", "Invalid password. It should not be empty"},
		{"nothing is no password", "add eve", "", "", "", unsafe},
		{"what no request can hold is no password", "add eve", "\xff\n", "", "", "the password is not UTF-8: nothing was changed"},
		{"a password is no argument", "add eve worm", "", "", "", `unexpected argument "worm" (shelf -h shows the usage)`},

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
		{"off is for admins", "delete bob -off", "", "", "", "flag provided but not defined: -off (shelf -h lists the flags)"},

		{"the accounts are listed", "list", "", `ID  USERNAME         E-MAIL           ADMIN  DISABLED  CREATED              CAN SIGN IN
1   ann@example.com  ann@example.com  yes    no        2026-11-22 14:05:00  yes
2   bob              -                no     no        2026-11-22 14:05:00  yes
`, "", ""},
		{"the list takes no name", "list bob", "", "", "", `unexpected argument "bob" (shelf -h shows the usage)`},

		{"a command is needed", "", "", "", "", usage},
		{"an unknown one is none", "rename bob", "", "", "", usage},
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
		t.Errorf("items = %s; want ann's, made by nobody", items)
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
	if _, _, err := runUser(inMemory, "", "list"); errorText(err) != "a server with -data memory keeps no accounts to change" {
		t.Errorf("-data memory: %v", err)
	}
}

func TestUserCommandBesideServer(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	for _, args := range []string{"list", "add eve", "admin ann@example.com"} {
		if _, _, err := runUser(k.path, "worm\n", strings.Fields(args)...); errorText(err) != k.path+" is in use by another shelf" {
			t.Errorf("shelf user %s beside a server: %v; want one that says so", args, err)
		}
	}
}

// Names are whatever somebody signed up under. A terminal must not obey them.
func TestUserListHostileNames(t *testing.T) {
	t.Parallel()
	k := newAccountKit(t)
	for _, name := range []string{`x\u001b[2J`, `y\nroot`, `z\u202etoor`, `s\u0000\u009b2J`, `日本`} {
		k.must(201, "", "", "POST /signup", `{"username":"`+name+`","password":"worm"}`)
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
	_, err = (&server{store: st, keys: ring, now: clock}).callerOf(signed, anyToken)
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
Nobody is signed out: the old one verifies until the last token has ended.

` + after.Keys()[0].ID + `
    HS256, made 2026-11-22, signs
` + before.Keys()[0].ID + `
    HS256, made 2026-11-22, verifies until 2026-11-22 14:19 UTC
`
	if out != want {
		t.Errorf("shelf key rotate printed\n%swant\n%s", out, want)
	}
	// The last token ends at tokenClaims.ExpiresAt, and with it the old key.
	if err := judgeFile(t, path, signed, tokenClaims.ExpiresAt.Add(-time.Second)); err != nil {
		t.Errorf("the old key's token in its last second: %v", err)
	}
	if ring := loadKeyFile(t, token.KeyPath(path), token.HS256, tokenClaims.ExpiresAt); len(ring.Keys()) != 1 {
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
	if err != nil || !strings.Contains(out, "on that has -alg EdDSA.\nA server with one -alg refuses what the keys for another have signed.") || strings.Contains(out, "Nobody") {
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
	if err != nil || !strings.Contains(out, "everybody has to sign in again") || strings.Count(out, "HS256") != 1 {
		t.Errorf("shelf key rotate -now printed %q, %v; want the one new key, and what it means", out, err)
	}
	wantRefusal(t, "a token of the leaked key", judgeFile(t, path, signed, tokenNow), token.Malformed, "Signature verification failed")
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
		t.Errorf("%d keys, of which %s signs; want a new one alone", len(after.Keys()), after.Keys()[0].ID)
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
		if want := "a server runs on " + path + " and would go on with the key that it has: stop it, rotate, start it"; errorText(err) != want {
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
		{"an unknown flag", "", []string{"rotate", "-later"}, "flag provided but not defined: -later"},
		{"list has no -now", "", []string{"list", "-now"}, "flag provided but not defined: -now"},
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
	secret, former := token.HS256Key([]byte(strings.Repeat("s", 32))), token.HS256Key([]byte(strings.Repeat("f", 32)))
	tests := []struct {
		name, environ, want string
	}{
		{"the chosen algorithm's key signs", "",
			ed.Keys()[0].ID + "\n    EdDSA, made 2026-11-22, not in use without -alg EdDSA\n" + hs.Keys()[0].ID + "\n    HS256, made 2026-11-22, signs\n"},
		{"the other's when that is chosen", "SHELF_ALG=EdDSA",
			ed.Keys()[0].ID + "\n    EdDSA, made 2026-11-22, signs\n" + hs.Keys()[0].ID + "\n    HS256, made 2026-11-22, not in use without -alg HS256\n"},
		{"a secret of the settings", "SECRET_KEY=" + strings.Repeat("s", 32) + "\nSECRET_KEY_FALLBACKS=" + strings.Repeat("f", 32),
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
		if err != nil && !errors.Is(err, errExplained) || stdout.Len() == 0 {
			t.Errorf("shelf %q = %q, %v", args[0], stdout.String(), err)
		}
	}
}

// The tour leads nowhere that isn't there, in the order in which a request goes.
func TestTour(t *testing.T) {
	t.Parallel()
	printed, err := runArgs(t, "tour")
	if err != nil {
		t.Fatal(err)
	}
	functions := functionsOf(t)
	for _, s := range explain.Stops {
		for function := range strings.SplitSeq(s.Functions, "\n") {
			if !slices.Contains(functions, function) {
				t.Errorf("%s: there is no %s", s.Heading, function)
			}
			wantText(t, printed, "     "+function+"\n")
		}
		if n := len(regexp.MustCompile(`[.?] [A-Z"s]|\.$`).FindAllString(s.Why, -1)); n < 2 || n > 3 {
			t.Errorf("%s: %d sentences; want two or three", s.Heading, n)
		}
		if want := address(s.Source); s.URL != want {
			t.Errorf("%s: %s is read at %s, not at %s", s.Heading, s.Source, want, s.URL)
		}
		wantText(t, printed, ". "+s.Heading+"\n", "\n   "+s.Source+"\n   "+s.URL+"\n")
	}
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, "   https://") { // which must stay whole
			wantNarrow(t, line)
		}
	}
	rest := printed
	for _, heading := range []string{"Sign-up", "The hash", "The token", "The middleware", "The item", "The journal"} {
		var found bool
		if _, rest, found = strings.Cut(rest, ". "+heading+"\n"); !found {
			t.Errorf("%q is not there, or too early", heading)
		}
	}
}

func TestTourUsage(t *testing.T) {
	t.Parallel()
	if printed, err := runArgs(t, "tour", "-fast"); printed != "" || errorText(err) != "usage: shelf tour" {
		t.Errorf("shelf tour -fast = %q, %v; want its usage", printed, err)
	}
}

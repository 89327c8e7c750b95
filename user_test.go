package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

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
	if err := k.server.store.signUp(&user{PublicID: newJTI(), Username: "imported", Created: k.now}); err != nil {
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

package main

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/token"
)

// explainStore fills a store with Ann, whose sign-in made the good token and a
// refresh token, and with the tokens below that have ended.
func explainStore(t testing.TB, s *store) {
	t.Helper()
	record := func(jti, typ string) *tokenRecord {
		return &tokenRecord{JTI: jti, Type: typ, Expires: tokenClaims.ExpiresAt}
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
	s := &server{store: newStore(slog.New(slog.DiscardHandler), now), keys: tokenRing(t), now: now}
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
  signature   -     not looked at
  times       -     not looked at
  claims      -     not looked at
  type        -     not looked at
  user        -     not looked at
  revocation  -     not looked at

header (NOT VERIFIED: anybody can write this)
  alg         "none"
  kid         "\u009b31m"  no key that verifies here

claims (NOT VERIFIED: anybody can write this)
  sub         "bob"  user 2, bob, disabled
  exp         "never"  no time that counts

signature: 0 characters, not shown
`

func TestExplain(t *testing.T) {
	t.Parallel()
	s := explainServer(t)
	tests := []struct{ name, token, want string }{
		{"a good token", forge(`{"alg":"HS256"}`, payload(), tokenSecret), strings.ReplaceAll(explainedGood, "KID", s.keys.Keys()[0].ID)},
		{"a forged token that would colour the terminal", b64("{\"alg\":\"none\",\"kid\":\"\u009b31m\"}") + "." + b64(`{"sub":"bob","exp":"never"}`) + ".", explainedForged},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			s.explain(&got, tt.token)
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
		{"one of a wrong issuer", claimToken("iss", `"joe"`), []string{"  times       pass", "  claims      FAIL  Invalid claim: iss", "  type        -     not looked at"}},
		{"a refresh token", claimToken("type", `"refresh"`, "jti", `"refresh"`), []string{"good: a refresh token of ann@example.com", "  type        pass  refresh: good for /api/v1/auth/refresh and log-out only"}},
		{"one that its owner revoked", claimToken("jti", `"revoked"`), []string{"  revocation  FAIL  revoked 3m0s ago by its owner", `  jti         "revoked"  token 3, revoked 3m0s ago by its owner`}},
		{"one that a log-out ended", claimToken("jti", `"logged out"`), []string{"refused: Token has been revoked", "  user        pass  user 1, ann@example.com", "  revocation  FAIL  revoked 3m0s ago by log-out"}},
		{"one that an admin ended", claimToken("jti", `"by an admin"`), []string{"  revocation  FAIL  revoked 3m0s ago by an admin"}},
		{"one that the store never made", claimToken("jti", `"x"`), []string{"  revocation  FAIL  this server has no record of the token", `  jti         "x"   not known to this store`}},
		{"another's token under her name", claimToken("jti", `"bob's"`), []string{"  revocation  FAIL  this server has no record of the token", `  jti         "bob's"  token 6, of somebody else`}},
		{"a refresh token that calls itself an access token", claimToken("jti", `"refresh"`), []string{"  revocation  FAIL  this server has no record of the token"}},
		{"one of nobody", claimToken("sub", `"x"`, "public_id", ""), []string{"  user        FAIL  User not found", `  sub         "x"   nobody of this store`}},
		{"one of a disabled account", claimToken("sub", `"bob"`, "public_id", "", "jti", `"bob's"`), []string{"  user        FAIL  Account is disabled", "  revocation  -     not looked at"}},
		{"one by another key", forge(`{"alg":"HS256"}`, payload(), "another secret that has more than thirty-two bytes"), []string{"  signature   FAIL  Signature verification failed", "claims (NOT VERIFIED: anybody can write this)"}},
		{"one by a former key", forge(`{"alg":"HS256","kid":"`+token.HS256Key([]byte(formerSecret)).ID+`"}`, payload(), formerSecret), []string{"good: ", "  signature   pass  made with key " + token.HS256Key([]byte(formerSecret)).ID}},
		{"one that brings its own key", forge(`{"alg":"HS256","jku":"https://evil.example/"}`, payload(), formerSecret), []string{`  jku         "https://evil.example/"  never looked at`}},
		{"a header with alg twice", forge(`{"alg":"HS256","alg":"none"}`, payload(), tokenSecret), []string{"  text        FAIL  Invalid header string: 'alg' must be given only once", "  can't be read: not a JSON object to rely on: 'alg' must be given only once"}},
		{"no token at all", "garbage", []string{"refused: Not enough segments", "  text        FAIL  Not enough segments"}},
		{"nothing", "", []string{"  text        FAIL  Not enough segments"}},
		{"far too much", strings.Repeat("a.", token.MaxLength), []string{"  text        FAIL  The token is longer than 8 KiB"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			s.explain(&got, tt.token)
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
		good := s.explain(&out, text)
		_, err := s.callerOf(text, anyToken)
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
	return shell{parse: parse, now: func() time.Time { return now }, stdin: stdin, stdout: stdout, stderr: io.Discard}
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
	return path, signToken(t, ring, tokenClaims)
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
		{"a token of the key file under a SECRET_KEY", []string{"-data", path}, secret, text, "refused: Signature verification failed", errExplained},
		{"a token of SECRET_KEY without it", []string{"-data", path}, "", bySecret, "refused: Signature verification failed", errExplained},
		{"the other algorithm has no key, and gets none", []string{"-data", path, "-alg", "EdDSA"}, "", text, "", token.ErrNoKey},
		{"a data file that isn't there", []string{"-data", path + ".other"}, "", text, "", fs.ErrNotExist},
		{"a store in memory", []string{"-data", "memory"}, "", text, "", nil},
		{"a flag that nobody knows", []string{"-dta", path}, "", text, "", nil},
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
			s, _, err := loadStore(path)
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

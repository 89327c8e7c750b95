package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/journal"
)

// runKey is shelf key at that moment. It returns what was printed.
func runKey(now time.Time, environ string, args ...string) (string, error) {
	var stdout strings.Builder
	err := keyCommand(context.Background(), shellOf(environ, now, nil, &stdout), args)
	return stdout.String(), err
}

// judgeFile says what a server that starts on the files at path makes of a token.
func judgeFile(t *testing.T, path, token string, now time.Time) error {
	t.Helper()
	clock := func() time.Time { return now }
	st, err := openStore(journal.OS{}, path, slog.New(slog.DiscardHandler), clock)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ring, _, err := loadKeys(keyPath(path), algHS256, now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&server{store: st, keys: ring, now: clock}).callerOf(token, anyToken)
	return err
}

func TestKeyRotate(t *testing.T) {
	t.Parallel()
	path, token := explainFiles(t)
	before := loadKeyFile(t, keyPath(path), algHS256, tokenNow)
	out, err := runKey(tokenNow, "", "rotate", "-data", path)
	if err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, keyPath(path), algHS256, tokenNow)
	want := keyPath(path) + ` holds a new key, which signs from the next start on.
Nobody is signed out: the old one verifies until the last token has ended.

` + after.keys[0].id + `
    HS256, made 2026-11-22, signs
` + before.keys[0].id + `
    HS256, made 2026-11-22, verifies until 2026-11-22 14:19 UTC
`
	if out != want {
		t.Errorf("shelf key rotate printed\n%swant\n%s", out, want)
	}
	// The last token ends at tokenClaims.ExpiresAt, and with it the old key.
	if err := judgeFile(t, path, token, tokenClaims.ExpiresAt.Add(-time.Second)); err != nil {
		t.Errorf("the old key's token in its last second: %v", err)
	}
	if ring := loadKeyFile(t, keyPath(path), algHS256, tokenClaims.ExpiresAt); len(ring.keys) != 1 {
		t.Errorf("%d keys are left when the last token has ended; want 1", len(ring.keys))
	}
	// Twice in a row changes nothing for those who are signed in.
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	if err := judgeFile(t, path, token, tokenNow); err != nil {
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
	path, token := explainFiles(t)
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	out, err := runKey(tokenNow, "", "rotate", "--now", "-data", path)
	if err != nil || !strings.Contains(out, "everybody has to sign in again") || strings.Count(out, "HS256") != 1 {
		t.Errorf("shelf key rotate -now printed %q, %v; want the one new key, and what it means", out, err)
	}
	wantRefusal(t, "a token of the leaked key", judgeFile(t, path, token, tokenNow), tokenMalformed, "Signature verification failed")
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
	before := loadKeyFile(t, keyPath(path), algHS256, tokenNow)
	if _, err := runKey(tokenNow, "", "rotate", "-data", path); err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, keyPath(path), algHS256, tokenNow)
	if len(after.keys) != 1 || after.keys[0].id == before.keys[0].id {
		t.Errorf("%d keys, of which %s signs; want a new one alone", len(after.keys), after.keys[0].id)
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
	before, err := os.ReadFile(keyPath(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"rotate", "-data", path}, {"rotate", "-now", "-data", path}} {
		_, err := runKey(tokenNow, "", args...)
		if want := "a server runs on " + path + " and would go on with the key that it has: stop it, rotate, start it"; errorText(err) != want {
			t.Errorf("shelf key %q = %v; want %s", args, err, want)
		}
	}
	if after, err := os.ReadFile(keyPath(path)); err != nil || string(after) != string(before) {
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
	ed := loadKeyFile(t, keyPath(path), algEdDSA, tokenNow)
	hs := loadKeyFile(t, keyPath(path), algHS256, tokenNow)
	secret, former := secretKey([]byte(strings.Repeat("s", 32))), secretKey([]byte(strings.Repeat("f", 32)))
	tests := []struct {
		name, environ, want string
	}{
		{"the chosen algorithm's key signs", "",
			ed.keys[0].id + "\n    EdDSA, made 2026-11-22, not in use without -alg EdDSA\n" + hs.keys[0].id + "\n    HS256, made 2026-11-22, signs\n"},
		{"the other's when that is chosen", "SHELF_ALG=EdDSA",
			ed.keys[0].id + "\n    EdDSA, made 2026-11-22, signs\n" + hs.keys[0].id + "\n    HS256, made 2026-11-22, not in use without -alg HS256\n"},
		{"a secret of the settings", "SECRET_KEY=" + strings.Repeat("s", 32) + "\nSECRET_KEY_FALLBACKS=" + strings.Repeat("f", 32),
			secret.id + "\n    HS256, SECRET_KEY, signs\n" + former.id + "\n    HS256, SECRET_KEY_FALLBACKS, number 1, verifies\n"},
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
	path, token := explainFiles(t)
	noEnv := func(string) (string, bool) { return "", false }
	for _, args := range [][]string{{"key", "list", "-data", path}, {"explain", token, "-data", path}} {
		var stdout strings.Builder
		err := run(t.Context(), args, noEnv, strings.NewReader(""), &stdout, io.Discard)
		if err != nil && !errors.Is(err, errExplained) || stdout.Len() == 0 {
			t.Errorf("shelf %q = %q, %v", args[0], stdout.String(), err)
		}
	}
}

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"strings"
	"testing"
	"time"

	"example.com/shelf/internal/token"
)

const (
	tokenSecret  = "a secret for tests, of more than thirty-two bytes"
	formerSecret = "the secret before that one, it only verifies now"
)

// tokenNow is when the tokens below are judged. They were made a minute before.
var tokenNow = time.Date(2026, time.November, 22, 14, 5, 0, 0, time.UTC)

// tokenClaims is what the good token says.
var tokenClaims = token.Claims{
	Subject:   "0f8fad5b-d9cb-469f-a165-70867728950e",
	PublicID:  "0f8fad5b-d9cb-469f-a165-70867728950e",
	ID:        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
	Type:      token.Access,
	Fresh:     true,
	Issuer:    token.Issuer,
	IssuedAt:  tokenNow.Add(-time.Minute),
	NotBefore: tokenNow.Add(-time.Minute),
	ExpiresAt: tokenNow.Add(14 * time.Minute),
}

// payload writes the good token's claims in the order of the library, each of
// the changes, name and JSON value, put in the place of what was there. The
// value "" takes the claim away.
func payload(changes ...string) string {
	members := [][2]string{
		{"exp", "1795357140"},
		{"fresh", "true"},
		{"iat", "1795356240"},
		{"iss", `"shelf"`},
		{"jti", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`},
		{"nbf", "1795356240"},
		{"public_id", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"sub", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"type", `"access"`},
	}
	for ; len(changes) > 0; changes = changes[2:] {
		added := true
		for i := range members {
			if members[i][0] == changes[0] {
				members[i][1], added = changes[1], false
			}
		}
		if added {
			members = append(members, [2]string{changes[0], changes[1]})
		}
	}
	var texts []string
	for _, m := range members {
		if m[1] != "" {
			texts = append(texts, fmt.Sprintf("%q:%s", m[0], m[1]))
		}
	}
	return "{" + strings.Join(texts, ",") + "}"
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forge makes a token by hand, with nothing but RFC 7515's own recipe (§5.1).
func forge(header, payload, secret string) string {
	return forgeWith(sha256.New, header, payload, secret)
}

func forgeWith(h func() hash.Hash, header, payload, secret string) string {
	return seal(h, b64(header)+"."+b64(payload), secret)
}

// seal adds the signature to a text.
func seal(h func() hash.Hash, text, secret string) string {
	mac := hmac.New(h, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + b64(string(mac.Sum(nil)))
}

// tokenRing is a ring of tokenSecret, with formerSecret as fallback.
func tokenRing(t testing.TB) *token.Keyring {
	t.Helper()
	ring, err := token.SecretKeys(tokenSecret, []string{formerSecret})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func signToken(t testing.TB, ring *token.Keyring, c token.Claims) string {
	t.Helper()
	text, err := ring.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// claimToken makes a token that is signed well and says something else than the
// good one, see payload.
func claimToken(changes ...string) string {
	return forge(`{"alg":"HS256"}`, payload(changes...), tokenSecret)
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// wantRefusal checks that err is a *token.Error of that kind and message.
func wantRefusal(t *testing.T, what string, err error, kind token.Kind, message string) {
	t.Helper()
	var e *token.Error
	if !errors.As(err, &e) {
		t.Fatalf("%s = %v; want a *tokenError %q", what, err, message)
	}
	if e.Kind != kind || e.Message != message {
		t.Errorf("%s = kind %d %q; want kind %d %q", what, e.Kind, e.Message, kind, message)
	}
}

// nextLetter replaces a token's last character by its neighbour, which differs
// in the lowest bit only.
func nextLetter(text string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648 §5
	i := strings.IndexByte(letters, text[len(text)-1])
	return text[:len(text)-1] + letters[i^1:i^1+1]
}

func loadKeyFile(t *testing.T, path, alg string, now time.Time) *token.Keyring {
	t.Helper()
	ring, warning, err := token.LoadKeys(path, alg, now)
	if err != nil || warning != "" {
		t.Fatalf("loadKeys = %q, %v; want no warning and no error", warning, err)
	}
	return ring
}

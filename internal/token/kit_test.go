package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	tokenSecret  = "a secret for tests, of more than thirty-two bytes"
	formerSecret = "the secret before that one, it only verifies now"
)

// tokenNow is when the tokens below are judged. They were made a minute before.
var tokenNow = time.Date(2026, time.November, 22, 14, 5, 0, 0, time.UTC)

// tokenClaims is what the good token says.
var tokenClaims = Claims{
	RegisteredClaims: jwt.RegisteredClaims{
		Issuer:    Issuer,
		Subject:   "0f8fad5b-d9cb-469f-a165-70867728950e",
		ID:        "7c9e6679-7425-40de-944b-e07fc1f90ae7",
		IssuedAt:  jwt.NewNumericDate(tokenNow.Add(-time.Minute)),
		NotBefore: jwt.NewNumericDate(tokenNow.Add(-time.Minute)),
		ExpiresAt: jwt.NewNumericDate(tokenNow.Add(14 * time.Minute)),
	},
	PublicID: "0f8fad5b-d9cb-469f-a165-70867728950e",
	Type:     Access,
	Fresh:    true,
}

// payload writes the claims of the good token in the order of Sign. The changes are
// names and JSON values, which take the place of what was there. The value "" removes
// the claim.
func payload(changes ...string) string {
	members := [][2]string{
		{"iss", `"shelf"`},
		{"sub", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"exp", "1795357140"},
		{"nbf", "1795356240"},
		{"iat", "1795356240"},
		{"jti", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`},
		{"public_id", `"0f8fad5b-d9cb-469f-a165-70867728950e"`},
		{"type", `"access"`},
		{"fresh", "true"},
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
func tokenRing(t testing.TB) *Keyring {
	t.Helper()
	ring, err := SecretKeys(tokenSecret, []string{formerSecret})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func signToken(t testing.TB, ring *Keyring, c Claims) string {
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

// judge verifies a token with a Keyring, and twice with a Cache in front of it. They
// have to agree.
func judge(t *testing.T, ring *Keyring, text string, now time.Time) (*Claims, error) {
	t.Helper()
	claims, err := ring.Verify(text, now)
	cache := NewCache(ring)
	for range 2 {
		if again, errAgain := cache.Verify(text, now); !reflect.DeepEqual(claims, again) || !reflect.DeepEqual(err, errAgain) {
			t.Errorf("a Cache says %+v, %v of %s; the Keyring says %+v, %v", again, errAgain, text, claims, err)
		}
	}
	return claims, err
}

// wantRefusal checks that err is an *Error with that reason and message.
func wantRefusal(t *testing.T, what string, err error, reason Reason, message string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%s = %v; want an *Error %q", what, err, message)
	}
	if e.Reason != reason || e.Message != message {
		t.Errorf("%s = reason %d %q; want reason %d %q", what, e.Reason, e.Message, reason, message)
	}
}

// nextLetter replaces a token's last character by its neighbour, which differs
// in the lowest bit only.
func nextLetter(token string) string {
	last := strings.IndexByte(base64url, token[len(token)-1])
	return token[:len(token)-1] + base64url[last^1:last^1+1]
}

func loadKeyFile(t *testing.T, path, alg string, now time.Time) *Keyring {
	t.Helper()
	ring, warning, err := LoadKeys(path, alg, now)
	if err != nil || warning != "" {
		t.Fatalf("loadKeys = %q, %v; want no warning and no error", warning, err)
	}
	return ring
}

package main

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// getJWKS asks a server with that ring for its public keys.
func getJWKS(t *testing.T, ring *keyring, method string) *httptest.ResponseRecorder {
	t.Helper()
	now := func() time.Time { return tokenNow }
	log := slog.New(slog.DiscardHandler)
	s := newServer(defaultSettings, newStore(log, now), ring, log, now, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080})
	r := httptest.NewRequest(method, "http://localhost:8080/.well-known/jwks.json", nil)
	r.Header.Set("Origin", "http://localhost:3000")
	return ask(s, r)
}

func TestJWKSHeaders(t *testing.T) {
	t.Parallel()
	w := getJWKS(t, tokenRing(t), "GET")
	if w.Code != 200 || w.Body.String() != "{\"keys\":[]}\n" {
		t.Errorf("of HS256 keys: %d %q; want none", w.Code, w.Body.String())
	}
	for name, want := range map[string]string{
		"Content-Type":                "application/jwk-set+json",
		"Cache-Control":               "public, max-age=300",
		"X-Content-Type-Options":      "nosniff",
		"Access-Control-Allow-Origin": "http://localhost:3000",
	} {
		if got := w.Header().Get(name); got != want {
			t.Errorf("%s = %q; want %q", name, got, want)
		}
	}
	if w := getJWKS(t, tokenRing(t), "POST"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("POST = %d, Allow %q; want 405", w.Code, w.Header().Get("Allow"))
	}
}

// Whoever reads the set can check our tokens with nothing else in hand: the
// header's kid names the key, and Ed25519 verifies the text up to the last dot
// (RFC 7515 §5.2, RFC 8037 §3.1).
func TestJWKSVerifiesTokens(t *testing.T) {
	t.Parallel()
	former := edKey([]byte(formerSecret[:32]))
	former.until = tokenNow.Add(time.Second)
	ring := newKeyring(edKey([]byte(tokenSecret[:32])), former)
	body := getJWKS(t, ring, "GET").Body
	for _, secret := range []string{`"d"`, `"k"`, "until", "created"} {
		if strings.Contains(body.String(), secret) {
			t.Fatalf("the set holds %s: %s", secret, body)
		}
	}
	var set struct {
		Keys []struct{ Kty, Use, Alg, Kid, Crv, X string }
	}
	if err := json.Unmarshal(body.Bytes(), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%d keys, %v; want 2", len(set.Keys), err)
	}
	for i, signer := range []*keyring{ring, newKeyring(former)} {
		token := signToken(t, signer, tokenClaims)
		last := strings.LastIndex(token, ".")
		signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
		if err != nil {
			t.Fatal(err)
		}
		header, err := readHeader(token[:strings.Index(token, ".")])
		if err != nil {
			t.Fatal(err)
		}
		k := set.Keys[i]
		public, err := base64.RawURLEncoding.DecodeString(k.X)
		if kid, _ := header.Text("kid"); err != nil || kid != k.Kid || k.Kty != "OKP" || k.Crv != "Ed25519" || k.Alg != "EdDSA" || k.Use != "sig" {
			t.Errorf("key %d is %+v, %v; want the Ed25519 key %s", i, k, err, kid)
		}
		if !ed25519.Verify(public, []byte(token[:last]), signature) {
			t.Errorf("key %d does not verify the token that it signed", i)
		}
	}
}

func TestConfiguredKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		c         settings
		wantKeys  int
		wantError string
	}{
		{"nothing set", settings{alg: algHS256}, 0, ""},
		{"EdDSA has a key of shelf's own", settings{alg: algEdDSA}, 0, ""},
		{"a secret", settings{alg: algHS256, secret: tokenSecret}, 1, ""},
		{"a secret and a former one", settings{alg: algHS256, secret: tokenSecret, fallbacks: []string{formerSecret}}, 2, ""},
		{"a secret is nothing to sign by EdDSA with", settings{alg: algEdDSA, secret: tokenSecret}, 0, "-alg EdDSA signs with a key that shelf makes, but SECRET_KEY is set: take one of the two away"},
		{"a former one alone", settings{alg: algHS256, fallbacks: []string{formerSecret}}, 0, "SECRET_KEY_FALLBACKS is set but SECRET_KEY is not: there is no key to sign with"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ring, err := configuredKeys(tt.c)
			keys := 0
			if ring != nil {
				keys = len(ring.keys)
			}
			if keys != tt.wantKeys || errorText(err) != tt.wantError {
				t.Errorf("configuredKeys = %d keys, %v; want %d, %q", keys, err, tt.wantKeys, tt.wantError)
			}
		})
	}
}

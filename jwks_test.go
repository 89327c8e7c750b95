package main

import (
	"log/slog"
	"net"
	"net/http/httptest"
	"testing"
	"time"

	"example.com/shelf/internal/token"
)

// getJWKS asks a server with that ring for its public keys.
func getJWKS(t *testing.T, ring *token.Keyring, method string) *httptest.ResponseRecorder {
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

package program_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestLabProgram is how a test suite uses the real program.
func TestLabProgram(t *testing.T) {
	t.Parallel()
	p := startShelf(t, t.TempDir(), "-lab", "-data", "memory", "-log", "requests")
	_, link, _ := strings.Cut(p.await(p.stderr, "\n\n"), "  lab    "+p.url+"/#lab=")
	secret, _, _ := strings.Cut(link, "\n")
	if !regexp.MustCompile(`^[A-Za-z0-9._~-]{16,256}$`).MatchString(secret) {
		t.Fatalf("standard error shows no link to the lab:\n%s", p.stderr)
	}
	lab := func(request, body string) programReply {
		t.Helper()
		return p.send(request, secret, body)
	}

	// A refresh token's thirty days, and the access tokens of its last hour.
	access, refresh := p.send("POST /api/v1/auth/signup", "", annSecret).want(http.StatusCreated).tokens()
	lab("POST /lab/clock", `{"advance":"29d"}`).want(http.StatusOK, `"frozen":false,"offset":"696h0m0s"`)
	p.send("GET /api/v1/items", access, "").want(http.StatusUnauthorized, "Token has expired")
	lab("POST /lab/clock", `{"advance":"23h"}`).want(http.StatusOK)
	p.send("POST /api/v1/auth/refresh", refresh, "").want(http.StatusOK, "access_token")
	lab("POST /lab/clock", `{"advance":"1h"}`).want(http.StatusOK)
	p.send("POST /api/v1/auth/refresh", refresh, "").want(http.StatusUnauthorized, "Token has expired")

	// A thousand items, gone and back.
	lab("POST /lab/reset", "").want(http.StatusOK)
	lab("GET /lab/clock", "").want(http.StatusOK, `"offset":"0s"`)
	p.send("POST /api/v1/auth/refresh", refresh, "").want(http.StatusUnauthorized, "User not found")
	access = p.signUpAnn()
	for range 1000 {
		p.send("POST /api/v1/items", access, ballForm).want(http.StatusCreated)
	}
	lab("POST /lab/snapshot", "").want(http.StatusCreated, `{"id":1}`)
	p.send("DELETE /api/v1/items/1000", access, "").want(http.StatusOK)
	p.send("DELETE /api/v1/auth/me", access, `{"password":"youcantguess#4"}`).want(http.StatusOK)
	lab("POST /lab/restore/1", "").want(http.StatusOK)
	if n := len(p.items(access)); n != 1000 {
		t.Errorf("%d items are back; want 1000", n)
	}
	p.send("POST /api/v1/items", access, ballForm).want(http.StatusCreated, `"id":1001,`)

	for _, request := range []string{"POST /lab/reset", "POST /lab/snapshot", "POST /lab/restore/1", "GET /lab/clock", "POST /lab/clock"} {
		p.send(request, "", "").want(http.StatusUnauthorized, "secret is missing")
	}
	if n := strings.Count(p.stderr.String(), secret); n != 1 {
		t.Errorf("standard error holds the secret %d times; want once, in the link:\n%s", n, p.stderr)
	}
}

// A secret that the environment gives is not shown.
func TestLabProgramSecret(t *testing.T) {
	t.Parallel()
	const secret = "the-tests-own-secret"
	p := launch(t, shelfCommand(t, t.TempDir(), []string{"SHELF_LAB_TOKEN=" + secret, "SHELF_LAB=true", "SHELF_DATA=memory"})).listening()
	p.send("POST /lab/reset", secret, "").want(http.StatusOK)
	if text := p.stderr.String(); strings.Contains(text, secret) || !strings.Contains(text, "  lab    SHELF_LAB_TOKEN\n") {
		t.Errorf("standard error holds the secret, or doesn't tell of the lab:\n%s", text)
	}
}

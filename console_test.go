package main

import (
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/console"
	"example.com/shelf/internal/reply"
)

// asBrowser asks for a page as browsers do.
const asBrowser = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"

// consoleNames are the files that the page consists of.
func consoleNames(t *testing.T) []string {
	t.Helper()
	names, err := fs.Glob(console.Files, "*")
	if err != nil || len(names) < 8 {
		t.Fatalf("the console has the files %q, %v; want more", names, err)
	}
	return names
}

func consoleText(t *testing.T, name string) string {
	t.Helper()
	text, err := console.Files.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The page is for those who ask for HTML; what was there before stays for the
// others.
var acceptTests = []struct {
	name, accept string
	page         bool
}{
	{"a browser", asBrowser, true},
	{"HTML alone", "text/html", true},
	{"HTML in any case, and with a weight", "application/json, TEXT/HTML ; q=0.1", true},
	{"curl", "*/*", false},
	{"fetch of a script", "application/json", false},
	{"no Accept", "", false},
	{"anything but HTML", "text/html;q=0, */*", false},
	{"any text", "text/*", false},
	{"another type that begins alike", "text/html5", false},
	{"nonsense", ";;;,text/html;q=x;q=y,,", false},
}

func TestConsoleAccept(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, tt := range acceptTests {
		t.Run(tt.name, func(t *testing.T) {
			got := a.as("").with("Accept", tt.accept).send("GET /")
			if got.status != http.StatusOK || strings.HasPrefix(got.body, "<!doctype html>") != tt.page || strings.HasPrefix(got.body, `{"name":"shelf"`) == tt.page {
				t.Errorf("GET / with Accept %q = %d %.30q; want the page: %v", tt.accept, got.status, got.body, tt.page)
			}
			if !slices.Contains(got.header.Values("Vary"), "Accept") {
				t.Errorf("Vary is %q; want Accept, for one address has two answers", got.header.Values("Vary"))
			}
		})
	}
}

// consoleHeaders stand on every answer that has a file of the console in it, and
// say exactly this: a policy with one more source in it is another policy.
var consoleHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
		"frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Referrer-Policy":              "no-referrer",
	"X-Content-Type-Options":       "nosniff",
	"Cache-Control":                "private, no-cache",
}

func TestConsoleFiles(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	types := map[string]string{
		".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".json": "application/json",
	}
	for _, name := range consoleNames(t) {
		t.Run(name, func(t *testing.T) {
			request := "GET /console/" + name
			got := a.as("").send(request).wantHeader("Content-Type", types[path.Ext(name)])
			if got.status != http.StatusOK || got.body != consoleText(t, name) {
				t.Errorf("%s = %d and %d bytes; want 200 and the file", request, got.status, len(got.body))
			}
			for header, value := range consoleHeaders {
				got.wantHeader(header, value)
			}
			tag := got.header.Get("ETag")
			again := a.as("").with("If-None-Match", tag).send(request).wantBody(http.StatusNotModified, "").wantHeader("ETag", tag)
			for header, value := range consoleHeaders {
				again.wantHeader(header, value)
			}
			a.as("").with("If-None-Match", `"another"`).send(request).wantHeader("ETag", tag)
			a.as("").with("If-Match", `"another"`).send(request).want(http.StatusPreconditionFailed, reply.ErrStale.Error())
		})
	}
	page := a.as("").with("Accept", asBrowser).send("GET /").wantHeader("Content-Type", types[".html"])
	for header, value := range consoleHeaders {
		page.wantHeader(header, value)
	}
	if page.body != consoleText(t, "index.html") {
		t.Errorf("GET / is not the page")
	}
	a.as("").with("Accept", asBrowser).with("If-None-Match", page.header.Get("ETag")).send("GET /").wantBody(http.StatusNotModified, "")
}

// What isn't the page's is not found beside it.
func TestConsoleNothingElse(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, name := range []string{"nothing.js", "package.json", "console.go", "test", "%2e%2e%2fserver.go", "..%2fconsole%2fstyle.css", "%2e", "style.css%00", "STYLE.CSS", "test%2fpure.test.js"} {
		a.as("").send("GET /console/"+name).want(http.StatusNotFound, "Not found")
	}
}

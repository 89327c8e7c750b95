package main

import (
	"embed"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"

	"example.com/shelf/internal/reply"
)

// consoleFiles is the console: a page that shows what this server does, and
// what it refuses. It asks nobody but this server for anything.
//
//go:embed console/index.html console/style.css console/icon.svg console/*.js console/attacks.json
var consoleFiles embed.FS

// consoleTypes are the types of its files, not left to what the machine's own
// tables say of an extension (package mime).
var consoleTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8", // RFC 9239 §3
	".svg":  "image/svg+xml",
	".json": "application/json",
}

// consolePolicy is what a browser lets the page do (CSP level 3): load what lies
// beside it and talk to this server, and nothing else. No script or style in
// the page itself counts, and no text becomes markup (Trusted Types), so a name
// that somebody gave an item can't run in the page of somebody else.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// consoleFile handles GET /console/{file}: what the page consists of.
func (s *server) consoleFile(w http.ResponseWriter, r *http.Request) error {
	return serveConsole(w, r, r.PathValue("file"))
}

// serveConsole answers with one of the console's files.
func serveConsole(w http.ResponseWriter, r *http.Request, name string) error {
	content, err := consoleFiles.ReadFile("console/" + name)
	if err != nil {
		return reply.Fail(http.StatusNotFound, "Not found")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", consolePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if done, err := reply.NotModified(w, r, string(reply.AppendTag(nil, content))); done || err != nil {
		return err
	}
	h.Set("Content-Type", consoleTypes[path.Ext(name)])
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content) // an error means that the client has gone
	return nil
}

// wantsHTML reports whether r asks for HTML by name, as browsers do where they
// show a page. Others take */* or JSON (RFC 9110 §12.5.1).
func wantsHTML(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			mediaType, params, err := mime.ParseMediaType(part)
			if err != nil || mediaType != "text/html" {
				continue
			}
			weight, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || weight > 0 // without a weight it is 1
		}
	}
	return false
}

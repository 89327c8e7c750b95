package main

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"example.com/shelf/console"
	"example.com/shelf/internal/reply"
)

// consoleFile handles GET /console/{file}: what the page consists of.
func (s *server) consoleFile(w http.ResponseWriter, r *http.Request) error {
	return serveConsole(w, r, r.PathValue("file"))
}

// serveConsole answers with one of the console's files.
func serveConsole(w http.ResponseWriter, r *http.Request, name string) error {
	content, err := console.Files.ReadFile(name)
	if err != nil {
		return reply.Fail(http.StatusNotFound, "Not found")
	}
	h := w.Header()
	h.Set("Content-Security-Policy", console.Policy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if done, err := reply.NotModified(w, r, string(reply.AppendTag(nil, content))); done || err != nil {
		return err
	}
	h.Set("Content-Type", console.Type(name))
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

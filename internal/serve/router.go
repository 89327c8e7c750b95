package serve

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// A Refuse answers a request that has no handler.
type Refuse = func(w http.ResponseWriter, r *http.Request, status int, message string)

// A Router is a route table. It has Refuse answer what package net/http's answers
// in HTML or with nothing: other paths, other methods, what is no plain path.
type Router struct {
	*http.ServeMux
	Patterns []string // the table's, and those for what the table doesn't have

	prefix func(*http.Request) string
	refuse Refuse
}

// NewRouter makes a router of handlers by patterns that have a method. The pattern "/"
// may be among them, for the paths that no other pattern knows. acceptPatch is
// the types that every PATCH takes (RFC 5789 §3.1), prefix the path below which a
// proxy has the server.
func NewRouter(handlers map[string]http.Handler, acceptPatch string, prefix func(*http.Request) string, refuse Refuse) *Router {
	rt := &Router{ServeMux: http.NewServeMux(), prefix: prefix, refuse: refuse}
	handle := func(pattern string, h http.Handler) {
		rt.Patterns = append(rt.Patterns, pattern)
		rt.Handle(pattern, h)
	}
	for pattern, h := range handlers {
		handle(pattern, h)
	}
	// A pattern without a method is less specific, so these catch what is left.
	for path, allow := range allowed(handlers) {
		handle(path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			if r.Method != http.MethodOptions {
				refuse(w, r, http.StatusMethodNotAllowed, "The method is not allowed for the requested URL")
				return
			}
			if strings.Contains(allow, http.MethodPatch) {
				w.Header().Set("Accept-Patch", acceptPatch)
			}
			w.WriteHeader(http.StatusNoContent)
		}))
	}
	if handlers["/"] == nil {
		handle("/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			refuse(w, r, http.StatusNotFound, "Not found")
		}))
	}
	return rt
}

// allowed returns the Allow header of each path of a route table.
func allowed(handlers map[string]http.Handler) map[string]string {
	methods := map[string][]string{} // by path
	for pattern := range handlers {
		method, path, hasMethod := strings.Cut(pattern, " ")
		if !hasMethod {
			continue
		}
		if method == http.MethodGet {
			methods[path] = append(methods[path], http.MethodHead)
		}
		methods[path] = append(methods[path], method)
	}
	allow := map[string]string{}
	for path, of := range methods {
		slices.Sort(of)
		allow[path] = strings.Join(append(of, http.MethodOptions), ", ")
	}
	return allow
}

// ServeHTTP hands r to its handler.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := r.URL.EscapedPath()
	clean := cleanPath(at)
	redirect := func(to, why string) {
		if r.URL.RawQuery != "" {
			to += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", rt.prefix(r)+to)
		rt.refuse(w, r, http.StatusPermanentRedirect, why)
	}
	switch {
	case at == "*" && r.Method == http.MethodOptions: // about the server as a whole (RFC 9110 §9.3.7)
		w.WriteHeader(http.StatusNoContent)
	case !strings.HasPrefix(at, "/"): // "*", urn:x, or CONNECT host:port
		rt.refuse(w, r, http.StatusNotFound, "Not found")
	case clean != at:
		redirect(clean, "The path is written without empty or dot segments")
	case len(at) > 1 && strings.HasSuffix(at, "/") && !rt.Knows(r, at) && rt.Knows(r, strings.TrimSuffix(at, "/")):
		redirect(strings.TrimSuffix(at, "/"), "The path is written without a slash at its end")
	default:
		rt.ServeMux.ServeHTTP(w, r)
	}
}

// cleanPath returns an escaped path without empty and dot segments.
func cleanPath(at string) string {
	if !strings.Contains(at, "//") && !strings.Contains(at, "/.") {
		return at // already clean
	}
	clean := path.Clean("/" + at)
	if clean != "/" && strings.HasSuffix(at, "/") {
		clean += "/" // a route table distinguishes the two
	}
	return clean
}

// Knows reports whether the table has a pattern other than "/" for an escaped path.
func (rt *Router) Knows(r *http.Request, escaped string) bool {
	u, err := url.ParseRequestURI(escaped)
	if err != nil {
		return false
	}
	_, pattern := rt.Handler(&http.Request{Method: r.Method, URL: u, Host: r.Host})
	return pattern != "/"
}

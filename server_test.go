package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// catalogPaths are all paths of the catalog, with the methods of each.
var catalogPaths = map[string]string{
	"/api/v1/auth/signup":      "OPTIONS, POST",
	"/api/v1/auth/signin":      "OPTIONS, POST",
	"/api/v1/auth/refresh":     "OPTIONS, POST",
	"/api/v1/auth/logout":      "DELETE, OPTIONS, POST",
	"/api/v1/auth/tokens":      "DELETE, GET, HEAD, OPTIONS",
	"/api/v1/auth/tokens/1":    "OPTIONS, PUT",
	"/api/v1/items":            "GET, HEAD, OPTIONS, POST",
	"/api/v1/items/1":          "DELETE, GET, HEAD, OPTIONS",
	"/api/v1/items/1/itemname": "OPTIONS, PATCH",
}

var bookPaths = map[string]string{
	"/":                "GET, HEAD, OPTIONS",
	"/signup":          "OPTIONS, POST",
	"/login":           "OPTIONS, POST",
	"/bookapi/books":   "GET, HEAD, OPTIONS, POST",
	"/bookapi/books/1": "DELETE, GET, HEAD, OPTIONS",
	"/bookapi/addbook": "OPTIONS, POST",
}

func TestMethods(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, paths := range []map[string]string{catalogPaths, bookPaths} {
		for path, methods := range paths {
			for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"} {
				request := method + " " + path
				got := a.as("").send(request)
				allowed := strings.Contains(", "+methods+",", ", "+method+",")
				if allowed {
					if got.status == http.StatusMethodNotAllowed {
						t.Errorf("%v; want it allowed", got)
					}
					continue
				}
				got.want(405, "The method is not allowed for the requested URL")
				wantAllow(got, methods)
			}
			wantAllow(a.as("").send("OPTIONS "+path).wantBody(204, ""), methods)
		}
	}
}

// wantAllow checks Allow, whose order says nothing.
func wantAllow(a *answer, methods string) {
	a.t.Helper()
	if got := sortedList(a.header.Get("Allow")); got != methods {
		a.t.Errorf("%v: Allow is %q; want %q", a, got, methods)
	}
}

// notFoundTests are paths that name nothing.
var notFoundTests = []string{
	"/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/items/", "/api/v1/items/1/", "/api/v1/items/1/itemname/",
	"/api/v1/items/1/itemname/x", "/api/v1/auth", "/api/v1/auth/signup/", "/api/v1/auth/tokens/", "/api/v1/Items", "/api/v1/items%2F1",
	"/api", "/api/v2/items", "/api/v1items", "/bookapi", "/bookapi/", "/bookapi/books/", "/bookapi/Books", "/books",
	"/login/", "/signup/", "/Login", "/favicon.ico", "/index.html", "/%00", "/%ff",
}

func TestNotFound(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	for _, path := range notFoundTests {
		for _, method := range []string{"GET", "POST", "DELETE", "OPTIONS", "BREW"} {
			got := a.as("").send(fmt.Sprint(method, " ", path))
			got.want(404, "Not found")
		}
	}
}

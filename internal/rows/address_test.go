package rows

import (
	"slices"
	"strings"
	"testing"
)

// An address names a collection, a row, or the children of a row.
func TestParseAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		target, prefix, names string
		guard                 string
		ok                    bool
	}{
		{"/posts", "", "posts", "000", true},
		{"/posts/", "", "posts", "000", true},
		{"/posts/5?x=1", "", "posts|5", "000", true},
		{"/posts/a%2Fb/comments", "", "posts|a/b|comments", "000", true},
		{"/caf%C3%A9", "", "café", "000", true},
		{"/600/posts/5", "", "posts|5", "600", true},
		{"/data/posts", "/data", "posts", "000", true},
		{"/600/data/posts", "/data", "posts", "600", true},
		{"/data/600", "/data", "600", "000", true},
		{"/posts", "/data", "", "000", false},
		{"/database", "/data", "", "000", false},
		{"/650/posts", "", "", "000", false},
		{"/a/b/c/d", "", "a|b|c|d", "000", false},
		{"/%zz", "", "", "000", false},
		{"/", "", "", "000", false},
		{"/600", "", "", "600", false},
	} {
		a, ok := ParseAddress(tt.target, tt.prefix)
		if ok != tt.ok || strings.Join(a.Names, "|") != tt.names || a.Guard.String() != tt.guard {
			t.Errorf("%s below %q = %q, %s, %v; want %s, %s, %v", tt.target, tt.prefix, a.Names, a.Guard, ok, tt.names, tt.guard, tt.ok)
		}
	}
}

// Rules rewrite a path and its query as json-server does.
func TestRewrite(t *testing.T) {
	t.Parallel()
	rules, guards, err := ParseRoutes([]byte(`{"/api/*": "/$1", "/:resource/:id/show": "/:resource/:id", "/posts/of/:kind": "/posts?kind=:kind", "/find\\?nr=:id": "/posts/:id", "posts": 640, "*": "600"}`))
	if err != nil || len(guards) != 2 || guards["posts"].String() != "640" || guards["*"].String() != "600" {
		t.Fatalf("%v, %v", guards, err)
	}
	for target, want := range map[string]string{
		"/api/posts?a=1":     "/posts?a=1",
		"/API/posts":         "/posts",
		"/api/posts/3/show":  "/posts/3",
		"/posts/of/go":       "/posts?kind=go",
		"/find?nr=7":         "/posts/7",
		"/posts/3":           "/posts/3",
		"/posts/3/show?deep": "/posts/3/show?deep",
	} {
		if got := rules.Rewrite(target); got != want {
			t.Errorf("%s becomes %s; want %s", target, got, want)
		}
	}
	for _, text := range []string{`[]`, `{"posts": 650}`, `{"posts": "x"}`, `{"posts": true}`, `{"/a": 5}`, `{"a": "/b"}`} {
		if _, _, err := ParseRoutes([]byte(text)); err == nil {
			t.Errorf("%s is taken", text)
		}
	}
}

// No rule and no path does harm.
func FuzzRewrite(f *testing.F) {
	f.Add("/api/*", "/$1", "/api/posts?x")
	f.Add("/:a/:a", "/:a$", "/x/y")
	f.Fuzz(func(t *testing.T, from, to, target string) {
		rule, err := newRoute(from, to)
		if err != nil {
			return
		}
		target = Routes{rule}.Rewrite(target)
		if a, ok := ParseAddress(target, ""); ok && (len(a.Names) == 0 || slices.Contains(a.Names, "")) {
			t.Errorf("%q names %q", target, a.Names)
		}
	})
}

package rows

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// An Address is a path of collections, taken apart.
type Address struct {
	Names []string // the segments behind the guard and the prefix, decoded
	Guard Guard    // that the path begins with, as in /600/posts; 0 for none
	Query string   // as it was sent
}

// ParseAddress takes an escaped path and its query apart. prefix is the path below which
// the collections are, "" for the root. A slash at the end changes nothing. ok is false
// for a path that names nothing here.
func ParseAddress(target, prefix string) (a Address, ok bool) {
	path, query, _ := strings.Cut(target, "?")
	a.Query = query
	if digits, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/"); IsGuard(digits) {
		guard, err := ParseGuard(digits)
		if err != nil {
			return a, false
		}
		a.Guard, path = guard, "/"+rest
	}
	path, ok = strings.CutPrefix(path, prefix)
	if !ok || path != "" && path[0] != '/' {
		return a, false
	}
	path = strings.TrimSuffix(strings.TrimPrefix(path, "/"), "/")
	for name := range strings.SplitSeq(path, "/") {
		name, err := url.PathUnescape(name)
		if err != nil || name == "" {
			return a, false
		}
		a.Names = append(a.Names, name)
	}
	return a, len(a.Names) <= 3
}

// IsGuard reports whether a segment of a path is three digits, which no collection is
// called.
func IsGuard(name string) bool {
	return len(name) == 3 && strings.Trim(name, "0123456789") == ""
}

// Routes are rules that rewrite addresses.
type Routes []route

// A route rewrites what matches: the whole of a path with its query.
type route struct {
	pattern *regexp.Regexp
	to      string // as regexp.Expand reads it
}

// ParseRoutes reads a file of rules, such as
//
//	{"/api/*": "/$1", "/:resource/:id/show": "/:resource/:id", "posts": 644}
//
// A number, or a text of three digits, is no rule but the guard of a collection.
func ParseRoutes(text []byte) (rules Routes, guards map[string]Guard, err error) {
	o, err := ParseObject(text)
	if err != nil {
		return nil, nil, err
	}
	guards = map[string]Guard{}
	for _, from := range o.Names() {
		raw, _ := o.Get(from)
		to, isText := Text(raw)
		switch {
		case IsGuard(to):
			if guards[from], err = ParseGuard(to); err != nil {
				return nil, nil, fmt.Errorf("%q: %w", from, err)
			}
		case !isText || raw[0] != '"' || !strings.HasPrefix(from, "/") || !strings.HasPrefix(to, "/"):
			return nil, nil, fmt.Errorf("%q: a rule is two paths, such as \"/api/*\": \"/$1\"", from)
		default:
			rule, err := newRoute(from, to)
			if err != nil {
				return nil, nil, fmt.Errorf("%q: %w", from, err)
			}
			rules = append(rules, rule)
		}
	}
	return rules, guards, nil
}

// Read adds the guards in a file such as {"posts": 644, "*": 640}, and returns the rules
// in it if there may be some. names are those that a guard may be for.
func (g *Guards) Read(text []byte, names []string, rulesToo bool) (Routes, error) {
	rules, guards, err := ParseRoutes(text)
	switch {
	case err != nil:
		return nil, err
	case len(rules) > 0 && !rulesToo:
		return nil, errors.New(`a guard is a name and three digits, such as "posts": 644`)
	}
	for _, name := range slices.Sorted(maps.Keys(guards)) {
		if err := g.set(name, guards[name], names); err != nil {
			return nil, err
		}
	}
	return rules, nil
}

// Set adds a guard that is written as posts=644.
func (g *Guards) Set(pair string, names []string) error {
	name, digits, _ := strings.Cut(pair, "=")
	guard, err := ParseGuard(digits)
	if err != nil {
		return err
	}
	return g.set(name, guard, names)
}

func (g *Guards) set(name string, guard Guard, names []string) error {
	switch {
	case name == "*":
		g.Others = guard
		return nil
	case !slices.Contains(names, name):
		return fmt.Errorf("there is no collection %q", name)
	case g.ByName == nil:
		g.ByName = map[string]Guard{}
	}
	g.ByName[name] = guard
	return nil
}

// wildcard is a * or a :name in a rule.
var wildcard = regexp.MustCompile(`\\.|\*|:[A-Za-z_][A-Za-z0-9_]*`)

func newRoute(from, to string) (route, error) {
	var b strings.Builder
	var names []string // of the groups, "" for a *
	at := 0
	for _, found := range wildcard.FindAllStringIndex(from, -1) {
		b.WriteString(regexp.QuoteMeta(from[at:found[0]]))
		switch w := from[found[0]:found[1]]; w[0] {
		case '\\':
			b.WriteString(regexp.QuoteMeta(w[1:]))
		case '*':
			b.WriteString("(.*)")
			names = append(names, "")
		default:
			b.WriteString("([^/]+?)")
			names = append(names, w[1:])
		}
		at = found[1]
	}
	b.WriteString(regexp.QuoteMeta(from[at:]))
	pattern, err := regexp.Compile(`(?i)^` + b.String() + `$`)
	if err != nil {
		return route{}, err
	}
	target := regexp.MustCompile(`\$[0-9]+|\$|:[A-Za-z_][A-Za-z0-9_]*`).ReplaceAllStringFunc(to, func(w string) string {
		switch {
		case w == "$":
			return "$$"
		case w[0] == '$':
			return "${" + w[1:] + "}"
		}
		for i, name := range names {
			if name == w[1:] {
				return fmt.Sprintf("${%d}", i+1)
			}
		}
		return w
	})
	return route{pattern, target}, nil
}

// Rewrite returns what the rules make of a path with its query. Each is applied once,
// in the order of the file.
func (rules Routes) Rewrite(target string) string {
	for _, rule := range rules {
		if at := rule.pattern.FindStringSubmatchIndex(target); at != nil {
			target = string(rule.pattern.ExpandString(nil, rule.to, target, at))
		}
	}
	return target
}

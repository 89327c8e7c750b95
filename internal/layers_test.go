// Package internal_test holds the rules of the architecture: which package may
// import which, and what stands in one place only.
package internal_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A layer is one package: what it is, in one sentence, and which packages of
// shelf it may import.
type layer struct {
	name string // below internal/, but for the root and what is embedded
	is   string
	may  []string
}

// layers is the architecture, from the bottom up: a package imports only what
// stands above it here, and of that only what it names.
var layers = []layer{
	{"clock", "the only package that asks the machine for the time", nil},
	{"strictjson", "JSON objects that can be read in one way only", nil},
	{"term", "terminals: hidden input, columns, text that can't harm one", nil},
	{"durable", "files that are replaced whole, and survive a power cut", nil},
	{"livefile", "a file that shows what a store has, kept in step both ways", []string{"durable"}},
	{"history", "the seam between tables and what keeps their changes", nil},
	{"history/historytest", "a history that several replicas share, in memory, which fails on demand, for tests", []string{"history"}},
	{"config", "flags, environment, .env, the table of commands, what Ctrl-C keeps", []string{"term"}},
	{"limit", "how often is too often, in fixed memory", nil},
	{"password", "bcrypt on a bounded number of workers", nil},
	{"metrics", "counters, histograms, Prometheus' text", []string{"history"}},
	{"origin", "who is on the other end, and whether a web page may call", nil},
	{"serve", "what stands around a handler: bounds, TLS, the log, the end", []string{"clock", "durable", "term"}},
	{"child", "another program: started, sent signals, told when the server answers", []string{"config", "durable", "origin", "strictjson", "term"}},
	{"journal", "a history in one file: lines, checksums, batches, torn tails, compaction, lock", []string{"clock", "durable", "history", "strictjson", "term"}},
	{"journal/journaltest", "a disk that fails and crashes on demand, for tests", []string{"durable", "history", "journal"}},
	{"etcd", "a history that several replicas share, in etcd through its JSON gateway", []string{"clock", "config", "durable", "history", "journal"}},
	{"etcd/etcdtest", "a fake of etcd's JSON gateway that fails on demand, for tests", nil},
	{"db", "tables in memory under one lock, whose changes are rules first, durable second, visible third", []string{"clock", "history", "strictjson", "term"}},
	{"token", "JWT: claims, keys, signing, verification, key files, JWKS", []string{"durable", "strictjson"}},
	{"reply", "answers, ETags, conditional requests, streams, the error that a client may read", []string{"clock", "limit", "strictjson"}},
	{"form", "a request's body into variables: JSON, urlencoded, multipart", []string{"limit", "reply", "strictjson", "term"}},
	{"list", "filters, orders, cursors", []string{"db", "form", "strictjson"}},
	{"rows", "collections: JSON rows of any shape, and the questions of json-server's clients", []string{"db", "form", "limit", "reply", "strictjson"}},
	{"lab", "calls by which a test puts the data back and sets the clock", []string{"clock", "config", "db", "form", "reply", "strictjson"}},
	{"operator", "what the owner of a data file does with it: its accounts, its keys, export, check", []string{"clock", "config", "db", "durable", "etcd", "history", "journal", "livefile", "password", "rows", "serve", "strictjson", "term", "token"}},
	{"explain", "what is in a token, and why it is good or refused; the tour through the code", []string{"config", "strictjson", "term", "token"}},
	{"attack", "the attacks that a running server has to refuse", []string{"clock", "config", "console", "strictjson", "term", "token"}},
}

// embedded are packages that only hold files.
var embedded = []string{"console", "openapi"}

// The most that the root may hold.
const (
	maxRootFiles     = 15 // Go files that are no tests
	maxRootTestFiles = 15
	maxRootLines     = 5180 // of the Go files that are no tests; 4,000 are the aim without the collections
	maxRootEntries   = 45   // .git not counted
	maxPackages      = 25   // below internal/, the kits for tests not counted
)

// The most lines that a file and a function may have.
const (
	maxFileLines     = 500
	maxFunctionLines = 60
)

// onlyIn names what stands in one place: a call or an import, and the packages
// that may have it. "." is the root.
var onlyIn = []struct {
	what string // an import path, or package.Name as the code writes it
	in   []string
}{
	{"github.com/golang-jwt/jwt/v5", []string{"token"}},
	{"golang.org/x/crypto/bcrypt", []string{"password"}},
	{"time.Now", []string{"clock"}},
	{"time.Since", []string{"clock"}},
	{"time.Until", []string{"clock"}},
	{"os.Getenv", []string{"config", "./main.go"}},
	{"os.LookupEnv", []string{"config", "./main.go"}},
	{"http.NewServeMux", []string{"serve"}},
}

// application matches what the machinery has no names for: that is the root's.
var application = regexp.MustCompile(`(?i)item|book`)

// aboutTheApplication are the packages that know it by their nature.
var aboutTheApplication = []string{"lab", "operator", "explain", "attack"}

const module = "example.com/shelf"

var root = ".."

// A source is a Go file of the root module that is no test.
type source struct {
	place string // its package, as layers names it; "." for the root
	file  string // from the root
	tree  *ast.File
	lines *token.File
}

// sources reads the Go files of the packages that layers is about, without their
// tests.
func sources(t *testing.T) (all []source) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range append(slices.Clone(embedded), "internal") {
		err := filepath.WalkDir(filepath.Join(root, dir), func(name string, d fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(name, ".go") {
				files = append(files, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		tree, err := parser.ParseFile(set, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		file, err := filepath.Rel(root, name)
		if err != nil {
			t.Fatal(err)
		}
		file = filepath.ToSlash(file)
		place := strings.TrimPrefix(pathDir(file), "internal/")
		all = append(all, source{place, file, tree, set.File(tree.Pos())})
	}
	return all
}

func pathDir(file string) string {
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		return file[:i]
	}
	return "."
}

func (s source) imports() (paths []string) {
	for _, spec := range s.tree.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		paths = append(paths, path)
	}
	return paths
}

// An import points downward, to what the table lists.
func TestImportsPointDownward(t *testing.T) {
	t.Parallel()
	below := map[string]bool{} // the packages that the table has named so far
	may := map[string][]string{}
	for _, l := range layers {
		for _, name := range l.may {
			if !below[name] && !slices.Contains(embedded, name) {
				t.Errorf("the table lets %s import %s, which is not below it", l.name, name)
			}
		}
		if !slices.IsSorted(l.may) {
			t.Errorf("the table's imports of %s are not in order", l.name)
		}
		below[l.name], may[l.name] = true, l.may
	}
	used := map[string]bool{}
	for _, s := range sources(t) {
		if s.place == "." {
			continue // the root may import everything
		}
		if slices.Contains(embedded, s.place) {
			for _, path := range s.imports() {
				if strings.HasPrefix(path, module) {
					t.Errorf("%s imports %s; what is embedded knows no other package", s.file, path)
				}
			}
			continue
		}
		if !below[s.place] {
			t.Errorf("%s: the table lacks the package %s", s.file, s.place)
		}
		for _, path := range s.imports() {
			name, ours := strings.CutPrefix(path, module+"/")
			name = strings.TrimPrefix(name, "internal/")
			if ours && name != s.place && !slices.Contains(may[s.place], name) {
				t.Errorf("%s imports %s, which the table doesn't list", s.file, name)
			}
			used[s.place+" "+name] = true
		}
	}
	for _, l := range layers {
		for _, name := range l.may {
			if !used[l.name+" "+name] {
				t.Errorf("the table lets %s import %s, but it doesn't", l.name, name)
			}
		}
	}
	n := 0
	for _, l := range layers {
		if !strings.HasSuffix(l.name, "test") {
			n++
		}
	}
	if n > maxPackages {
		t.Errorf("there are %d packages; want %d at most", n, maxPackages)
	}
}

// Each package has a comment that is its manual.
func TestPackagesHaveComments(t *testing.T) {
	t.Parallel()
	commented := map[string]bool{}
	for _, s := range sources(t) {
		text := s.tree.Doc.Text()
		begins := "Package " + s.tree.Name.Name + " "
		if s.place == "." {
			begins = "Shelf "
		}
		if strings.HasPrefix(text, begins) && strings.Count(text, " ") > 10 {
			commented[s.place] = true
		}
	}
	for _, l := range append(layers, layer{name: "."}, layer{name: "console"}, layer{name: "openapi"}) {
		if !commented[l.name] {
			t.Errorf("the package %s has no comment that says what it is", l.name)
		}
	}
}

// What stands in one place stays there.
func TestOnlyInOnePlace(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		calls := map[string]bool{}
		for _, path := range s.imports() {
			calls[path] = true
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			if at, ok := n.(*ast.SelectorExpr); ok {
				if in, ok := at.X.(*ast.Ident); ok {
					calls[in.Name+"."+at.Sel.Name] = true
				}
			}
			return true
		})
		for _, rule := range onlyIn {
			if calls[rule.what] && !slices.Contains(rule.in, s.place) && !slices.Contains(rule.in, "./"+s.file) {
				t.Errorf("%s has %s, which belongs into %s", s.file, rule.what, strings.Join(rule.in, " and "))
			}
		}
	}
}

// The machinery has no name for what the application is about.
func TestMachineryKnowsNoApplication(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if s.place == "." || slices.Contains(embedded, s.place) || slices.Contains(aboutTheApplication, s.place) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.Ident:
				if application.MatchString(n.Name) {
					t.Errorf("%s has the name %s", s.file, n.Name)
				}
			case *ast.BasicLit:
				if strings.Contains(n.Value, "/api/v1") {
					t.Errorf("%s has the route %s", s.file, n.Value)
				}
			}
			return true
		})
	}
}

// The root can be read in one sitting.
func TestRootIsSmall(t *testing.T) {
	t.Parallel()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := ignoredEntries(t)
	files, tests, lines, all := 0, 0, 0, 0
	for _, e := range entries {
		if e.Name() == ".git" || slices.ContainsFunc(ignored, func(pattern string) bool {
			match, _ := filepath.Match(pattern, e.Name())
			return match
		}) {
			continue
		}
		all++
		switch {
		case strings.HasSuffix(e.Name(), "_test.go"):
			tests++
		case strings.HasSuffix(e.Name(), ".go"):
			files++
			text, err := os.ReadFile(filepath.Join(root, e.Name()))
			if err != nil {
				t.Fatal(err)
			}
			lines += strings.Count(string(text), "\n")
		}
	}
	for _, n := range []struct {
		what      string
		have, max int
	}{
		{"Go files", files, maxRootFiles},
		{"test files", tests, maxRootTestFiles},
		{"lines of Go that are no tests", lines, maxRootLines},
		{"entries", all, maxRootEntries},
	} {
		t.Logf("the root has %d %s", n.have, n.what)
		if n.have > n.max {
			t.Errorf("the root has %d %s; want %d at most", n.have, n.what, n.max)
		}
	}
}

// A file can be read in a few minutes, and a function on one screen. A table of one
// row a line doesn't count: it is looked things up in. A table of routes does, as it is
// read: there is one for each API.
func TestFilesAndFunctionsAreShort(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		if n := s.lines.LineCount() - 1; n > maxFileLines {
			t.Errorf("%s has %d lines; want %d at most", s.file, n, maxFileLines)
		}
		span := func(n ast.Node) int { return s.lines.Line(n.End()) - s.lines.Line(n.Pos()) }
		for _, d := range s.tree.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := span(fn) + 1
			ast.Inspect(fn, func(n ast.Node) bool {
				table, ok := n.(*ast.CompositeLit)
				if !ok || isRoutes(table) || slices.ContainsFunc(table.Elts, func(row ast.Expr) bool { return span(row) > 0 }) {
					return true
				}
				lines -= span(table)
				return false
			})
			if lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines; want %d at most", s.file, fn.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

// isRoutes reports whether a table is a []route.
func isRoutes(table *ast.CompositeLit) bool {
	list, _ := table.Type.(*ast.ArrayType)
	if list == nil {
		return false
	}
	element, _ := list.Elt.(*ast.Ident)
	return element != nil && element.Name == "route"
}

// ignoredEntries are the patterns of .gitignore for names in the root.
func ignoredEntries(t *testing.T) (patterns []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.Trim(strings.TrimSpace(line), "/"); line != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, line)
		}
	}
	return patterns
}

// drawing is the table as docs/architecture.md shows it.
func drawing() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-20s %s\n", "package main", "what shelf does; may import everything below")
	for _, l := range slices.Backward(layers) {
		fmt.Fprintf(&b, "%-20s %s\n", l.name, l.is)
		if len(l.may) > 0 {
			fmt.Fprintf(&b, "%-20s   imports %s\n", "", strings.Join(l.may, ", "))
		}
	}
	return b.String()
}

// The drawing in docs/architecture.md is this table.
func TestDrawing(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "```text\n" + drawing() + "```\n"; !strings.Contains(string(text), want) {
		t.Errorf("docs/architecture.md lacks the drawing of the table:\n%s", want)
	}
}

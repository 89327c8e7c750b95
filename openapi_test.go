package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"net/http"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"example.com/shelf/internal/strictjson"
	"example.com/shelf/openapi"
)

// These are the objects of OpenAPI 3.1, with those fields of theirs that
// openapi.json has use for: strictjson.Unmarshal takes no other, so that a misspelt one
// is an error instead of nothing.
type (
	apiDescription struct {
		OpenAPI    string
		Info       struct{ Title, Version, Summary, Description string }
		Servers    []struct{ URL, Description string }
		Tags       []struct{ Name, Description string }
		Security   []map[string][]string
		Paths      map[string]pathItem
		Components struct {
			SecuritySchemes map[string]struct{ Type, Scheme, BearerFormat, In, Name, Description string }
			Parameters      map[string]parameter
			Headers         map[string]headerObject
			RequestBodies   map[string]requestBody
			Responses       map[string]response
			Schemas         map[string]schema
		}
	}
	pathItem struct {
		Parameters                    []parameter
		Get, Post, Put, Patch, Delete *operation
	}
	operation struct {
		OperationID          string
		Handler              string `json:"x-handler"`
		Tags                 []string
		Summary, Description string
		Security             *[]map[string][]string
		Parameters           []parameter
		RequestBody          *requestBody
		Responses            map[string]response
	}
	reference struct {
		Ref string `json:"$ref"`
	}
	parameter struct {
		reference
		Name, In, Description string
		Required              bool
		Schema                schema
		Example               any
	}
	headerObject struct {
		reference
		Description string
		Required    bool
		Schema      schema
		Example     any
	}
	requestBody struct {
		reference
		Required bool
		Content  map[string]mediaType
	}
	response struct {
		reference
		Description string
		Headers     map[string]headerObject
		Content     map[string]mediaType
	}
	mediaType struct {
		Schema  schema
		Example any
	}
	schema struct {
		reference
		Description                              string
		Type, Const, Default                     any
		Enum, Examples                           []any
		Format, Pattern                          string
		Minimum, Maximum                         *int
		MinLength, MaxLength, MinItems, MaxItems *int
		MinProperties, MaxProperties             *int
		Required                                 []string
		Properties                               map[string]schema
		AdditionalProperties                     *bool
		Items                                    *schema
		AnyOf, OneOf                             []schema
	}
)

// description is openapi.json.
var description = sync.OnceValues(func() (d apiDescription, err error) {
	return d, strictjson.Unmarshal(openapi.Text, &d)
})

func mustDescribe(t testing.TB) apiDescription {
	t.Helper()
	d, err := description()
	if err != nil {
		t.Fatalf("openapi.json: %v", err)
	}
	return d
}

func (p pathItem) operations() map[string]*operation {
	all := map[string]*operation{"GET": p.Get, "POST": p.Post, "PUT": p.Put, "PATCH": p.Patch, "DELETE": p.Delete}
	maps.DeleteFunc(all, func(_ string, op *operation) bool { return op == nil })
	return all
}

// operation is what the description has for a route, nil for nothing.
func (d apiDescription) operation(route string) *operation {
	method, path, _ := strings.Cut(route, " ")
	return d.Paths[path].operations()[method]
}

// Every route is described, and every description is a route. What is tagged as
// the lab's is one only with -lab.
func TestOpenAPIRoutes(t *testing.T) {
	t.Parallel()
	wantRoutesDescribed(t, newAPI(t), func(op *operation) bool { return !slices.Contains(op.Tags, "lab") })
	wantRoutesDescribed(t, newLabAPI(t), func(*operation) bool { return true })
}

// wantRoutesDescribed compares the routes of a with those that are described and
// that a should have.
func wantRoutesDescribed(t *testing.T, a *api, has func(*operation) bool) {
	t.Helper()
	d := mustDescribe(t)
	var routes, described []string
	for _, rt := range a.routes() {
		routes = append(routes, strings.TrimSuffix(rt.pattern, "{$}"))
	}
	for path, item := range d.Paths {
		for method, op := range item.operations() {
			if has(op) {
				described = append(described, method+" "+path)
			}
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	for _, route := range routes {
		if !slices.Contains(described, route) {
			t.Errorf("openapi.json doesn't describe %s", route)
		}
	}
	for _, route := range described {
		if !slices.Contains(routes, route) {
			t.Errorf("openapi.json describes %s, which is no route", route)
		}
	}
}

// x-handler is the function that answers an operation, and its file, for those
// who see a request in the console and want to read on.
func TestOpenAPIHandlers(t *testing.T) {
	t.Parallel()
	want := handlers(t)
	for path, item := range mustDescribe(t).Paths {
		for method, op := range item.operations() {
			route := method + " " + path
			switch {
			case want[route] == "":
				t.Errorf("server.go has no line {%q, …(s.handler)}, or no file has that handler", route)
			case op.Handler != want[route]:
				t.Errorf("openapi.json: %s has \"x-handler\": %q; want %q", route, op.Handler, want[route])
			}
		}
	}
}

// handlers reads the source: for each route in server.go the function that
// answers it, without what is said around it, and where that function stands.
func handlers(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, "internal/lab/lab.go")
	place := map[string]string{} // of what the route table calls s.signUp, or l.Reset of the lab
	named := map[string]string{} // what the route table calls a route's handler
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Recv == nil {
					break
				}
				receiver := types.ExprString(n.Recv.List[0].Type)
				if variable := map[string]string{"*server": "s", "*Lab": "l"}[receiver]; variable != "" {
					place[variable+"."+n.Name.Name] = fmt.Sprintf("%s: (%s).%s", name, receiver, n.Name.Name)
				}
			case *ast.CompositeLit:
				if name != "server.go" || len(n.Elts) != 2 {
					break
				}
				pattern, ok := n.Elts[0].(*ast.BasicLit)
				if !ok {
					break
				}
				handler := n.Elts[1]
				for call, ok := handler.(*ast.CallExpr); ok; call, ok = handler.(*ast.CallExpr) {
					handler = call.Args[len(call.Args)-1]
				}
				route, _ := strconv.Unquote(pattern.Value)
				named[strings.TrimSuffix(route, "{$}")] = types.ExprString(handler)
			}
			return true
		})
	}
	for route, method := range named {
		named[route] = place[method]
	}
	return named
}

// Every operation has what a generator and a reader need of it.
func TestOpenAPIOperations(t *testing.T) {
	t.Parallel()
	d := mustDescribe(t)
	var tags []string
	for _, tag := range d.Tags {
		tags = append(tags, tag.Name)
	}
	ids := map[string]string{}
	for path, item := range d.Paths {
		for method, op := range item.operations() {
			route := method + " " + path
			if op.OperationID == "" || ids[op.OperationID] != "" {
				t.Errorf("%s has the operationId %q, as has %q", route, op.OperationID, ids[op.OperationID])
			}
			ids[op.OperationID] = route
			if op.Summary == "" || len(op.Tags) != 1 || !slices.Contains(tags, op.Tags[0]) {
				t.Errorf("%s: summary %q, tags %q; want a summary and one of %q", route, op.Summary, op.Tags, tags)
			}
			var names []string
			for _, p := range append(item.Parameters, op.Parameters...) {
				if name, shared := strings.CutPrefix(p.Ref, "#/components/parameters/"); shared {
					p = d.Components.Parameters[name]
				}
				if p.In == "path" && p.Required {
					names = append(names, "{"+p.Name+"}")
				}
			}
			if want := regexp.MustCompile(`{\w+}`).FindAllString(path, -1); !slices.Equal(names, want) {
				t.Errorf("%s has the path parameters %q; want %q", route, names, want)
			}
			if op.RequestBody == nil {
				continue
			}
			body := d.Components.RequestBodies[strings.TrimPrefix(op.RequestBody.Ref, "#/components/requestBodies/")]
			types := slices.Collect(maps.Keys(body.Content))
			for _, e := range encodings {
				contentType, _, _ := strings.Cut(e.contentType, ";")
				if !slices.Contains(types, contentType) {
					t.Errorf("%s takes no %s", route, contentType)
				}
			}
		}
	}
}

// Which token a route takes is told by the server itself: to a request without
// one it says whose it misses.
func TestOpenAPISecurity(t *testing.T) {
	t.Parallel()
	d, a := mustDescribe(t), newLabAPI(t)
	for _, rt := range a.routes() {
		op := d.operation(strings.TrimSuffix(rt.pattern, "{$}"))
		if op == nil {
			t.Fatalf("openapi.json doesn't describe %s", rt.pattern)
		}
		security := d.Security
		if op.Security != nil {
			security = *op.Security
		}
		var got string
		for _, s := range security {
			got += strings.Join(slices.Collect(maps.Keys(s)), " and ")
		}
		ans := a.as("").send(strings.NewReplacer("{$}", "", "{id}", "1", "{field}", "itemname").Replace(rt.pattern))
		want := map[string]string{
			"Missing Authorization Header": "bearer", "A valid token is missing!": "xAccessToken",
			"The lab's secret is missing: send it as X-Lab-Token": "labToken",
		}[ans.says()]
		if got != want {
			t.Errorf("%s is described with security %q; want %q", rt.pattern, got, want)
		}
	}
}

// Every $ref leads somewhere, and every component is led to.
func TestOpenAPIReferences(t *testing.T) {
	t.Parallel()
	var document map[string]any
	if err := json.Unmarshal(openapi.Text, &document); err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, element := range v {
				walk(element)
			}
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				used[ref] = true
			}
			for _, member := range v {
				walk(member)
			}
		}
	}
	walk(document)
	components := map[string]bool{}
	for kind, all := range document["components"].(map[string]any) {
		for name := range all.(map[string]any) {
			if kind != "securitySchemes" {
				components["#/components/"+kind+"/"+name] = true
			}
		}
	}
	for ref := range used {
		if !components[ref] {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	for component := range components {
		if !used[component] {
			t.Errorf("%s is not used", component)
		}
	}
}

// No object of the page has a name twice: of two, readers take one or the other.
func TestOpenAPINamesOnce(t *testing.T) {
	t.Parallel()
	d := json.NewDecoder(bytes.NewReader(openapi.Text))
	var object func(at string)
	var value func(at string)
	object = func(at string) {
		names := map[string]bool{}
		for d.More() {
			token, _ := d.Token()
			name := token.(string)
			if names[name] {
				t.Errorf("%s has %q twice", at, name)
			}
			names[name] = true
			value(at + "/" + name)
		}
	}
	value = func(at string) {
		token, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		switch token {
		case json.Delim('{'):
			object(at)
			d.Token()
		case json.Delim('['):
			for i := 0; d.More(); i++ {
				value(fmt.Sprint(at, "/", i))
			}
			d.Token()
		}
	}
	value("#")
}

func TestOpenAPIPage(t *testing.T) {
	t.Parallel()
	a := newAPI(t)
	page := a.as("").send("GET /openapi.json").wantHeader("Content-Type", "application/json")
	if page.status != http.StatusOK || page.body != string(openapi.Text) {
		t.Errorf("%s = %d and %d bytes; want 200 and the %d of openapi.json", page.request, page.status, len(page.body), len(openapi.Text))
	}
	a.as("").with("If-None-Match", page.header.Get("ETag")).send("GET /openapi.json").want(304, "")
}

// routeOf is the described route that r goes to, "" for none.
func (s *server) routeOf(r *http.Request) string {
	at := r.URL.EscapedPath()
	if !strings.HasPrefix(at, "/") || path.Clean(at) != at { // ServeMux would clean it first
		return ""
	}
	_, pattern := s.mux.Handler(r)
	route := strings.TrimSuffix(pattern, "{$}")
	if d, err := description(); err != nil || d.operation(route) == nil {
		return ""
	}
	return route
}

// wantDescribed checks that openapi.json has the status of an answer by a route.
func (a *answer) wantDescribed(route string) {
	a.t.Helper()
	op := mustDescribe(a.t).operation(route)
	if op == nil {
		return
	}
	if _, ok := op.Responses[fmt.Sprint(a.status)]; !ok {
		a.t.Errorf("%v: openapi.json doesn't describe that status of %s", a, route)
	}
}

// The tests of events go over pipes, where nothing keeps a record of them, so
// here is the head of a stream.
func TestOpenAPIStream(t *testing.T) {
	t.Parallel()
	newAPI(t).as("ann").send("HEAD /api/v1/events").want(200, "").wantHeader("Content-Type", "text/event-stream").wantHeader("Cache-Control", "no-store")
}

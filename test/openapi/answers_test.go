// Package openapi holds what the server's tests were answered against
// openapi.json. It is a module of its own, so that the server needs none of what
// this takes.
package openapi

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// An answer is one record of the server's tests, see keep in api_test.go.
type answer struct {
	Method, Path string
	Route        string // as in "GET /api/v1/items/{id}"; empty for none
	Status       int
	Header       http.Header
	Body         string
}

// told are the headers that an answer may only have where they are described.
var told = []string{"Location", "Etag", "Link", "X-Total-Count", "Retry-After", "Www-Authenticate"}

// A page is openapi.json. Its schemas are JSON Schema of 2020-12, as OpenAPI 3.1
// has it, so they are compiled as they stand, by their place in the page.
type page struct {
	root     any
	compiler *jsonschema.Compiler
	schemas  map[string]*jsonschema.Schema
}

func newPage(text []byte) (*page, error) {
	root, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	p := &page{root, jsonschema.NewCompiler(), map[string]*jsonschema.Schema{}}
	p.compiler.AssertFormat()
	return p, p.compiler.AddResource("page.json", root)
}

// find follows names from a place in the page, and references on the way. It
// returns nil for what isn't there.
func (p *page) find(place string, names ...string) (any, string) {
	v := p.root
	steps := strings.Split(place, "/")[1:]
	for _, name := range names {
		steps = append(steps, strings.NewReplacer("~", "~0", "/", "~1").Replace(name))
	}
	place = "#"
	for _, step := range steps {
		m, _ := v.(map[string]any)
		v = m[strings.NewReplacer("~1", "/", "~0", "~").Replace(step)]
		place += "/" + step
		if m, ok := v.(map[string]any); ok {
			if ref, ok := m["$ref"].(string); ok {
				v, place = p.find(ref)
			}
		}
	}
	return v, place
}

// names are the members of an object in the page.
func (p *page) names(place string, names ...string) []string {
	v, _ := p.find(place, names...)
	m, _ := v.(map[string]any)
	return slices.Sorted(maps.Keys(m))
}

// validate holds a value against the schema at a place.
func (p *page) validate(value any, place string) error {
	schema := p.schemas[place]
	if schema == nil {
		var err error
		if schema, err = p.compiler.Compile("page.json" + place); err != nil {
			return err
		}
		p.schemas[place] = schema
	}
	return schema.Validate(value)
}

// check says how an answer differs from what the page says of it. One to HEAD is
// as one to GET: net/http drops its body, and stands behind the recorder.
func (p *page) check(a answer) error {
	if a.Route == "" {
		return p.checkElsewhere(a)
	}
	method, path, _ := strings.Cut(a.Route, " ")
	_, operation := p.find("#/paths", path, strings.ToLower(method))
	response, place := p.find(operation, "responses", strconv.Itoa(a.Status))
	if response == nil {
		return fmt.Errorf("the status is not described")
	}
	if err := p.checkHeaders(a, place); err != nil {
		return err
	}
	types := p.names(place, "content")
	if len(types) == 0 {
		if a.Body != "" {
			return fmt.Errorf("there is a body; want none")
		}
		return nil
	}
	got, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil || !slices.Contains(types, got) {
		return fmt.Errorf("the Content-Type is %q; want one of %q", a.Header.Get("Content-Type"), types)
	}
	_, schema := p.find(place, "content", got, "schema")
	return p.checkBody(a, got, schema)
}

// checkElsewhere is check for what is no route's answer: an unknown path, another
// method, a fault of the server's own.
func (p *page) checkElsewhere(a answer) error {
	switch {
	case a.Status == http.StatusNoContent && a.Body == "" && a.Method == http.MethodOptions:
		return nil
	case a.Status < 300:
		return fmt.Errorf("no route has answered")
	case a.Path == "/login":
		return p.checkBody(a, "text/plain", "#/components/responses/LoginRefused/content/text~1plain/schema")
	case a.Path == "/api/v1", strings.HasPrefix(a.Path, "/api/v1/"):
		return p.checkBody(a, "application/json", "#/components/schemas/Error")
	}
	return p.checkBody(a, "application/json", "#/components/schemas/Message")
}

func (p *page) checkHeaders(a answer, place string) error {
	var described []string
	for _, name := range p.names(place, "headers") {
		described = append(described, http.CanonicalHeaderKey(name))
		header, at := p.find(place, "headers", name)
		values := a.Header.Values(name)
		if len(values) == 0 {
			if required, _ := header.(map[string]any)["required"].(bool); required {
				return fmt.Errorf("there is no %s", name)
			}
			continue
		}
		var value any = strings.Join(values, ", ")
		schema, at := p.find(at, "schema")
		if schema.(map[string]any)["type"] == "integer" {
			value = json.Number(values[0])
		}
		if err := p.validate(value, at); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range told {
		if a.Header.Get(name) != "" && !slices.Contains(described, name) {
			return fmt.Errorf("%s is not described", name)
		}
	}
	return nil
}

func (p *page) checkBody(a answer, mediaType, schema string) error {
	if mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return p.validate(a.Body, schema)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(a.Body))
	if err != nil {
		return err
	}
	if m, ok := body.(map[string]any); ok {
		if status, ok := m["status"]; ok && status != json.Number(strconv.Itoa(a.Status)) {
			return fmt.Errorf("the body says status %v", status)
		}
	}
	return p.validate(body, schema)
}

func readPage(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../openapi/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Every answer that the server's tests have got is as the page says, and each
// operation has succeeded in at least one of them.
func TestAnswers(t *testing.T) {
	p, err := newPage(readPage(t))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(os.Getenv("SHELF_RECORD"))
	if err != nil {
		t.Fatalf("%v; let SHELF_RECORD name a file, run the server's tests with it, and then this", err)
	}
	defer f.Close()
	succeeded, failed := map[string]bool{}, map[string]bool{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	for n := 1; lines.Scan(); n++ {
		var a answer
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatalf("line %d: %v", n, err)
		}
		if a.Status < 300 {
			succeeded[a.Route] = true
		}
		what := fmt.Sprintf("%s %s = %d", a.Method, a.Route, a.Status)
		if err := p.check(a); err != nil && !failed[what] { // once will do
			failed[what] = true
			t.Errorf("line %d: %s (%s) %.300q: %v", n, what, a.Path, a.Body, err)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for _, path := range p.names("#/paths") {
		for _, method := range p.names("#/paths", path) {
			route := strings.ToUpper(method) + " " + path
			if method != "parameters" && !succeeded[route] {
				t.Errorf("%s has not succeeded in any test", route)
			}
		}
	}
}

// faults are answers that the page must not pass, and pages that must not pass
// an answer which is right. The answer is good, but for the edit.
var faults = []struct {
	name     string
	edit     func(*answer)
	old, new string // in the page
}{
	{name: "a status that is not described", edit: func(a *answer) { a.Status = 418 }},
	{name: "another status in the body", edit: func(a *answer) { a.Body = strings.Replace(a.Body, "200", "201", 1) }},
	{name: "a member is missing", edit: func(a *answer) { a.Body = strings.Replace(a.Body, `"category":"toys",`, "", 1) }},
	{name: "a member too many", edit: func(a *answer) { a.Body = strings.Replace(a.Body, `"category"`, `"colour":"red","category"`, 1) }},
	{name: "a member of another type", edit: func(a *answer) { a.Body = strings.Replace(a.Body, `"id":1`, `"id":"1"`, 1) }},
	{name: "a moment written otherwise", edit: func(a *answer) { a.Body = strings.Replace(a.Body, "Sun, 22 Nov 2026", "2026-11-22", 1) }},
	{name: "no body", edit: func(a *answer) { a.Body = "" }},
	{name: "another media type", edit: func(a *answer) { a.Header.Set("Content-Type", "text/html") }},
	{name: "a header is missing", edit: func(a *answer) { a.Header.Del("ETag") }},
	{name: "a malformed header", edit: func(a *answer) { a.Header.Set("ETag", "W/7") }},
	{name: "a header that is not described", edit: func(a *answer) { a.Header.Set("Retry-After", "1") }},
	{name: "no route", edit: func(a *answer) { a.Route = "" }},
	{name: "a page with another type", old: `"itemname": { "type": "string"`, new: `"itemname": { "type": "integer"`},
	{name: "a page without the status", old: `"200": {`, new: `"299": {`},
	{name: "a page without the member", old: `"createdon":`, new: `"created":`},
	{name: "a page without the route", old: `"/api/v1/items/{id}": {`, new: `"/api/v1/item/{id}": {`},
}

func TestFaults(t *testing.T) {
	text := readPage(t)
	good := func() answer {
		return answer{
			Method: "GET", Path: "/api/v1/items/1", Route: "GET /api/v1/items/{id}", Status: 200,
			Header: http.Header{
				"Content-Type":  {"application/json"},
				"Cache-Control": {"private, no-cache"},
				"Etag":          {`"2c26b46b68ffc68ff99b453c"`},
			},
			Body: `{"status":200,"data":[{"id":1,"itemname":"ball","category":"toys","description":"It is round",` +
				`"createdon":"Sun, 22 Nov 2026 14:05 PM","created_at":"2026-11-22T14:05:00Z","createdby":null}]}` + "\n",
		}
	}
	check := func(text []byte, a answer) error {
		t.Helper()
		p, err := newPage(text)
		if err != nil {
			t.Fatal(err)
		}
		return p.check(a)
	}
	if err := check(text, good()); err != nil {
		t.Fatalf("the answer without a fault: %v", err)
	}
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			a, edited := good(), text
			if tt.edit != nil {
				tt.edit(&a)
			} else if edited = bytes.ReplaceAll(text, []byte(tt.old), []byte(tt.new)); bytes.Equal(edited, text) {
				t.Fatalf("the page has no %s to edit", tt.old)
			}
			if check(edited, a) == nil {
				t.Error("it passes; want an error")
			}
		})
	}
}

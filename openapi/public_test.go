package openapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/openapi"
)

// eachDocument calls f with openapi.json as a server without collections has it, and as
// one with them.
func eachDocument(t *testing.T, f func(t *testing.T, document map[string]any)) {
	t.Helper()
	more := `{"tags":[{"name":"/x"}],"paths":{"/x":{"get":{"operationId":"list_x","responses":{"200":{"content":{"application/json":{"example":[]}}}}}}},"components":{"schemas":{"x_row":{}}}}`
	rows, err := openapi.WithCollections([]byte(more), true)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"tutorials": openapi.Text, "collections": rows} {
		t.Run(name, func(t *testing.T) {
			var document map[string]any
			if err := json.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			f(t, document)
		})
	}
}

// walk calls f with each object in v, and where it is.
func walk(v any, at string, f func(at string, object map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		f(at, v)
		for name, member := range v {
			if name != "example" && name != "examples" {
				walk(member, at+"/"+name, f)
			}
		}
	case []any:
		for i, element := range v {
			walk(element, fmt.Sprint(at, "/", i), f)
		}
	}
}

// operations are those of a document, by method and path.
func operations(document map[string]any) map[string]map[string]any {
	found := map[string]map[string]any{}
	for path, item := range document["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			if method != "parameters" {
				found[method+" "+path] = operation.(map[string]any)
			}
		}
	}
	return found
}

// Generators make a type of each component, whatever its kind, and some write its name
// in another case: so no two components, and no two operations, have names alike.
func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	eachDocument(t, func(t *testing.T, document map[string]any) {
		plain := func(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }
		has := map[string]string{}
		for kind, components := range document["components"].(map[string]any) {
			for name := range components.(map[string]any) {
				if other := has[plain(name)]; other != "" {
					t.Errorf("%s/%s is called as %s", kind, name, other)
				}
				has[plain(name)] = kind + "/" + name
			}
		}
		has = map[string]string{}
		for route, operation := range operations(document) {
			id := plain(fmt.Sprint(operation["operationId"]))
			if other := has[id]; other != "" {
				t.Errorf("%s is called as %s", route, other)
			}
			has[id] = route
		}
	})
	if names := openapi.Names(); !slices.Contains(names, "listItems") || !slices.Contains(names, "MemberWithToken") || !slices.Contains(names, "readMembers") {
		t.Errorf("the names are %q", names)
	}
}

// A const or an enum without a type is of any type to a generator.
func TestConstantsHaveTypes(t *testing.T) {
	t.Parallel()
	eachDocument(t, func(t *testing.T, document map[string]any) {
		walk(document, "#", func(at string, object map[string]any) {
			_, isConst := object["const"]
			_, isEnum := object["enum"]
			if (isConst || isEnum) && object["type"] == nil && !strings.HasSuffix(at, "/properties") {
				t.Errorf("%s has no type", at)
			}
		})
	})
}

// Swagger UI sends the example of a parameter unless its user deletes it. For a
// condition that means 412, and for a filter an empty list.
func TestOptionalParametersHaveNoExample(t *testing.T) {
	t.Parallel()
	eachDocument(t, func(t *testing.T, document map[string]any) {
		walk(document, "#", func(at string, object map[string]any) {
			in, isParameter := object["in"].(string)
			if !isParameter || object["required"] == true || strings.Contains(at, "/securitySchemes/") {
				return
			}
			schema, _ := object["schema"].(map[string]any)
			if object["example"] != nil || object["examples"] != nil || schema["example"] != nil || schema["examples"] != nil {
				t.Errorf("%s, in %s, is optional and has an example", at, in)
			}
		})
	})
}

// Each operation has an invented answer, so that a reader sees what comes.
// test/openapi holds the examples against their schemas.
func TestAnswersHaveExamples(t *testing.T) {
	t.Parallel()
	eachDocument(t, func(t *testing.T, document map[string]any) {
		components := document["components"].(map[string]any)
		for route, operation := range operations(document) {
			responses := operation["responses"].(map[string]any)
			for _, status := range slices.Sorted(maps.Keys(responses)) {
				response := responses[status].(map[string]any)
				if ref, ok := response["$ref"].(string); ok {
					response = components["responses"].(map[string]any)[strings.TrimPrefix(ref, "#/components/responses/")].(map[string]any)
				}
				types, _ := response["content"].(map[string]any)
				for name, content := range types {
					if strings.HasSuffix(name, "json") && content.(map[string]any)["example"] == nil && status < "300" {
						t.Errorf("%s: the %s of status %s has no example", route, name, status)
					}
				}
			}
		}
	})
}

// The tags are in the order of use: a client signs up first.
func TestTagsInOrder(t *testing.T) {
	t.Parallel()
	eachDocument(t, func(t *testing.T, document map[string]any) {
		var tags []string
		for _, tag := range document["tags"].([]any) {
			tags = append(tags, tag.(map[string]any)["name"].(string))
		}
		got := strings.Join(tags, ", ")
		want := "sign-in, items, events, account, tokens, users, book accounts, books, server, lab"
		if len(tags) > 10 {
			want = "accounts, /x, collections, " + want
		}
		if got != want {
			t.Errorf("the tags are %s; want %s", got, want)
		}
	})
}

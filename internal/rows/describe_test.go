package rows_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/rows"
)

// A part is what Description.OpenAPI returns.
type part struct {
	Tags  []struct{ Name string }
	Paths map[string]map[string]json.RawMessage

	Components struct{ Schemas map[string]json.RawMessage }
}

func (s till) describe(t testing.TB, by rows.Caller, prefix string, accounts bool) (p part) {
	t.Helper()
	var d rows.Description
	s.View(func(tx *db.Tx) { d = s.Describe(tx, by) })
	must(t, json.Unmarshal(d.OpenAPI(prefix, accounts), &p))
	return p
}

// The types of a collection are those of its rows, and no value is among them.
func TestInferredTypes(t *testing.T) {
	t.Parallel()
	many := make([]string, 150)
	for i := range many {
		many[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	free := `{"type":"object","required":["id"],"properties":{"id":{"$ref":"#/components/schemas/RowKey"}},"additionalProperties":true}`
	for _, tt := range []struct {
		name string
		rows []string
		want string // the schema of a row
	}{
		{"no rows", nil, free},
		{"each type", []string{`{"id":1,"a":true,"b":1.5,"c":"x","d":null}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":"boolean"},"b":{"type":"number"},"c":{"type":"string"},"d":{"type":"null"}},"required":["id","a","b","c","d"]}`},
		{"a member that some rows have is not required", []string{`{"id":1,"a":1}`, `{"id":2}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":"integer"}},"required":["id"]}`},
		{"a type and null", []string{`{"id":1,"a":{"b":1}}`, `{"id":2,"a":null}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":["object","null"],"properties":{"b":{"type":"integer"}},"required":["b"]}},"required":["id","a"]}`},
		{"several types of one member", []string{`{"id":1,"a":1}`, `{"id":2,"a":"x"}`, `{"id":3,"a":null}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"anyOf":[{"type":"integer"},{"type":"string"},{"type":"null"}]}},"required":["id","a"]}`},
		{"arrays of all rows together", []string{`{"id":1,"a":[]}`, `{"id":2,"a":[1,[true]]}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":"array","items":{"anyOf":[{"type":"integer"},{"type":"array","items":{"type":"boolean"}}]}}},"required":["id","a"]}`},
		{"an empty array", []string{`{"id":"x","a":[]}`},
			`{"type":"object","properties":{"id":{"type":"string"},"a":{"type":"array","items":{}}},"required":["id","a"]}`},
		{"objects in objects", []string{`{"id":1,"a":{"b":{"c":1}}}`, `{"id":2,"a":{}}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":"object","properties":{"b":{"type":"object","properties":{"c":{"type":"integer"}},"required":["c"]}}}},"required":["id","a"]}`},
		{"an object with many members is a dictionary", []string{`{"id":1,"a":{` + strings.Join(many, ",") + `}}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":{"type":"object","additionalProperties":true}},"required":["id","a"]}`},
		{"what is deep is left open", []string{`{"id":1,"a":{"a":{"a":{"a":{"a":{"a":{"a":{"a":{"deep":1}}}}}}}}}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a":` + strings.Repeat(`{"type":"object","properties":{"a":`, 7) + `{"type":"object","additionalProperties":true}` + strings.Repeat(`},"required":["a"]}`, 7) + `},"required":["id","a"]}`},
		{"names in any writing", []string{`{"id":1,"a\"b":1,"é<":2}`},
			`{"type":"object","properties":{"id":{"type":"integer"},"a\"b":{"type":"integer"},"é\u003c":{"type":"integer"}},"required":["id","a\"b","é\u003c"]}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newTill(rows.Options{}).with(t, "posts", tt.rows...).describe(t, owner, "", false)
			if got := string(p.Components.Schemas["posts_row"]); got != tt.want {
				t.Errorf("the schema is\n%s; want\n%s", got, tt.want)
			}
		})
	}
}

// Each caller is told the types of what it may read, and all are told the addresses.
func TestDescribeByCaller(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{Guards: rows.Guards{ByName: map[string]rows.Guard{"diary": guard(t, "600"), "notes": guard(t, "644")}}})
	s.with(t, "posts", `{"id":1,"title":"t"}`).with(t, "diary", `{"id":1,"userId":"1","secret":1}`, `{"id":2,"userId":"2","other":1}`).with(t, "notes", `{"id":1,"note":"x"}`)
	for _, tt := range []struct {
		name  string
		by    rows.Caller
		knows string // members that schemas name
	}{
		{"anyone", anyone, "note"},
		{"an account", ann, "note secret title"},
		{"another", bob, "note other title"},
		{"an admin", admin, "note other secret title"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := s.describe(t, tt.by, "/data", true)
			if paths := slices.Sorted(maps.Keys(p.Paths)); !slices.Equal(slices.DeleteFunc(paths, func(path string) bool { return strings.HasPrefix(path, "/users/") }),
				[]string{"/data/diary", "/data/diary/{id}", "/data/notes", "/data/notes/{id}", "/data/posts", "/data/posts/{id}"}) {
				t.Errorf("the paths are %q", paths)
			}
			var knows []string
			for _, name := range []string{"note", "other", "secret", "title"} {
				for _, schema := range p.Components.Schemas {
					if strings.Contains(string(schema), `"`+name+`":`) && !slices.Contains(knows, name) {
						knows = append(knows, name)
					}
				}
			}
			if got := strings.Join(knows, " "); got != tt.knows {
				t.Errorf("the schemas name %q; want %q", got, tt.knows)
			}
		})
	}
}

// The names are those of no other operation or component, also when a generator writes
// them in another case.
func TestDescribedNames(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "items", `{"id":1}`).with(t, "Items", `{"id":1}`)
	var d rows.Description
	s.View(func(tx *db.Tx) { d = s.Describe(tx, admin) })
	text := string(d.OpenAPI("", false, "listItems", "ItemsRow"))
	for _, name := range []string{`"operationId":"list_items_2"`, `"operationId":"list_Items_3"`, `"items_row_2":`, `"Items_row_3":`, `"operationId":"get_items"`, `"operationId":"get_Items_2"`} {
		if !strings.Contains(text, name) {
			t.Errorf("there is no %s", name)
		}
	}
}

// Each answer has an example of the types that its rows have, and of no value.
func TestDescribedExamples(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, row, want, sent string }{
		{"each type", `{"id":7,"a":"secret","b":2,"c":2.5,"d":false,"e":null,"f":[9],"g":[],"h":{"i":"secret"}}`,
			`{"id":1,"a":"text","b":1,"c":1.5,"d":true,"e":null,"f":[1],"g":[],"h":{"i":"text"}}`,
			`{"a":"text","b":1,"c":1.5,"d":true,"e":null,"f":[1],"g":[],"h":{"i":"text"}}`},
		{"an id that is a text", `{"id":"secret","a\"b":1}`, `{"id":"text","a\"b":1}`, `{"a\"b":1}`},
		{"no rows", ``, `{"id":1}`, `{}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var texts []string
			if tt.row != "" {
				texts = append(texts, tt.row)
			}
			p := newTill(rows.Options{}).with(t, "posts", texts...).describe(t, admin, "", false)
			for operation, want := range map[string]string{"get": "[" + tt.want + "]", "post": tt.want} {
				var op struct {
					RequestBody struct {
						Content map[string]struct{ Example json.RawMessage }
					}
					Responses map[string]struct {
						Content map[string]struct{ Example json.RawMessage }
					}
				}
				must(t, json.Unmarshal(p.Paths["/posts"][operation], &op))
				status := map[string]string{"get": "200", "post": "201"}[operation]
				if got := string(op.Responses[status].Content["application/json"].Example); got != want {
					t.Errorf("%s answers %s; want %s", operation, got, want)
				}
				if got := string(op.RequestBody.Content["application/json"].Example); operation == "post" && got != tt.sent {
					t.Errorf("%s is sent %s; want %s", operation, got, tt.sent)
				}
			}
		})
	}
}

// What can be done with a collection depends on its guard and on what it is.
func TestDescribedOperations(t *testing.T) {
	t.Parallel()
	f, err := rows.ParseFile([]byte(`{"posts":[{"id":1}],"comments":[{"id":1,"postId":1,"userId":3}],"profile":{"name":"x"},"a b{}":[],"a_b__":[]}`), rows.FileOptions{})
	must(t, err)
	s := newTill(rows.Options{Guards: rows.Guards{ByName: map[string]rows.Guard{"posts": guard(t, "444"), "comments": guard(t, "664")}}})
	must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }))
	p := s.describe(t, anyone, "", true)
	methods := map[string]string{}
	ids := map[string]bool{}
	for path, operations := range p.Paths {
		methods[path] = strings.Join(slices.Sorted(maps.Keys(operations)), " ")
		for method, text := range operations {
			var op struct{ OperationID string }
			if method == "parameters" {
				continue
			}
			must(t, json.Unmarshal(text, &op))
			if ids[op.OperationID] {
				t.Errorf("two operations are called %s", op.OperationID)
			}
			ids[op.OperationID] = true
		}
	}
	list, one := "get post", "delete get parameters patch put"
	want := map[string]string{
		"/posts": "get", "/posts/{id}": "get parameters", "/comments": list, "/comments/{id}": one, "/profile": "get patch post put",
		"/a%20b%7B%7D": list, "/a%20b%7B%7D/{id}": one, "/a_b__": list, "/a_b__/{id}": one,
		"/posts/{id}/comments": "get parameters post", "/users/{id}/comments": "get parameters post",
	}
	if !maps.Equal(methods, want) {
		t.Errorf("the operations are\n%q; want\n%q", methods, want)
	}
	for path, open := range map[string]bool{"/posts": true, "/comments": true, "/profile": false} {
		if got := strings.Contains(string(p.Paths[path]["get"]), `"security":[]`); got != open {
			t.Errorf("GET %s is open: %v; want %v", path, got, open)
		}
	}
}

// The types follow the rows, and are the same as long as no row changes.
func TestDescriptionFollowsRows(t *testing.T) {
	t.Parallel()
	s := newTill(rows.Options{}).with(t, "posts", `{"id":1,"a":1}`)
	schema := func() string { return string(s.describe(t, admin, "", false).Components.Schemas["posts_row"]) }
	before := schema()
	if again := schema(); again != before {
		t.Errorf("the schema is %s, then %s", before, again)
	}
	s.with(t, "posts", `{"id":2,"a":"x"}`)
	if after := schema(); !strings.Contains(after, `"a":{"anyOf":[{"type":"integer"},{"type":"string"}]}`) {
		t.Errorf("the schema is still %s", after)
	}
}

// Of many rows some are looked at, from the first to the last.
func TestDescribeManyRows(t *testing.T) {
	t.Parallel()
	texts := []string{`{"id":1,"first":1}`}
	for i := 2; i < 2001; i++ {
		texts = append(texts, `{"id":`+fmt.Sprint(i)+`,"a":"`+strings.Repeat("x", i%7)+`"}`)
	}
	s := newTill(rows.Options{})
	f, err := rows.ParseFile([]byte(`{"posts":[`+strings.Join(texts, ",")+`]}`), rows.FileOptions{})
	must(t, err)
	must(t, s.Update(func(tx *db.Tx) error { return s.AddFile(tx, f) }))
	got := string(s.describe(t, admin, "", false).Components.Schemas["posts_row"])
	if want := `{"type":"object","properties":{"id":{"type":"integer"},"first":{"type":"integer"},"a":{"type":"string"}},"required":["id"]}`; got != want {
		t.Errorf("the schema is %s; want %s", got, want)
	}
}

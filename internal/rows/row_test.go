package rows_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"example.com/shelf/internal/rows"
)

// row returns a row with that JSON, which need not be compact.
func row(t testing.TB, text string) *rows.Row {
	t.Helper()
	o, err := rows.ParseObject([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	id, _ := o.Get("id")
	return &rows.Row{Text: o.Text(), ID: rows.KeyText(id)}
}

func TestParseObjectKeepsWhatWasSent(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"blanks go", " { \"a\" : [ 1 , { } , [ ] ] ,\r\n\t\"b\" : \"x y\" } ", `{"a":[1,{},[]],"b":"x y"}`},
		{"the empty object", "{}", "{}"},
		{"the order of members stays", `{"b":1,"a":2,"10":3,"9":4}`, `{"b":1,"a":2,"10":3,"9":4}`},
		{"numbers stay exact", `{"n":[9007199254740993,1.10,1E400,-0,1e-8]}`, `{"n":[9007199254740993,1.10,1E400,-0,1e-8]}`},
		{"an escape that JSON does not need goes", `{"\u0061\/":"\u003c\u00e9\u2028\uD83D\uDE00"}`, "{\"a/\":\"<é\u2028😀\"}"},
		{"an escape that JSON needs is as JavaScript writes it", `{"t":"\u0000\u0008\u000A\u001F\u0022\u005c\\\"\b\f\n\r\t"}`, `{"t":"\u0000\b\n\u001f\"\\\\\"\b\f\n\r\t"}`},
		{"U+007F is no control character of JSON", "{\"t\":\"\x7f\"}", "{\"t\":\"\x7f\"}"},
		{"one name in two objects", `{"a":{"a":1},"b":{"a":1}}`, `{"a":{"a":1},"b":{"a":1}}`},
		{"32 levels", strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32), strings.Repeat(`{"a":`, 32) + "1" + strings.Repeat("}", 32)},
	} {
		o, err := rows.ParseObject([]byte(c.text))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := o.Text(); got != c.want {
			t.Errorf("%s: got %s; want %s", c.name, got, c.want)
		}
		if again := rows.Members(o.Text()); again.Text() != c.want {
			t.Errorf("%s: taken apart again it is %s", c.name, again.Text())
		}
	}
}

func TestParseObjectRejects(t *testing.T) {
	t.Parallel()
	many := func(last string) string { // 40 members and one more
		var b strings.Builder
		b.WriteString(`{"o":{`)
		for i := range 40 {
			b.WriteString(`"m` + strings.Repeat("x", i) + `":1,`)
		}
		return b.String() + `"` + last + `":2}}`
	}
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "malformed JSON: line 1, column 1: the text ends here"},
		{"an array", "[]", "must be a JSON object: write {\"name\": value}, not an array"},
		{"a text", `"{}"`, "not a text"},
		{"a number", "5", "not a number"},
		{"null", "null", "not null"},
		{"malformed JSON", "{\n\"a\":1,\n}", "malformed JSON: line 2, column 6: a comma with nothing behind it: remove it"},
		{"something behind it", "{}{}", "malformed JSON: line 1, column 3"},
		{"a member twice", `{"a":1,"b":2,"a":3}`, "'a' must be given only once: remove one of them"},
		{"a member twice, spelt in two ways", `{"a":1,"\u0061":3}`, "'a' must be given only once"},
		{"a nested member twice", `{"x":[{"a":1,"a":1}]}`, "'a' must be given only once"},
		{"a member twice among many", many("mxxx"), "'mxxx' must be given only once"},
		{"a late member twice among many", many("m" + strings.Repeat("x", 39)), "must be given only once"},
		{"a long name twice", `{"` + strings.Repeat("é", 999) + `":1,"` + strings.Repeat("é", 999) + `":1}`, "must be given only once"},
		{"bytes that are not UTF-8", "{\"a\":\"\xff\"}", "must be valid UTF-8"},
		{"the first half of a surrogate pair", `{"a":"\ud800"}`, "half of a surrogate pair"},
		{"the second half", `{"a":"\udc00x"}`, "half of a surrogate pair"},
		{"two first halves", `{"a":"\ud800\ud800"}`, "half of a surrogate pair"},
		{"half a pair in a name", `{"\ud800":1}`, "half of a surrogate pair"},
		{"33 levels", strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33), "must not nest deeper than 32 levels"},
		{"33 levels of arrays", `{"a":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + "}", "must not nest deeper than 32 levels"},
		{"more than 1 MiB", `{"a":"` + strings.Repeat("x", 1<<20) + `"}`, "larger than 1 MiB"},
	} {
		_, err := rows.ParseObject([]byte(c.text))
		var readable *rows.Error
		if !errors.As(err, &readable) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v; want an *Error with %q", c.name, err, c.want)
		} else if tooLarge := c.name == "more than 1 MiB"; tooLarge != (readable.Kind == rows.TooLarge) {
			t.Errorf("%s: the kind is %d", c.name, readable.Kind)
		}
	}
	if o, err := rows.ParseObject([]byte(many("other"))); err != nil || o.Len() != 1 {
		t.Errorf("many members: %v", err)
	}
}

func TestObjectChanges(t *testing.T) {
	t.Parallel()
	o, err := rows.ParseObject([]byte(`{"id":1,"a\"b":{"x":1,"y":2},"c":null}`))
	if err != nil {
		t.Fatal(err)
	}
	patch, err := rows.ParseObject([]byte(`{"c":[1],"a\"b":{"z":3},"new":null}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, want string
		change     func()
	}{
		{"Set gives a member another value in its place", `{"id":"x","a\"b":{"x":1,"y":2},"c":null}`, func() { o.Set("id", `"x"`) }},
		{"Merge replaces what is nested, keeps null, appends what is new", `{"id":"x","a\"b":{"z":3},"c":[1],"new":null}`, func() { o.Merge(patch) }},
		{"Delete removes a member", `{"id":"x","c":[1],"new":null}`, func() { o.Delete(`a"b`) }},
		{"Delete of an absent member changes nothing", `{"id":"x","c":[1],"new":null}`, func() { o.Delete("absent") }},
		{"Set appends a new member", `{"id":"x","c":[1],"new":null,"<\n":"<\n"}`, func() { o.Set("<\n", rows.Quote("<\n")) }},
	} {
		if c.change(); o.Text() != c.want {
			t.Errorf("%s: got %s; want %s", c.name, o.Text(), c.want)
		}
	}
	if raw, ok := o.Get("new"); raw != "null" || !ok {
		t.Errorf("Get of null: %q, %t", raw, ok)
	}
	if raw, ok := o.Get("absent"); raw != "" || ok {
		t.Errorf("Get of an absent member: %q, %t", raw, ok)
	}
	if got := o.Names(); !reflect.DeepEqual(got, []string{"id", "c", "new", "<\n"}) {
		t.Errorf("Names: %q", got)
	}
	o.Set("big", rows.Quote(strings.Repeat("x", 1<<20)))
	if o.Fits() == nil {
		t.Error("an object fits that has grown beyond 1 MiB")
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	r := row(t, `{"id":5,"a":{"b":"deep","c":{"d":[10,[20,30],{"e":null}]}},"a.b":"literal","":1,"tags":["x\\","y\"],","z"],
		"a.c":7,"q\"\\":{"\n":true},"last":"\\\""}`)
	for _, c := range []struct{ path, want string }{
		{"id", "5"},
		{"a.b", `"literal"`}, // a member's whole name comes first
		{"a.c", "7"},
		{"a.c.d", `[10,[20,30],{"e":null}]`},
		{"a.c.d.0", "10"},
		{"a.c.d.1", "[20,30]"},
		{"a.c.d.1.1", "30"},
		{"a.c.d.2.e", "null"},
		{"a.c.d.3", ""},
		{"a.c.d.00", ""},
		{"a.c.d.-1", ""},
		{"a.c.d.", ""},
		{"a.c.d.length", ""},
		{"a.c.d.99999999999999999999", ""},
		{"tags.0", `"x\\"`},
		{"tags.1", `"y\"],"`},
		{"tags.2", `"z"`},
		{"tags.2.0", ""},
		{`q"\` + ".\n", "true"},
		{"last", `"\\\""`},
		{"", "1"},
		{"a.", ""},
		{".a", ""},
		{"ID", ""},
		{"b", ""},
		{"id.x", ""},
	} {
		if raw, ok := r.Field(c.path); raw != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %s, %t; want %s", c.path, raw, ok, c.want)
		}
	}
}

func TestOwnerAndTag(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{`{"userId":5}`, "5"},
		{`{"userId":5.0}`, "5"},
		{`{"userId":"5"}`, "5"},
		{`{"userId":"b-\"c"}`, `b-"c`},
		{`{"userId":null}`, ""},
		{`{"userId":{"id":5}}`, ""},
		{`{"userId":[5]}`, ""},
		{`{"user":{"userId":5}}`, ""},
		{`{}`, ""},
	} {
		if got := row(t, c.text).Owner(); got != c.want {
			t.Errorf("%s: the owner is %q; want %q", c.text, got, c.want)
		}
	}
	if a, b := row(t, `{"a":1}`), row(t, `{ "a":1 }`); a.Tag() != b.Tag() {
		t.Error("one row has two tags")
	}
	if a, b := row(t, `{"a":1}`), row(t, `{"a":1.0}`); a.Tag() == b.Tag() {
		t.Error("two rows have one tag")
	}
}

func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{`{}`, `{"a":[1,{"b":null}],"a":2}`, `{"\ud83d\ude00":"\ud800"}`, ` {"a" : "\u0000\/" } `, `{"a":1E400}`, `[]`, "{\"\xff\":1}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		o, err := rows.ParseObject(text)
		var want map[string]any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if !json.Valid(text) || d.Decode(&want) != nil || want == nil {
			if err == nil {
				t.Fatalf("%q is accepted", text)
			}
			return
		}
		if err != nil {
			var readable *rows.Error
			if !errors.As(err, &readable) || strings.Contains(err.Error(), "malformed") || strings.Contains(err.Error(), "must be a JSON object") {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		// What is written says what was read, and is written again as it is.
		var got map[string]any
		d = json.NewDecoder(strings.NewReader(o.Text()))
		d.UseNumber()
		if err := d.Decode(&got); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q was written as %s (%v)", text, o.Text(), err)
		}
		again, err := rows.ParseObject([]byte(o.Text()))
		if err != nil || again.Text() != o.Text() {
			t.Fatalf("%s was written again as %s (%v)", o.Text(), again.Text(), err)
		}
		r := rows.Row{Text: o.Text()}
		for _, name := range o.Names() {
			raw, ok := r.Field(name)
			if given, _ := o.Get(name); !ok || raw != given {
				t.Fatalf("%s: %q is %s as a field, %s as a member", o.Text(), name, raw, given)
			}
		}
	})
}

package form

import (
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/shelf/internal/reply"
)

// told is an error as a client reads it: the sentence, and the details as field=rule/limit.
func told(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	e, ok := errors.AsType[*reply.Error](err)
	if !ok {
		t.Fatalf("the error %v is none for a client", err)
	}
	says := e.Message
	for _, d := range e.Details {
		says += fmt.Sprintf(" %s=%s", d.Field, d.Rule)
		if d.Limit != 0 {
			says += fmt.Sprintf("/%d", d.Limit)
		}
	}
	return says
}

// A text that breaks a rule is refused in its own words, and named with the rule.
func TestCheck(t *testing.T) {
	t.Parallel()
	const words = "Invalid name"
	for _, tt := range []struct {
		name string
		text Text
		want string
		row  string // what the owner of an import reads
	}{
		{"a good one", Text{Value: "a", Max: 1}, "", ""},
		{"missing", Text{Max: 1}, words + " name=required", "name is missing or blank"},
		{"blank", Text{Value: " \t", Max: 1}, words + " name=required", "name is missing or blank"},
		{"too long", Text{Value: "ab", Max: 1}, words + " name=max_length/1", "name has 2 characters, 1 are the most"},
		{"limits count code points", Text{Value: "ß", Max: 1}, "", ""},
		{"an optional one is missing", Text{Max: 1, Optional: true}, "", ""},
		{"an optional one is blank", Text{Value: " ", Max: 1, Optional: true}, words + " name=required", "name is missing or blank"},
		{"blanks count in a password", Text{Value: " ", Max: math.MaxInt, AsIs: true}, "", ""},
		{"no password", Text{Max: math.MaxInt, AsIs: true}, words + " name=required", "name is missing or blank"},
		{"a character that can't be seen", Text{Value: "a\u200b", Max: 9, Visible: true}, words + " name=pattern", ""},
		{"a pattern that the caller knows", Text{Value: "a", Max: 9, Bad: true}, words + " name=pattern", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.text.Field, tt.text.Words = "name", words
			if got := told(t, Check(tt.text)); got != tt.want {
				t.Errorf("Check = %q; want %q", got, tt.want)
			}
			if got := fmt.Sprint(CheckRow(tt.text)); strings.ReplaceAll(got, "<nil>", "") != tt.row {
				t.Errorf("CheckRow = %q; want %q", got, tt.row)
			}
		})
	}
	bad := Check(Text{Field: "a", Words: "Invalid a"}, Text{Field: "b", Value: "x", Max: 9}, Text{Field: "c", Words: "Invalid c"})
	if got, want := told(t, bad), "Invalid a a=required c=required"; got != want {
		t.Errorf("of several: %q; want %q", got, want)
	}
	if got, want := told(t, In("items", 3, bad)), "items[3]: Invalid a items[3].a=required items[3].c=required"; got != want {
		t.Errorf("in a list: %q; want %q", got, want)
	}
}

// A fault of the body names the field and the rule, whatever the encoding.
func TestReadDetails(t *testing.T) {
	t.Parallel()
	const invalid = "Invalid request body: "
	for _, tt := range []struct{ name, contentType, body, want string }{
		{"a number for a text", jsonType, `{"text":5}`, invalid + "'text' must be a string text=type"},
		{"a text for a boolean", jsonType, `{"flag":"maybe"}`, invalid + "'flag' must be a boolean flag=type"},
		{"a name in another case", jsonType, `{"Text":"a"}`, invalid + "'Text' must be written 'text' Text=unknown"},
		{"a name twice", jsonType, `{"text":"a","text":"b"}`, invalid + "'text' must be given only once text=duplicate"},
		{"a name twice in a form", formType, `text=a&text=b`, invalid + "'text' must be given only once text=duplicate"},
		{"half of a surrogate pair", jsonType, `{"text":"\ud800"}`, invalid + "'text' must not hold half of a surrogate pair text=encoding"},
		{"a broken escape of a form", formType, `text=%zz`, invalid + `'text' has an invalid URL escape "%zz" text=encoding`},
		{"too deep", jsonType, `{"text":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, invalid + "'text' must not nest deeper than 32 text=depth"},
		{"no field is at fault", jsonType, `[]`, invalid + "must be a JSON object"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
			r.Header.Set("Content-Type", tt.contentType)
			if got := told(t, Read(httptest.NewRecorder(), r, new(testInput))); got != tt.want {
				t.Errorf("%q; want %q", got, tt.want)
			}
		})
	}
}

// What is sent where one field alone is wanted is named: the field that is missing, and
// those that are too many.
func TestReadOnlyDetails(t *testing.T) {
	t.Parallel()
	const only = "Invalid input data. Only a field should be provided"
	for body, want := range map[string]string{
		`{"a":"x"}`:               "",
		`{}`:                      only + " a=required",
		`{"a":null}`:              only + " a=required",
		`{"a":"x","c":1,"b":"y"}`: only + " c=unknown",
		`{"c":"z","b":"y"}`:       only + " a=required b=unknown c=unknown",
		`{"a":1}`:                 only + " a=type",
		`{`:                       only,
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(body))
		r.Header.Set("Content-Type", jsonType)
		_, err := ReadOnly(httptest.NewRecorder(), r, "a")
		if got := told(t, err); got != want {
			t.Errorf("%s: %q; want %q", body, got, want)
		}
	}
}

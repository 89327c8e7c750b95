package reply

import (
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
)

// The tag is the first 96 bits of the row's SHA-256.
func TestRender(t *testing.T) {
	t.Parallel()
	r := Render([]byte(`{"id":1}`))
	if want := `"` + "037c9214eef74cc3887f3a4f" + `"`; r.Row() != `{"id":1}` || r.Tag() != want {
		t.Errorf("Render = %s, %s; want %s", r.Row(), r.Tag(), want)
	}
}

func TestReadConditions(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name         string
		match, none  []string
		stale, known bool // of the tag "a"
		status       int  // 0 for no error
	}{
		{"no conditions", nil, nil, false, false, 0},
		{"the tag", []string{`"a"`}, nil, false, false, 0},
		{"another", []string{`"b"`}, nil, true, false, 0},
		{"one of several", []string{`"b", , "a"`}, nil, false, false, 0},
		{"on several lines", []string{`"b"`, `"a"`}, nil, false, false, 0},
		{"anything", []string{"*"}, nil, false, false, 0},
		{"a weak tag is no strong one", []string{`W/"a"`}, nil, true, false, 0},
		{"Apache's is no strong one", []string{`"a-gzip"`}, nil, true, false, 0},
		{"but known", nil, []string{`"a-gzip"`}, false, true, 0},
		{"it is known", nil, []string{`"a"`}, false, true, 0},
		{"a weak tag is known", nil, []string{`W/"a"`}, false, true, 0},
		{"another is known", nil, []string{`"b"`}, false, false, 0},
		{"no quotes", []string{"a"}, nil, false, false, 400},
		{"no end", nil, []string{`"a`}, false, false, 400},
		{"a blank in a tag", []string{`"a b"`}, nil, false, false, 400},
		{"nothing", []string{""}, nil, false, false, 400},
		{"a star among tags", []string{`*, "a"`}, nil, false, false, 400},
	} {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header = http.Header{}
		if tt.match != nil {
			r.Header["If-Match"] = tt.match
		}
		if tt.none != nil {
			r.Header["If-None-Match"] = tt.none
		}
		c, err := ReadConditions(r)
		status := 0
		if e, ok := err.(*Error); ok {
			status = e.Status
		}
		if status != tt.status || status == 0 && !reflect.DeepEqual([]bool{c.stale(`"a"`), c.known(`"a"`)}, []bool{tt.stale, tt.known}) {
			t.Errorf("%s: %+v, %v; want stale %v, known %v, %d", tt.name, c, err, tt.stale, tt.known, tt.status)
		}
	}
}

// What a 412 says of If-Match is true: a weak tag tells nothing of a change.
func TestStaleSays(t *testing.T) {
	t.Parallel()
	for match, want := range map[string]error{
		`"b"`: ErrStale, `W/"b"`: ErrStale, `W/"a"`: errWeak, `"a-gzip"`: errWeak, `W/"b", W/"a"`: errWeak, `"a"`: nil, `W/"b", "a"`: nil, "*": nil,
	} {
		r := httptest.NewRequest("PUT", "/", nil)
		r.Header.Set("If-Match", match)
		c, err := ReadConditions(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Check(`"a"`); got != want {
			t.Errorf("If-Match: %s: %v; want %v", match, got, want)
		}
		if _, got := NotModified(httptest.NewRecorder(), r, `"a"`); got != want {
			t.Errorf("GET with If-Match: %s: %v; want %v", match, got, want)
		}
	}
}

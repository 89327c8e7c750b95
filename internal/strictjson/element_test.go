package strictjson

import (
	"errors"
	"strings"
	"testing"
)

func TestElementLine(t *testing.T) {
	t.Parallel()
	const document = `{
  "books": [{"title": "a,[]"}],
  "items": [
    {"a": [
      1]},

    {"b": 2}, {"c": 3}
  ]
}`
	for _, tt := range []struct {
		list  string
		index int
		want  int
	}{
		{"books", 0, 2}, {"books", 1, 0}, {"items", 0, 4}, {"items", 1, 7}, {"items", 2, 7}, {"items", 3, 0}, {"none", 0, 0},
	} {
		e := &ElementError{tt.list, tt.index, errors.New("x")}
		if got := e.Line([]byte(document)); got != tt.want {
			t.Errorf("%v is on line %d; want %d", e, got, tt.want)
		}
	}
	for _, broken := range []string{"", "[", `{"items"`, `{"items":[1`, `{"items":1}`, `{"a":`, "null"} {
		for index := range 3 {
			if got := (&ElementError{"items", index, nil}).Line([]byte(broken)); got > 1 {
				t.Errorf("in %s it is on line %d", broken, got)
			}
		}
	}
}

// Whatever the document is, the line is one of its lines, or there is none.
func FuzzElementLine(f *testing.F) {
	f.Add(`{"a":[1,{"b":[2]}],"items":[{},{}]}`, 1)
	f.Add("{\"items\":[\n1,\n,2", 2)
	f.Fuzz(func(t *testing.T, document string, index int) {
		e := &ElementError{"items", index, nil}
		if line := e.Line([]byte(document)); line < 0 || line > strings.Count(document, "\n")+1 {
			t.Errorf("line %d of %q", line, document)
		}
	})
}

package strictjson_test

import (
	"strings"
	"testing"
	"unicode/utf16"

	"example.com/shelf/internal/strictjson"
)

// A syntax error is reported with line, column and a guess at the mistake.
func TestFindSlip(t *testing.T) {
	t.Parallel()
	wide := func(text string) string {
		b := []byte{0xff, 0xfe}
		for _, unit := range utf16.Encode([]rune(text)) {
			b = append(b, byte(unit), byte(unit>>8))
		}
		return string(b)
	}
	for _, tt := range []struct{ name, text, want, show string }{
		{"JSON", `{"a":[1,2]}`, "", ""},
		{"a trailing comma in a list", "{\n \"items\": [1, 2, ]}", "line 2, column 16: a comma with nothing behind it: remove it", "     \"items\": [1, 2, ]}\n                   ^\n"},
		{"a trailing comma in an object, then a line end", "{\"a\":1,\r\n}\r\n", "line 1, column 7: a comma with nothing behind it", "    {\"a\":1,\n          ^\n"},
		{"two commas", `[1,,2]`, "line 1, column 4: a comma with nothing before it", ""},
		{"a comment", "{\n// mine\n\"a\":1}", "line 2, column 1: a comment", "    // mine\n    ^\n"},
		{"a block comment", `[/* a */]`, "line 1, column 2: a comment", ""},
		{"a shell's comment", "# a\n{}", "line 1, column 1: a comment", ""},
		{"single quotes", `{'a':1}`, "line 1, column 2: a single quote", ""},
		{"single quotes around a text", `{"a":'b'}`, "line 1, column 6: a single quote", ""},
		{"typographic quotes", `{“a”:1}`, "line 1, column 2: a typographic quote", ""},
		{"a name without quotes", `{ items: []}`, `line 1, column 3: a name without quotes: write "items"`, ""},
		{"a name behind others", `{"a":1, b_2:2}`, `line 1, column 9: a name without quotes: write "b_2"`, ""},
		{"a text without quotes", `{"a": ball}`, `line 1, column 7: a text without quotes: write "ball"`, ""},
		{"a text that begins as a literal", `{"a": nothing}`, `line 1, column 7: a text without quotes: write "nothing"`, ""},
		{"NaN", `{"a":NaN}`, "line 1, column 6: NaN is not JSON: write null", ""},
		{"nan", `{"a":nan}`, "line 1, column 6: nan is not JSON: write null", ""},
		{"-Infinity", `[-Infinity]`, "line 1, column 2: -Infinity is not JSON: write null", ""},
		{"undefined", `[undefined]`, "line 1, column 2: undefined is not JSON: write null", ""},
		{"Python's", `[True, None]`, "line 1, column 2: True is not JSON: write true", ""},
		{"a missing comma", "[1\n2]", "line 2, column 1: a comma is missing before this", "    2]\n    ^\n"},
		{"a missing comma between members", `{"a":1 "b":2}`, "line 1, column 8: a comma is missing before this", ""},
		{"a missing colon", `{"a" 1}`, "line 1, column 6: a colon is missing before this", ""},
		{"the wrong bracket", `{"a":[1}`, "line 1, column 8: the wrong bracket", ""},
		{"a line end in a text", "{\"a\":\"b\n\"}", "line 1, column 8: a line ends inside a text", ""},
		{"a tab in a text", "{\"a\":\"b\tc\"}", "line 1, column 8: a control character", "    {\"a\":\"b c\"}\n           ^\n"},
		{"a Windows path", `{"a":"C:\new\x"}`, `line 1, column 14: a backslash that begins no escape`, ""},
		{"half a file", "{\n\"a\":[1,2\n\n", "line 2, column 9: the text ends here", ""},
		{"nothing", "", "line 1, column 1: the text ends here", ""},
		{"two documents", "{}\n{}", "line 2, column 1: something follows the end", ""},
		{"a number with a plus", `[+1]`, "line 1, column 2: not a number", ""},
		{"a number that begins with a point", `[.5]`, "line 1, column 2: not a number", ""},
		{"columns are characters", `{"é🏐":1,}`, "line 1, column 8: a comma with nothing behind it", "    {\"é🏐\":1,}\n           ^\n"},
		{"UTF-16", wide(`{"a":1}`), "line 1, column 1: the file is in UTF-16: save it as UTF-8", ""},
		{"a byte order mark", "\ufeff{}", "line 1, column 1: a byte order mark", ""},
		{"a long line", `{"a":"` + strings.Repeat("x", 500) + `",}`, "line 1, column 508: a comma with nothing behind it", "    " + strings.Repeat("x", 59) + "\",}\n    " + strings.Repeat(" ", 60) + "^\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			slip := strictjson.FindSlip([]byte(tt.text))
			if slip == nil {
				if tt.want != "" {
					t.Errorf("no slip; want %q", tt.want)
				}
				return
			}
			if tt.want == "" || !strings.HasPrefix(slip.Error(), tt.want) {
				t.Errorf("%q; want %q", slip.Error(), tt.want)
			}
			if got := slip.Show(); tt.show != "" && got != tt.show {
				t.Errorf("shows\n%s; want\n%s", got, tt.show)
			}
		})
	}
}

func FuzzFindSlip(f *testing.F) {
	f.Add([]byte(`{"a":[1,],}`))
	f.Add([]byte("\xff\xfe{\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if slip := strictjson.FindSlip(text); slip != nil {
			slip.Show()
			if slip.Line < 1 || slip.Column < 1 || slip.What == "" {
				t.Errorf("%q: %+v", text, slip)
			}
		}
	})
}

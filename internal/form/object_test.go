package form

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
)

// A body of any members is one JSON object, whatever it was sent as.
func TestReadObject(t *testing.T) {
	t.Parallel()
	const isForm, isJSON = "application/x-www-form-urlencoded", "application/json"
	for _, tt := range []struct{ name, contentType, body, want, refused string }{
		{"JSON is left as it is", isJSON, `{"a": 1.10}`, `{"a": 1.10}`, ""},
		{"so is JSON that is no object", isJSON, `[1`, `[1`, ""},
		{"a byte order mark is skipped", isJSON, "\uFEFF{}", `{}`, ""},
		{"a form is texts", isForm, "a=1&b=x+y", `{"a":"1","b":"x y"}`, ""},
		{"a name that a form repeats is an array", isForm, "a=1&b=2&a=3", `{"a":["1","3"],"b":"2"}`, ""},
		{"a[b] is a name", isForm, "a[b]=1", `{"a[b]":"1"}`, ""},
		{"multipart is texts too", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--x--\r\n", `{"a":"1"}`, ""},
		{"no body is none", "", "", "", ""},
		{"another type is refused", "text/plain", "a", "", "The body must be application/json"},
		{"so is no type", "", "a", "", "The body must be application/json"},
		{"JSON that is sent as a form is pointed out", isForm, `{"a":1}`, "", "begins like JSON"},
		{"a form that is sent as JSON is pointed out", isJSON, `a=1`, "", "begins like a form"},
		{"a broken form is refused", isForm, "a=%zz", "", "invalid URL escape"},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		peeked := Peek(r, 1000)
		text, err := ReadObject(httptest.NewRecorder(), r, 1000)
		if string(text) != tt.want || (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%s: %q, %v; want %q, %s", tt.name, text, err, tt.want, tt.refused)
		}
		if string(peeked) != string(text) {
			t.Errorf("%s: Peek = %q; want %q", tt.name, peeked, text)
		}
	}
}

// Peek takes nothing from who reads afterwards, and nothing of a body that is too long.
func TestPeekLeavesTheBody(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"a":1}`, strings.Repeat("x", 99), strings.Repeat("x", 5000)} {
		for _, length := range []int64{int64(len(body)), -1} {
			r := httptest.NewRequest("POST", "/", io.NopCloser(strings.NewReader(body)))
			r.ContentLength = length
			r.Header.Set("Content-Type", "application/json")
			NewBounds(7, 1).Hold(r)
			if text := Peek(r, 100); (text == nil) != (len(body) > 100) {
				t.Errorf("Peek of %d bytes = %q", len(body), text)
			}
			if rest, err := io.ReadAll(r.Body); string(rest) != body || err != nil || largest(r) != 7 {
				t.Errorf("after Peek there are %d bytes, %v; want %d", len(rest), err, len(body))
			}
		}
	}
}

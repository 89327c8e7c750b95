package reply

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A document is compressed, indented, and left out where the client has it.
func TestDocument(t *testing.T) {
	t.Parallel()
	long := `{"a":"` + strings.Repeat("x", 2000) + `"}`
	tagOf := func(text string) string { return string(AppendTag(nil, []byte(text))) }
	zipped := func(text string) string { return strings.TrimSuffix(tagOf(text), `"`) + `-gzip"` }
	for _, tt := range []struct {
		name, method, text string
		pretty             bool
		header             [2]string
		status             int
		body, tag          string
	}{
		{"a short one is sent as it is", "GET", `{"a":1}`, false, [2]string{"Accept-Encoding", "gzip"}, 200, `{"a":1}`, tagOf(`{"a":1}`)},
		{"indented, it has another tag", "GET", `{"a":1}`, true, [2]string{}, 200, "{\n  \"a\": 1\n}", tagOf("{\n  \"a\": 1\n}")},
		{"a long one is compressed", "GET", long, false, [2]string{"Accept-Encoding", "br, gzip;q=0.8"}, 200, long, zipped(long)},
		{"* takes gzip", "GET", long, false, [2]string{"Accept-Encoding", "*"}, 200, long, zipped(long)},
		{"gzip;q=0 does not", "GET", long, false, [2]string{"Accept-Encoding", "*, gzip;q=0"}, 200, long, tagOf(long)},
		{"without gzip it is not compressed", "GET", long, false, [2]string{"Accept-Encoding", "br"}, 200, long, tagOf(long)},
		{"a client that has it gets a 304", "GET", long, false, [2]string{"If-None-Match", tagOf(long)}, 304, "", tagOf(long)},
		{"also of the compressed bytes", "GET", long, false, [2]string{"If-None-Match", zipped(long)}, 304, "", tagOf(long)},
		{"If-Match takes the tag of the compressed bytes", "GET", long, false, [2]string{"If-Match", zipped(long)}, 200, long, tagOf(long)},
		{"a write has a tag and no 304", "PUT", long, false, [2]string{"If-None-Match", tagOf(long)}, 200, long, tagOf(long)},
	} {
		r := httptest.NewRequest(tt.method, "/", nil)
		if tt.header[0] != "" {
			r.Header.Set(tt.header[0], tt.header[1])
		}
		w := httptest.NewRecorder()
		PlainTags(r)
		if err := (Document{Status: 200, Text: tt.text, Pretty: tt.pretty}).Answer(w, r); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var body io.Reader = w.Body
		if w.Header().Get("Content-Encoding") == "gzip" {
			body, _ = gzip.NewReader(w.Body)
		}
		got, err := io.ReadAll(body)
		if w.Code != tt.status || string(got) != tt.body || err != nil || w.Header().Get("ETag") != tt.tag {
			t.Errorf("%s: %d %.80s %s, %v; want %d %.80s %s", tt.name, w.Code, got, w.Header().Get("ETag"), err, tt.status, tt.body, tt.tag)
		}
	}
	if err := (Document{Status: 200, Text: `{}`}).Answer(httptest.NewRecorder(), func() *http.Request {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("If-Match", `"z"`)
		return r
	}()); err != ErrStale {
		t.Errorf("If-Match of another tag = %v; want ErrStale", err)
	}
}

// A file of the program is compressed for those who take it, with a tag of its own.
func TestFile(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 2000)
	tagOf := func(text string) string { return string(AppendTag(nil, []byte(text))) }
	zipped := strings.TrimSuffix(tagOf(long), `"`) + `-gzip"`
	for _, tt := range []struct {
		name, text, accept, known string
		status                    int
		tag                       string
	}{
		{"a short one is sent as it is", "a", "gzip", "", 200, tagOf("a")},
		{"a long one is compressed", long, "gzip", "", 200, zipped},
		{"and compressed once more", long, "gzip", "", 200, zipped},
		{"without gzip it is not", long, "br", "", 200, tagOf(long)},
		{"who has it gets a 304", long, "", tagOf(long), 304, tagOf(long)},
		{"who has the compressed one does too", long, "gzip", zipped, 304, zipped},
		{"who has another does not", long, "gzip", `"another"`, 200, zipped},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", tt.accept)
		if tt.known != "" {
			r.Header.Set("If-None-Match", tt.known)
		}
		w := httptest.NewRecorder()
		if err := File(w, r, "text/plain", []byte(tt.text)); err != nil {
			t.Fatal(err)
		}
		body := w.Body.String()
		if w.Header().Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			body = string(text)
		}
		if tt.status == 304 {
			tt.text = ""
		}
		if w.Code != tt.status || w.Header().Get("Etag") != tt.tag || body != tt.text || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %d %v %.40q; want %d with %s", tt.name, w.Code, w.Header(), body, tt.status, tt.tag)
		}
	}
}

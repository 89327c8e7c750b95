package reply

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"iter"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
)

// partsOf yields an array of n texts, as a list of rows does.
func partsOf(n int, text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		before := "["
		for range n {
			if !yield(before) || !yield(text) {
				return
			}
			before = ","
		}
		yield("]")
	}
}

// A long document says what a short one says, and is never whole in memory.
func TestLongDocument(t *testing.T) {
	t.Parallel()
	const short, piece = 256 << 10, 32 << 10 // as docs/performance.md has them
	row := `{"id":1,"tags":["a",{}],"title":"` + strings.Repeat(`x\"`, 50) + `"}`
	for _, tt := range []struct {
		name   string
		rows   int
		row    string
		pretty bool
		gzip   bool
	}{
		{"rows shorter than a piece", 4_000, row, false, false},
		{"rows longer than a piece", 5, `"` + strings.Repeat("x", 100_000) + `"`, false, false},
		{"one byte more than is kept whole", 1, `"` + strings.Repeat("x", short-3) + `"`, false, false},
		{"as much as is kept whole", 1, `"` + strings.Repeat("x", short-4) + `"`, false, false},
		{"indented", 4_000, row, true, false},
		{"compressed", 4_000, row, false, true},
		{"indented and compressed", 4_000, row, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var whole []byte
			for part := range partsOf(tt.rows, tt.row) {
				whole = append(whole, part...)
			}
			most := 2 * piece
			if tt.pretty {
				var b bytes.Buffer
				if err := json.Indent(&b, whole, "", "  "); err != nil {
					t.Fatal(err)
				}
				whole, most = b.Bytes(), 4*piece
			}
			tag := string(AppendTag(nil, whole))
			d := Document{Status: 200, Parts: partsOf(tt.rows, tt.row), Pretty: tt.pretty}
			ask := func(method, ifNoneMatch string) *piecesRecorder {
				r := httptest.NewRequest(method, "/", nil)
				if tt.gzip {
					r.Header.Set("Accept-Encoding", "gzip")
				}
				if ifNoneMatch != "" {
					r.Header.Set("If-None-Match", ifNoneMatch)
				}
				w := &piecesRecorder{ResponseRecorder: httptest.NewRecorder()}
				if err := d.Answer(w, r); err != nil {
					t.Fatal(err)
				}
				return w
			}
			w := ask("GET", "")
			var body io.Reader = w.Body
			if want := tag; tt.gzip {
				want = strings.TrimSuffix(tag, `"`) + gzipMark
				z, err := gzip.NewReader(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				body = z
				if w.Header().Get("Content-Length") != "" || w.Header().Get("ETag") != want {
					t.Errorf("headers %v; want ETag %s and no length", w.Header(), want)
				}
			} else if w.Header().Get("Content-Length") != strconv.Itoa(len(whole)) || w.Header().Get("ETag") != want {
				t.Errorf("headers %v; want ETag %s and %d bytes", w.Header(), want, len(whole))
			}
			if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, whole) {
				t.Errorf("got %d bytes, %v: %.200q; want %d: %.200q", len(got), err, got, len(whole), whole)
			}
			if w.longest > most && len(whole) > short {
				t.Errorf("%d bytes were written at once; want at most %d", w.longest, most)
			}
			if w := ask("GET", tag); w.Code != 304 || w.Body.Len() > 0 {
				t.Errorf("for a client that has it: %d and %d bytes", w.Code, w.Body.Len())
			}
			if w := ask("HEAD", ""); len(whole) > short && w.Body.Len() > 0 || w.Header().Get("ETag") == "" {
				t.Errorf("HEAD: %d bytes, %v", w.Body.Len(), w.Header())
			}
		})
	}
}

// Nothing more is made for a client that has gone.
func TestLongDocumentStops(t *testing.T) {
	t.Parallel()
	for _, accept := range []string{"", "gzip"} {
		asked := 0
		parts := func(yield func(string) bool) {
			for i := range 100_000 {
				if asked++; !yield(strconv.Itoa(i * 7919)) {
					return
				}
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		w := &piecesRecorder{ResponseRecorder: httptest.NewRecorder(), fail: 1}
		Document{Status: 200, Parts: parts}.Answer(w, r)
		if asked > 150_000 { // each once for the tag
			t.Errorf("Accept-Encoding %q: %d parts were asked for after the client had gone", accept, asked-100_000)
		}
	}
}

// FuzzIndent compares the indenter with encoding/json, wherever a text is cut in two.
func FuzzIndent(f *testing.F) {
	for _, text := range []string{`{}`, `[]`, `[{},[],{"a":[]}]`, `{"a":"\\\"{[,:","b":[1,2.5e3,null,true]}`, ` { "a" : [ ] } `, `"x"`, `[[[1]]]`} {
		f.Add(text, len(text)/2)
	}
	f.Fuzz(func(t *testing.T, text string, at int) {
		var want bytes.Buffer
		text = strings.TrimRight(text, " \n\t\r") // json.Indent keeps those at the end
		if json.Indent(&want, []byte(text), "", "  ") != nil {
			return
		}
		at = max(0, min(at, len(text)))
		var in indenter
		if got := in.indent(in.indent(nil, text[:at]), text[at:]); string(got) != want.String() {
			t.Errorf("%q, cut at %d, is %q; want %q", text, at, got, want.String())
		}
	})
}

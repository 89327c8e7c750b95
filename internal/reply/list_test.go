package reply

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A piecesRecorder notes how long the pieces are that were written.
type piecesRecorder struct {
	*httptest.ResponseRecorder
	longest int
	fail    int // the number of bytes after which writing fails; 0: never
}

func (w *piecesRecorder) Write(b []byte) (int, error) {
	w.longest = max(w.longest, len(b))
	if w.fail > 0 && w.Body.Len() >= w.fail {
		return 0, http.ErrHandlerTimeout
	}
	return w.ResponseRecorder.Write(b)
}

// A list is the same in one piece and in many, and never whole in memory.
func TestList(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name      string
		rows, len int // how many, and how long each is
	}{
		{"no rows", 0, 0},
		{"a row", 1, 10},
		{"rows that fit into one piece", 100, 100},
		{"rows that don't", 10_000, 100},
		{"rows longer than a piece", 3, 100_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rows := slices.Repeat([]string{strings.Repeat("x", tt.len)}, tt.rows)
			w := &piecesRecorder{ResponseRecorder: httptest.NewRecorder()}
			if err := List(w, http.StatusOK, "said", slices.Values(rows), strconv.Quote); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Status  int
				Message string
				Data    []string
			}
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Data == nil {
				t.Fatalf("%.100s: %v", w.Body, err)
			}
			if got.Status != http.StatusOK || got.Message != "said" || !slices.Equal(got.Data, rows) {
				t.Errorf("got %.200v", got)
			}
			if length := w.Header().Get("Content-Length"); length != "" && length != strconv.Itoa(w.Body.Len()) {
				t.Errorf("Content-Length %s for %d bytes", length, w.Body.Len())
			}
			if most := piece + tt.len + 10; w.longest > most {
				t.Errorf("%d bytes were written at once; want at most %d", w.longest, most)
			}
		})
	}
}

// Nothing more is made for a client that has gone.
func TestListStops(t *testing.T) {
	t.Parallel()
	asked := 0
	w := &piecesRecorder{ResponseRecorder: httptest.NewRecorder(), fail: 1}
	List(w, http.StatusOK, "", slices.Values(make([]struct{}, 100_000)), func(struct{}) string { asked++; return `{"id":1,"itemname":"ball"}` })
	if asked > 110_000 { // each once for the length
		t.Errorf("%d rows were asked for after the client had gone", asked-100_000)
	}
}

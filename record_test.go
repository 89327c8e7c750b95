package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
)

// ask has s answer r, and keeps a record of that for test/openapi/answers_test.go,
// which holds it against openapi.json.
func ask(s *server, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	keep(s, r, w)
	return w
}

// records is the file that SHELF_RECORD names, nil for none.
var records = sync.OnceValue(func() *os.File {
	path := os.Getenv("SHELF_RECORD")
	if path == "" {
		return nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	return f
})

// keep appends an answer to the file as one line of JSON. One write is one
// line, whoever else writes.
func keep(s *server, r *http.Request, w *httptest.ResponseRecorder) {
	f := records()
	if f == nil {
		return
	}
	answer := w.Result()
	line, err := json.Marshal(struct {
		Method string      `json:"method"`
		Path   string      `json:"path"`
		Route  string      `json:"route"` // empty for none
		Status int         `json:"status"`
		Header http.Header `json:"header"`
		Body   string      `json:"body"`
	}{r.Method, r.URL.Path, s.routeOf(r), answer.StatusCode, answer.Header, w.Body.String()})
	if err == nil {
		_, err = f.Write(append(line, '\n'))
	}
	if err != nil {
		panic(err)
	}
}

package main

import (
	"net/http"
	"slices"
	"strconv"
	"sync"

	"example.com/shelf/internal/strictjson"
)

// A success is how the catalog answers when all went well.
type success struct {
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
	Data    []any  `json:"data,omitzero"` // an empty list stays one
}

// A message is the book API's answer to everything but a read.
type message struct {
	Message string `json:"message"`
}

// writeJSON answers with v as one line of JSON.
func writeJSON(w http.ResponseWriter, status int, v any) error {
	return writeBytes(w, status, append(strictjson.Encode(v), '\n'))
}

// answerToken answers with v, which has a token in it and so must not stay in
// any cache (RFC 6749 §5.1).
func answerToken(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, status, v)
}

// writeRows is writeList for rows that are JSON already.
func writeRows[text string | []byte](w http.ResponseWriter, status int, message string, rows ...text) error {
	return writeList(w, status, message, rows, func(row text) text { return row })
}

// writeList answers in the catalog's way, {"status":…,"message":…,"data":[…]}. No
// message is no member.
func writeList[row any, text string | []byte](w http.ResponseWriter, status int, message string, rows []row, json func(row) text) error {
	buf := buffers.Get().(*[]byte)
	b := strconv.AppendInt(append((*buf)[:0], `{"status":`...), int64(status), 10)
	if message != "" {
		b = strictjson.AppendString(append(b, `,"message":`...), message)
	}
	b = appendList(append(b, `,"data":`...), rows, json)
	err := writeBytes(w, status, append(b, '}', '\n'))
	if cap(b) <= 1<<20 { // a longer one is rare, and much to keep
		*buf = b
		buffers.Put(buf)
	}
	return err
}

// buffers are those of answers that are out. A page is some twenty kilobytes:
// made anew each time, most of its cost would be the garbage collector's, which
// goes through all rows of the store each time.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// appendList appends rows, of which json gives the JSON, as a JSON array. It asks
// for each twice, so as to make room for all at once.
func appendList[row any, text string | []byte](b []byte, rows []row, json func(row) text) []byte {
	size := 4 + len(rows)
	for _, r := range rows {
		size += len(json(r))
	}
	b = append(slices.Grow(b, size), '[')
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, json(r)...)
	}
	return append(b, ']')
}

// writeBytes answers with JSON that is rendered already.
func writeBytes(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h["Content-Type"] = typeJSON
	if len(body) > 2<<10 { // what fits into net/http's own buffer it measures itself, for less
		h["Content-Length"] = []string{strconv.Itoa(len(body))}
	}
	w.WriteHeader(status)
	w.Write(body) // an error means that the client has gone; there is nobody left to tell
	return nil
}

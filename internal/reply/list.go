package reply

import (
	"net/http"
	"strconv"
	"sync"

	"example.com/shelf/internal/strictjson"
)

// Rows is List for rows that are JSON already.
func Rows[text string | []byte](w http.ResponseWriter, status int, message string, rows ...text) error {
	return List(w, status, message, rows, func(row text) text { return row })
}

// List answers with {"status":…,"message":…,"data":[…]}. No message is no
// member.
func List[row any, text string | []byte](w http.ResponseWriter, status int, message string, rows []row, json func(row) text) error {
	head := strconv.AppendInt([]byte(`{"status":`), int64(status), 10)
	if message != "" {
		head = strictjson.AppendString(append(head, `,"message":`...), message)
	}
	return Array(w, status, string(append(head, `,"data":`...)), rows, json)
}

// piece is how much of a list is made at a time. A client that reads slowly keeps
// this much, and the rows that the store has anyway, and not the whole text.
const piece = 32 << 10

// Array answers with an object whose last member is an array of rows. json returns the
// JSON of a row. head is what stands before the array. json is asked twice
// for each row, as the length of the answer comes first.
func Array[row any, text string | []byte](w http.ResponseWriter, status int, head string, rows []row, json func(row) text) error {
	size := len(head) + len("[]}\n") + max(0, len(rows)-1)
	for _, r := range rows {
		size += len(json(r))
	}
	buf := buffers.Get().(*[]byte)
	b := append(append((*buf)[:0], head...), '[')
	defer func() {
		if cap(b) <= 4*piece { // a longer row is rare, and much to keep
			*buf = b
			buffers.Put(buf)
		}
	}()
	long := size > piece
	if long {
		begin(w, status, size)
	}
	for i, r := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		if b = append(b, json(r)...); long && len(b) >= piece {
			if _, err := w.Write(b); err != nil {
				return nil // the client has gone, and the server has seen it
			}
			b = b[:0]
		}
	}
	if b = append(b, "]}\n"...); !long {
		return Bytes(w, status, b)
	}
	w.Write(b)
	return nil
}

// buffers are those of pieces that are out. A page is some twenty kilobytes: made
// anew each time, most of its cost would be the garbage collector's, which goes
// through all that the program holds each time.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

package reply

import (
	"net/http"
	"slices"
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
	buf := buffers.Get().(*[]byte)
	b := strconv.AppendInt(append((*buf)[:0], `{"status":`...), int64(status), 10)
	if message != "" {
		b = strictjson.AppendString(append(b, `,"message":`...), message)
	}
	b = AppendList(append(b, `,"data":`...), rows, json)
	err := Bytes(w, status, append(b, '}', '\n'))
	if cap(b) <= 1<<20 { // a longer one is rare, and much to keep
		*buf = b
		buffers.Put(buf)
	}
	return err
}

// buffers are those of answers that are out. A page is some twenty kilobytes:
// made anew each time, most of its cost would be the garbage collector's, which
// goes through all that the program holds each time.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// AppendList appends rows, of which json gives the JSON, as a JSON array. It asks
// for each twice, so as to make room for all at once.
func AppendList[row any, text string | []byte](b []byte, rows []row, json func(row) text) []byte {
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

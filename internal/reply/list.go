package reply

import (
	"bytes"
	"iter"
	"net/http"
	"strconv"
	"sync"

	"example.com/shelf/internal/strictjson"
)

// Rows answers as List does, with a few rows that are JSON already. It makes the whole
// text at once.
func Rows[text string | []byte](w http.ResponseWriter, status int, message string, rows ...text) error {
	out := buffers.Get().(*pieces)
	defer out.free()
	out.b = append(appendHead(out.b[:0], status, message), '[')
	for _, row := range rows {
		out.b = append(append(out.b, row...), ',')
	}
	out.end()
	return Bytes(w, status, out.b)
}

// List answers with {"status":…,"message":…,"data":[…]}. No message is no
// member.
func List[row any, text string | []byte](w http.ResponseWriter, status int, message string, rows iter.Seq[row], json func(row) text) error {
	return Array(w, status, string(appendHead(make([]byte, 0, 128), status, message)), rows, json)
}

// appendHead appends what stands before the rows.
func appendHead(b []byte, status int, message string) []byte {
	b = strconv.AppendInt(append(b, `{"status":`...), int64(status), 10)
	if message != "" {
		b = strictjson.AppendString(append(b, `,"message":`...), message)
	}
	return append(b, `,"data":`...)
}

// piece is how much of a list is made at a time. A client that reads slowly keeps
// this much, and the rows that the store has anyway, and not the whole text.
const piece = 32 << 10

// Array answers with an object whose last member is an array of rows. json returns the
// JSON of a row. head is what stands before the array. Array goes over the rows twice if
// they don't fit into a piece, as the length of the answer comes first: both times they
// must be the same.
func Array[row any, text string | []byte](w http.ResponseWriter, status int, head string, rows iter.Seq[row], json func(row) text) error {
	out := buffers.Get().(*pieces)
	defer out.free()
	out.b = append(append(out.b[:0], head...), '[')
	out.size = len(out.b)
	for r := range rows {
		row := json(r)
		if out.size += len(row) + len(","); out.size <= piece {
			out.b = append(append(out.b, row...), ',')
		}
	}
	if out.size <= piece {
		out.end()
		return Bytes(w, status, out.b)
	}
	begin(w, status, out.size-len(",")+len(tail))
	out.b = append(append(out.b[:0], head...), '[')
	writeRows(w, out, rows, json)
	return nil
}

// writeRows writes what is in out and the rows, a piece at a time. It stops if the client
// has gone, which the server has seen.
func writeRows[row any, text string | []byte](w http.ResponseWriter, out *pieces, rows iter.Seq[row], json func(row) text) {
	for r := range rows {
		if len(out.b) >= piece {
			if _, err := w.Write(out.b); err != nil {
				return
			}
			out.b = out.b[:0]
		}
		out.b = append(append(out.b, json(r)...), ',')
	}
	out.end()
	w.Write(out.b)
}

// pieces is a list on its way to a client.
type pieces struct {
	b    []byte // what isn't written yet
	size int    // of the whole text, with a comma after each row
}

// tail is what stands after the last row.
const tail = "]}\n"

// end ends the list. The comma after the last row goes.
func (out *pieces) end() {
	out.b = append(bytes.TrimSuffix(out.b, []byte(",")), tail...)
}

func (out *pieces) free() {
	if cap(out.b) <= 4*piece { // a longer row is rare, and much to keep
		buffers.Put(out)
	}
}

// buffers are those of pieces that are out. A page is some twenty kilobytes: made
// anew each time, most of its cost would be the garbage collector's, which goes
// through all that the program holds each time.
var buffers = sync.Pool{New: func() any { return new(pieces) }}

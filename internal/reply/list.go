package reply

import (
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
	for i, row := range rows {
		add(out, row, i == len(rows)-1)
	}
	out.b = append(out.b, "]}\n"...)
	return Bytes(w, status, out.b)
}

// List answers with {"status":…,"message":…,"data":[…]}. No message is no
// member.
func List[row any, text string | []byte](w http.ResponseWriter, status int, message string, rows iter.Seq[row], json func(row) text) error {
	return Array(w, status, string(appendHead(nil, status, message)), rows, json)
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
// JSON of a row. head is what stands before the array. It goes over the rows twice, as
// the length of the answer comes first: both times they must be the same.
func Array[row any, text string | []byte](w http.ResponseWriter, status int, head string, rows iter.Seq[row], json func(row) text) error {
	var sum struct{ n, size int }
	for r := range rows {
		sum.n++
		sum.size += len(json(r))
	}
	size := len(head) + len("[]}\n") + sum.size + max(0, sum.n-1) // and commas
	out := buffers.Get().(*pieces)
	defer out.free()
	out.w, out.b = w, append(append(out.b[:0], head...), '[')
	if out.long = size > piece; out.long {
		begin(w, status, size)
	}
	for r := range rows {
		if sum.n--; !add(out, json(r), sum.n == 0) {
			return nil // the client has gone, and the server has seen it
		}
	}
	if out.b = append(out.b, "]}\n"...); !out.long {
		return Bytes(w, status, out.b)
	}
	w.Write(out.b)
	return nil
}

// pieces is a list on its way to a client.
type pieces struct {
	w    http.ResponseWriter
	b    []byte // what isn't written yet
	long bool   // the list is longer than a piece
}

// add adds a row. It returns false if a piece could not be written.
func add[text string | []byte](out *pieces, row text, last bool) bool {
	if out.b = append(out.b, row...); !last {
		out.b = append(out.b, ',')
	}
	if !out.long || len(out.b) < piece {
		return true
	}
	_, err := out.w.Write(out.b)
	out.b = out.b[:0]
	return err == nil
}

func (out *pieces) free() {
	if out.w, out.long = nil, false; cap(out.b) <= 4*piece { // a longer row is rare, and much to keep
		buffers.Put(out)
	}
}

// buffers are those of pieces that are out. A page is some twenty kilobytes: made
// anew each time, most of its cost would be the garbage collector's, which goes
// through all that the program holds each time.
var buffers = sync.Pool{New: func() any { return new(pieces) }}

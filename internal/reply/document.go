package reply

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// A Document is an answer of JSON that clients may keep, ask for again and take
// compressed. It must hold no token: who sees how well an answer compresses can guess
// what is in it (CVE-2013-3587).
type Document struct {
	Status int
	Text   string           // compact JSON
	Parts  iter.Seq[string] // the same in parts, of a document that may be long; both times that it is gone over it yields the same
	Pretty bool             // write it with two blanks of indent
}

// compressFrom is how many bytes are worth compressing.
const compressFrom = 1 << 10

// gzipMark ends the entity tag of compressed bytes, which differ from the others.
const gzipMark = `-gzip"`

// Answer writes d, with the strong entity tag of its bytes. A GET or HEAD whose client
// has them already is a 304. From 1 kB on they are compressed where the client takes
// gzip. Then "x-gzip" is the tag in the place of "x", see [PlainTags].
//
// A long text is made twice, and is never whole in memory: first for its tag and its
// length, then for the client.
func (d Document) Answer(w http.ResponseWriter, r *http.Request) error {
	p := presses.Get().(*press)
	p.measure(d)
	tag, size := p.tag(), p.size
	if size > short {
		p.free() // a slow client must not keep the buffer
	} else {
		defer p.free()
	}
	sent, compress := chooseForm(w, r, tag, size)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		if done, err := notModified(w, r, tag, sent); done || err != nil {
			return err
		}
	}
	h := w.Header()
	h["Etag"] = []string{sent}
	if compress {
		h.Set("Content-Encoding", "gzip")
	}
	switch {
	case size > short:
		d.send(w, r, size, compress)
		return nil
	case compress:
		return Bytes(w, d.Status, compressed(p.b))
	}
	return Bytes(w, d.Status, p.b)
}

// send writes a long document. The size of compressed bytes isn't known before they are
// made, so they go out in chunks.
func (d Document) send(w http.ResponseWriter, r *http.Request, size int, compress bool) {
	if compress {
		size = 0
	}
	if begin(w, d.Status, size); r.Method == http.MethodHead {
		return
	}
	p := press{b: make([]byte, 0, 2*piece)}
	if !compress {
		p.print(d, w, piece)
		p.flush() // an error means that the client has gone
		return
	}
	out := bufio.NewWriterSize(w, piece)
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	defer z.Reset(nil) // what is not in use holds no client
	z.Reset(out)
	p.print(d, z, piece)
	if p.flush() && z.Close() == nil {
		out.Flush()
	}
}

// chooseForm decides whether a text of that size and entity tag is sent compressed. sent is
// the tag of the form in which it is sent.
func chooseForm(w http.ResponseWriter, r *http.Request, tag string, size int) (sent string, compress bool) {
	w.Header().Add("Vary", "Accept-Encoding")
	if size < compressFrom || !takesGzip(r) {
		return tag, false
	}
	return strings.TrimSuffix(tag, `"`) + gzipMark, true
}

// PlainTags takes the mark of compressed bytes off the tags in r's conditions: a client
// that read "x-gzip" has read "x".
func PlainTags(r *http.Request) {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		for i, line := range r.Header[name] {
			r.Header[name][i] = strings.ReplaceAll(line, gzipMark, `"`)
		}
	}
}

// takesGzip reports whether the client of r takes gzip (RFC 9110 §12.5.3).
func takesGzip(r *http.Request) bool {
	takes := false
	for element := range strings.SplitSeq(strings.Join(r.Header["Accept-Encoding"], ","), ",") {
		coding, weight, _ := strings.Cut(element, ";")
		coding = strings.ToLower(strings.TrimSpace(coding))
		if coding != "gzip" && coding != "x-gzip" && coding != "*" {
			continue
		}
		_, q, _ := strings.Cut(weight, "=")
		value, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
		if takes = err != nil || value > 0; coding != "*" {
			return takes
		}
	}
	return takes
}

var zippers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compressed(text []byte) []byte {
	var out bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	z.Write(text) // to memory, which never fails
	z.Close()
	return out.Bytes()
}

// zipped are the files that File has sent compressed, by entity tag. They are the
// program's own, so there are few of them.
var zipped sync.Map

// File answers a GET with one of the program's own files, or with 304 if the client
// has it. It compresses a file once and keeps that. What a client sent must not come
// here, as nothing is ever dropped.
func File(w http.ResponseWriter, r *http.Request, contentType string, content []byte) error {
	PlainTags(r)
	tag := string(AppendTag(nil, content))
	sent, compress := chooseForm(w, r, tag, len(content))
	if done, err := notModified(w, r, tag, sent); done || err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	if compress {
		h.Set("Content-Encoding", "gzip")
		small, ok := zipped.Load(tag)
		if !ok {
			small, _ = zipped.LoadOrStore(tag, compressed(content))
		}
		content = small.([]byte)
	}
	h.Set("Content-Length", strconv.Itoa(len(content)))
	w.Write(content) // an error means that the client has gone
	return nil
}

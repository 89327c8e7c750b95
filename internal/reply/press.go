package reply

import (
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// short is the most bytes of a document that is kept whole. A longer one is made a second
// time in the place of that.
const short = 256 << 10

// A press makes the text of a document, in pieces.
type press struct {
	to     io.Writer // takes each piece
	most   int       // the size of a piece: b is written when it is longer
	b      []byte    // what was made and is not written
	size   int       // of all that was made
	err    error     // of to
	pretty bool
	indenter

	hash hash.Hash
	sum  [sha256.Size]byte
}

// presses are those that aren't in use, as buffers are.
var presses = sync.Pool{New: func() any { return &press{hash: sha256.New()} }}

func (p *press) free() {
	if p.to = nil; cap(p.b) <= 2*short { // only blanks of indent can make it longer
		presses.Put(p)
	}
}

// measure makes the text for its tag and its size. A text of at most short bytes stays
// in b.
func (p *press) measure(d Document) {
	p.hash.Reset()
	p.print(d, p.hash, short)
	p.hash.Write(p.b)
}

// tag is the entity tag of what was measured.
func (p *press) tag() string {
	var b [len(`""`) + 24]byte
	return string(appendSum(b[:0], p.hash.Sum(p.sum[:0])))
}

// print makes the text. All but the last piece of it is written to to.
func (p *press) print(d Document, to io.Writer, most int) {
	p.to, p.most, p.b, p.size, p.err = to, most, p.b[:0], 0, nil
	p.pretty, p.indenter = d.Pretty, indenter{}
	if d.Parts == nil {
		p.add(d.Text)
		return
	}
	for part := range d.Parts {
		if !p.add(part) {
			return
		}
	}
}

// add adds a part of the text. It returns false if a piece could not be written.
func (p *press) add(part string) bool {
	for len(part) > 0 {
		n := min(len(part), piece)
		before := len(p.b)
		if p.pretty {
			p.b = p.indent(p.b, part[:n])
		} else {
			p.b = append(p.b, part[:n]...)
		}
		p.size += len(p.b) - before
		if part = part[n:]; len(p.b) > p.most && !p.flush() {
			return false
		}
	}
	return true
}

// flush writes what is not written.
func (p *press) flush() bool {
	if p.err == nil {
		_, p.err = p.to.Write(p.b)
	}
	p.b = p.b[:0]
	return p.err == nil
}

// An indenter indents JSON that comes in pieces, as json.Indent does with two blanks.
type indenter struct {
	depth   int
	opened  bool // the last byte opened an object or an array
	inText  bool
	escaped bool // the last byte was a backslash in a text
}

// indent appends a piece to b.
func (in *indenter) indent(b []byte, piece string) []byte {
	from := 0 // what is before it has been appended
	for i := range len(piece) {
		c := piece[i]
		if in.inText {
			in.inText = c != '"' || in.escaped
			in.escaped = c == '\\' && !in.escaped
			continue
		}
		closes := c == '}' || c == ']'
		switch {
		case c == ' ' || c == '\n' || c == '\t' || c == '\r':
			b, from = append(b, piece[from:i]...), i+1
			continue
		case in.opened && !closes:
			in.depth++
			b, from = in.newLine(append(b, piece[from:i]...)), i
		case closes && !in.opened:
			in.depth--
			b, from = in.newLine(append(b, piece[from:i]...)), i
		}
		in.opened = c == '{' || c == '['
		in.inText = c == '"'
		switch c {
		case ',':
			b, from = in.newLine(append(b, piece[from:i+1]...)), i+1
		case ':':
			b, from = append(append(b, piece[from:i+1]...), ' '), i+1
		}
	}
	return append(b, piece[from:]...)
}

func (in *indenter) newLine(b []byte) []byte {
	b = append(b, '\n')
	for range in.depth {
		b = append(b, "  "...)
	}
	return b
}

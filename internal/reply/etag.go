package reply

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"example.com/shelf/internal/strictjson"
)

// A Rendered is a row as clients read it, made once, when the row changes. There may
// be a million of them.
type Rendered string

// Render is the row, which is JSON.
func Render(row []byte) Rendered { return Rendered(row) }

// Row is the row as clients read it.
func (r Rendered) Row() string { return string(r) }

// Tag is the entity tag of the row. It is made of the row's bytes, so it is the same
// after a restart, and again the same once the row is again the same (RFC 9110
// §8.8.3; strong). It is not kept: a fifth of a microsecond makes it, and a million of
// them would take 48 MB.
func (r Rendered) Tag() string {
	row := append(make([]byte, 0, 512), r...) // on the stack, unless the row is longer
	return string(AppendTag(row, row)[len(row):])
}

// First is the number that the row's first member is. Of rows that are kept by the
// million nothing is kept twice, so what is asked of them is read out of their JSON:
// this, Text and Last. A row that they are asked of must have such members, and no
// others before them.
func (r Rendered) First() int {
	digits, _, _ := strings.Cut(string(r[strings.IndexByte(string(r), ':')+1:]), ",")
	n, _ := strconv.Atoi(digits)
	return n
}

// Text is the last of some texts that stand right behind the first member: see
// [strictjson.Texts].
func (r Rendered) Text(names ...string) string {
	row := r.Row()
	return strictjson.Texts(row[strings.IndexByte(row, ','):], names...)
}

// Last is the number that the row's last member is, 0 for null.
func (r Rendered) Last() int {
	row := r.Row()
	n, _ := strconv.Atoi(row[strings.LastIndexByte(row, ':')+1 : len(row)-1])
	return n
}

// AppendTag appends the entity tag of that content: 96 bits of its hash in hex, in
// quotes.
func AppendTag(b, content []byte) []byte {
	sum := sha256.Sum256(content)
	return appendSum(b, sum[:])
}

// appendSum appends the entity tag of content with that hash.
func appendSum(b, sum []byte) []byte { return append(hex.AppendEncode(append(b, '"'), sum[:12]), '"') }

// With is the row with one more member, a text.
func (r Rendered) With(name, text string) []byte {
	row := strings.TrimSuffix(r.Row(), "}")
	b := append(make([]byte, 0, len(row)+len(name)+len(text)+len(`,"":""}`)), row...)
	b = append(append(append(b, `,"`...), name...), `":`...)
	return append(strictjson.AppendString(b, text), '}')
}

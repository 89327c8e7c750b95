package rows

import (
	"bytes"
	"encoding/json"
)

// AppendList appends rows as a JSON array. The rows' texts stay as they are, so
// numbers are exact.
func AppendList(b []byte, texts []string) []byte {
	size := len("[]") + len(texts)
	for _, text := range texts {
		size += len(text)
	}
	if b == nil {
		b = make([]byte, 0, size)
	}
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, text...)
	}
	return append(b, ']')
}

// Pretty returns JSON with two blanks of indent, and no line end behind it.
func Pretty(compact []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		panic(err) // it is made of rows, which are well-formed
	}
	return b.Bytes()
}

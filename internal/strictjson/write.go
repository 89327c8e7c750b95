package strictjson

import (
	"bytes"
	"encoding/json"
)

// Encode renders v as JSON. It doesn't escape <, > and &: people read the data
// file, and browsers never treat an answer as HTML, because it has the header
// nosniff.
func Encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // no value of this program is unfit for JSON
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// AppendString appends s as a JSON string (RFC 8259 §7).
func AppendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= 0x7f {
			return append(b, Encode(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

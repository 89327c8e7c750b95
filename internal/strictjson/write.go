package strictjson

import (
	"bytes"
	"encoding/json"
)

// Encode is v in JSON, in which <, > and & stay what they are: people read the
// data file, and an answer is never HTML, which nosniff keeps a browser from
// guessing.
func Encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // nothing of ours holds what JSON can't
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

// AppendTexts appends string members. names are as those of [Texts].
func AppendTexts(b []byte, names []string, texts ...string) []byte {
	for i, name := range names {
		b = AppendString(append(b, name...), texts[i])
	}
	return b
}

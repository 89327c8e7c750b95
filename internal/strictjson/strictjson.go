// Package strictjson reads JSON objects that have only one reading, and writes
// JSON.
//
// encoding/json accepts an object that names a member twice, half of a
// surrogate pair, and bytes that are not UTF-8. Two readers of such an object
// can see two different ones, and objects hold passwords and tokens. Decode
// rejects them (RFC 7493 §2):
//
//	object, err := strictjson.Decode(text) // fails if "sub" is there twice
//	subject, ok := object.Text("sub")      // ok is false if it is no string
//
// Unmarshal fills a struct and rejects members that the struct lacks. Encode
// and AppendString write JSON without the escapes that only HTML needs.
package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits of an object.
const (
	MaxFields = 100 // members in an object
	maxDepth  = 32  // nesting of objects and arrays
)

// A Member is the name of a member, and its value as written.
type Member struct {
	Name  string
	Value json.RawMessage
}

// An Object is the members of a JSON object, in order. Decode returns only
// objects whose names differ.
type Object []Member

// Value returns the value of member name, or nil if there is none.
func (o Object) Value(name string) json.RawMessage {
	for _, m := range o {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// Has reports whether there is a member name. Its value may be null.
func (o Object) Has(name string) bool { return o.Value(name) != nil }

// Map returns the values by name.
func (o Object) Map() map[string]json.RawMessage {
	values := map[string]json.RawMessage{}
	for _, m := range o {
		values[m.Name] = m.Value
	}
	return values
}

// Text returns the value of member name if it is a string.
func (o Object) Text(name string) (text string, ok bool) {
	value := o.Value(name)
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	return Unquote(value), true
}

// A MemberError is what is wrong with one member of an object: for people What, which
// follows the name, and for programs Rule, a word such as type or unknown.
type MemberError struct {
	Name string // only its beginning, as it may be as long as a body
	Rule string
	What string
}

func (e *MemberError) Error() string { return "'" + e.Name + "' " + e.What }

// Fault returns a [MemberError] about m.
func (m Member) Fault(rule, what string) error {
	name := fmt.Sprintf("%.64s", strings.ToValidUTF8(m.Name, "\uFFFD"))
	return &MemberError{Name: name, Rule: rule, What: what}
}

// ErrTooManyFields rejects an object, or a form, with more than MaxFields
// members.
var ErrTooManyFields = fmt.Errorf("must not have more than %d fields", MaxFields)

// Decode splits a JSON object into its members, in order. It is stricter than
// encoding/json (RFC 7493 §2). It rejects duplicate names, invalid UTF-8, half
// of a surrogate pair, and anything after the object, because two readers could
// read such an object differently. The names in nested objects are not checked.
// The values are slices of data. The errors can follow "Invalid something: ".
//
// Decode splits the text by hand. json.Decoder takes two to four times as long.
// For an import, json.Decoder also allocates more than three times the size of
// the file, and Decode next to nothing (BenchmarkDecode).
func Decode(data []byte) (Object, error) {
	if !json.Valid(data) {
		return nil, json.Unmarshal(data, new(json.RawMessage)) // json.Unmarshal's error says where data is malformed
	}
	rest := bytes.TrimLeft(data, jsonBlanks)
	if rest[0] != '{' {
		return nil, errors.New("must be a JSON object")
	}
	members := make(Object, 0, 16)
	for rest = bytes.TrimLeft(rest[1:], jsonBlanks); rest[0] != '}'; {
		if len(members) == MaxFields {
			return nil, ErrTooManyFields
		}
		m, length, rule, what := cutMember(rest)
		if what != "" {
			return nil, m.Fault(rule, what)
		}
		members = append(members, m)
		rest = bytes.TrimLeft(rest[length:], jsonBlanks+",")
	}
	return Unique(members)
}

// jsonBlanks is the white space between tokens (RFC 8259 §2).
const jsonBlanks = " \t\r\n"

// cutMember reads the member at the beginning of raw, which is the rest of a
// well-formed object. rule and what describe a fault that encoding/json ignores, "" for
// none. encoding/json replaces invalid UTF-8 and half of a surrogate pair by
// U+FFFD, so that two passwords could become equal. It also accepts any depth.
func cutMember(raw []byte) (m Member, length int, rule, what string) {
	depth, deepest := 1, 1 // 1: the surrounding object
	inString := false
	colon, end := 0, 0
	for i := 0; end == 0; i++ {
		switch c := raw[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && raw[i+1] != 'u': // only strings have escapes
			i++
		case c == '\\':
			r := escapedRune(raw[i:])
			i += 5
			if utf16.IsSurrogate(r) {
				if utf16.DecodeRune(r, escapedRune(raw[i+1:])) == unicode.ReplacementChar {
					rule, what = "encoding", "must not hold half of a surrogate pair"
				} else {
					i += 6
				}
			}
		case inString:
		case c == ':' && colon == 0:
			colon = i
		case c == ',' && depth == 1:
			end = i
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			if depth--; depth == 0 {
				end = i
			}
		}
	}
	if deepest > maxDepth {
		rule, what = "depth", fmt.Sprintf("must not nest deeper than %d", maxDepth)
	}
	if !utf8.Valid(raw[:end]) {
		rule, what = "encoding", "must be valid UTF-8"
	}
	m.Name = Unquote(bytes.TrimRight(raw[:colon], jsonBlanks))
	m.Value = bytes.Trim(raw[colon+1:end], jsonBlanks)
	return m, end, rule, what
}

// Unquote returns the value of a JSON string. Few have an escape.
func Unquote(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1])
	}
	var text string
	json.Unmarshal(raw, &text) // never fails: raw is well-formed
	return text
}

// escapedRune returns the rune of the \u escape at the beginning of raw, or -1.
func escapedRune(raw []byte) rune {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(r)
}

// Unique returns members if their names differ. Other readers choose one of two
// equal names: encoding/json the last, the tutorials' Flask the first.
func Unique(members Object) (Object, error) {
	for i, m := range members { // mostly ten and at most MaxFields members, so a map would be slower
		if slices.ContainsFunc(members[:i], func(other Member) bool { return other.Name == m.Name }) {
			return nil, m.Fault("duplicate", "must be given only once")
		}
	}
	return members, nil
}

// Unmarshal is json.Unmarshal, but rejects members that v doesn't have. It
// ignores anything after the value.
func Unmarshal(data json.RawMessage, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

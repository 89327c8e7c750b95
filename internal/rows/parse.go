package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"example.com/shelf/internal/strictjson"
)

// The most that a row may be.
const (
	maxRow   = 1 << 20 // bytes of its text
	maxDepth = 32      // objects and arrays inside each other, the row included
)

// ParseObject reads a JSON object. It is stricter than encoding/json (RFC 7493 §2):
// it rejects an object, nested ones included, that names a member twice, half of a
// surrogate pair, and bytes that are not UTF-8. A row is at most 1 MiB of compact
// JSON and 32 levels deep.
//
// Numbers stay exactly as they were sent. In texts only what JSON must escape is
// escaped, as JavaScript writes it, so one text has one spelling.
func ParseObject(text []byte) (Object, error) {
	raw, err := ParseValue(text)
	if err != nil {
		return Object{}, err
	}
	if raw[0] != '{' {
		return Object{}, &Error{Invalid, "must be a JSON object: write {\"name\": value}, not " + kindOf(raw).article()}
	}
	o := Members(raw)
	return o, o.Fits()
}

// ParseValue reads any JSON value with the rules of [ParseObject], and returns it
// as compact JSON. The value may be of any size.
func ParseValue(text []byte) (raw string, err error) {
	if !utf8.Valid(text) {
		return "", &Error{Invalid, "must be valid UTF-8: save or send the text as UTF-8"}
	}
	if slip := strictjson.FindSlip(text); slip != nil {
		return "", &Error{Invalid, "malformed JSON: " + slip.Error()}
	}
	return parseValid(text)
}

// parseValid is ParseValue for a text that is known to be JSON in UTF-8.
func parseValid(text []byte) (raw string, err error) {
	p := parser{text: text, out: make([]byte, 0, len(text))}
	if what := p.value(1); what != "" {
		return "", &Error{Invalid, what}
	}
	return string(p.out), nil
}

// A parser writes well-formed JSON again, compactly. Its methods return what is
// wrong, "" for nothing.
type parser struct {
	text  []byte // what is still to be read
	out   []byte
	names []span // of the objects that are open: a stack
}

// A span is a piece of parser.out.
type span struct{ from, to int }

// next steps over blanks and returns the byte that follows.
func (p *parser) next() byte {
	p.text = bytes.TrimLeft(p.text, " \t\r\n")
	return p.text[0]
}

// copy writes n bytes as they stand.
func (p *parser) copy(n int) {
	p.out = append(p.out, p.text[:n]...)
	p.text = p.text[n:]
}

// value reads a value that would be the depth'th level, were it an object or array.
func (p *parser) value(depth int) (wrong string) {
	switch c := p.next(); {
	case c == '"':
		return p.string()
	case c != '{' && c != '[':
		end := bytes.IndexAny(p.text, ",]} \t\r\n")
		if end < 0 {
			end = len(p.text)
		}
		p.copy(end)
		return ""
	case depth > maxDepth:
		return fmt.Sprintf("must not nest deeper than %d levels", maxDepth)
	case c == '{':
		return p.object(depth)
	}
	p.copy(1)
	for p.next() != ']' {
		if wrong = p.value(depth + 1); wrong != "" {
			return wrong
		}
		if p.next() == ',' {
			p.copy(1)
		}
	}
	p.copy(1)
	return ""
}

func (p *parser) object(depth int) (wrong string) {
	outer := len(p.names)
	var known map[string]bool // of the names, once they are many
	p.copy(1)
	for p.next() != '}' {
		from := len(p.out)
		if wrong = p.string(); wrong != "" {
			return wrong
		}
		name := p.out[from:]
		if p.repeated(outer, name, &known) {
			return fmt.Sprintf("'%.64s' must be given only once: remove one of them", strings.ToValidUTF8(unescaped(string(name[1:len(name)-1])), "\uFFFD"))
		}
		p.names = append(p.names, span{from, len(p.out)})
		p.next()
		p.copy(1) // the colon
		if wrong = p.value(depth + 1); wrong != "" {
			return wrong
		}
		if p.next() == ',' {
			p.copy(1)
		}
	}
	p.copy(1)
	p.names = p.names[:outer]
	return ""
}

// repeated reports whether the object whose names begin at outer has that name
// already. From 16 names on it keeps them in a map.
func (p *parser) repeated(outer int, name []byte, known *map[string]bool) bool {
	names := p.names[outer:]
	if len(names) < 16 {
		return slices.ContainsFunc(names, func(s span) bool { return bytes.Equal(p.out[s.from:s.to], name) })
	}
	if *known == nil {
		*known = make(map[string]bool, 4*len(names))
		for _, s := range names {
			(*known)[string(p.out[s.from:s.to])] = true
		}
	}
	if (*known)[string(name)] {
		return true
	}
	(*known)[string(name)] = true
	return false
}

// string writes a string in its one spelling.
func (p *parser) string() (wrong string) {
	p.copy(1)
	for {
		n := bytes.IndexAny(p.text, `"\`)
		p.copy(n)
		if p.text[0] == '"' {
			p.copy(1)
			return ""
		}
		switch c := p.text[1]; c {
		case 'u':
			r, n := escapedRune(p.text)
			if n == 0 {
				return "must not hold half of a surrogate pair: send the whole character"
			}
			p.out = appendEscaped(p.out, string(r))
			p.text = p.text[n:]
		case '/':
			p.text = p.text[1:]
			p.copy(1)
		default:
			p.copy(2)
		}
	}
}

// escapedRune returns the character whose \u escapes text begins with, and their
// length: 0 for half of a surrogate pair.
func escapedRune(text []byte) (r rune, length int) {
	unit := func(text []byte) rune {
		if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
			return -1
		}
		var r rune
		for _, c := range text[2:6] {
			r = r<<4 | rune(hexDigit(c))
		}
		return r
	}
	r = unit(text)
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if r = utf16.DecodeRune(r, unit(text[6:])); r == utf8.RuneError {
		return r, 0
	}
	return r, 12
}

// hexDigit returns the value of a hexadecimal digit.
func hexDigit(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// escaped returns what stands between the quotes of a JSON string that says text.
func escaped(text string) string {
	for i := range len(text) {
		if c := text[i]; c < 0x20 || c == '"' || c == '\\' {
			return string(appendEscaped(nil, text))
		}
	}
	return text
}

// appendEscaped appends text as it stands in a row. It escapes what JSON must, and
// that as JavaScript does: U+2028 and < stay what they are.
func appendEscaped(b []byte, text string) []byte {
	const short = "\b\f\n\r\t\"\\"
	for i := range len(text) {
		c := text[i]
		if at := strings.IndexByte(short, c); at >= 0 {
			b = append(b, '\\', `bfnrt"\`[at])
		} else if c < 0x20 {
			b = fmt.Appendf(b, `\u%04x`, c)
		} else {
			b = append(b, c)
		}
	}
	return b
}

// unescaped returns what a JSON string says. raw is what stands between its quotes.
func unescaped(raw string) string {
	if strings.IndexByte(raw, '\\') < 0 {
		return raw
	}
	var text string
	json.Unmarshal([]byte(`"`+raw+`"`), &text) // can't fail: a row's text is well-formed
	return text
}

// Quote returns text as a JSON string, in the one spelling that rows have. Bytes
// that are not UTF-8 become U+FFFD.
func Quote(text string) string { return `"` + escaped(strings.ToValidUTF8(text, "\uFFFD")) + `"` }

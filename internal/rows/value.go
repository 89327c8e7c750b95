package rows

import (
	"cmp"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// A kind is the type of a JSON value. The kinds are in the order of a sort.
type kind int

const (
	kindBoolean kind = iota
	kindNumber
	kindText
	kindArray
	kindObject
	kindNull
	kindAbsent
)

// kindOf returns the type of a raw value, absent for "".
func kindOf(raw string) kind {
	if raw == "" {
		return kindAbsent
	}
	switch raw[0] {
	case '"':
		return kindText
	case '{':
		return kindObject
	case '[':
		return kindArray
	case 'n':
		return kindNull
	case 't', 'f':
		return kindBoolean
	}
	return kindNumber
}

// article returns the type as a sentence needs it.
func (k kind) article() string {
	return [...]string{"a boolean", "a number", "a text", "an array", "an object", "null", "nothing"}[k]
}

// Text returns what a filter compares: a string without its quotes, a number as
// JavaScript prints it, true or false, and the JSON of an array or an object.
// ok is false for null and for a field that is absent.
func Text(raw string) (content string, ok bool) {
	switch kindOf(raw) {
	case kindText:
		return unescaped(raw[1 : len(raw)-1]), true
	case kindNumber:
		return numberText(raw), true
	case kindNull, kindAbsent:
		return "", false
	}
	return raw, true
}

// KeyText returns the text of a value that names a row or an account: an id, a
// userId, a foreign key. It returns "" for a value that names none: null, absent,
// an object or an array.
func KeyText(raw string) string {
	switch kindOf(raw) {
	case kindArray, kindObject:
		return ""
	}
	content, _ := Text(raw)
	return content
}

// numberText returns a number as JavaScript prints it: 1.5 for 1.50, 1e+21 for
// 1E21. A whole number in plain digits keeps them all, also beyond 2^53, where
// JavaScript would round it.
func numberText(raw string) string {
	if isPrinted(raw) {
		return raw
	}
	f, _ := strconv.ParseFloat(raw, 64) // out of range: it is infinite
	return floatText(f)
}

// isPrinted reports whether a number is surely spelt as JavaScript prints it. Most
// numbers are, and need no conversion.
func isPrinted(raw string) bool {
	digits := strings.TrimPrefix(raw, "-")
	point := -1
	for i := range len(digits) {
		switch c := digits[i]; {
		case c == '.':
			point = i
		case c < '0' || c > '9':
			return false // an exponent
		}
	}
	if point < 0 {
		return len(digits) <= 21 && raw != "-0"
	}
	return len(digits) <= 16 && digits[len(digits)-1] != '0' && // 15 digits survive a conversion
		!strings.HasPrefix(digits, "0.000000")
}

// isWhole reports whether a number is in plain digits.
func isWhole(raw string) bool { return !strings.ContainsAny(raw, ".eE") }

// floatText is Number.prototype.toString (ECMA-262 §6.1.6.1.20).
func floatText(f float64) string {
	size := math.Abs(f)
	switch {
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	case size == 0:
		return "0"
	case size >= 1e-6 && size < 1e21:
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	digits, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	return digits + "e" + exponent[:1] + strings.TrimLeft(exponent[1:], "0")
}

// readNumber reads a text as JavaScript's Number does (ECMA-262 §7.1.4.1): blanks
// around it don't count, nothing is 0, and 0x10 is 16. It returns NaN for what is no
// number.
func readNumber(s string) float64 {
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) && r != 0x85 || r == 0xfeff })
	switch strings.TrimLeft(s, "+-") {
	case "":
		if s == "" {
			return 0
		}
	case "Infinity":
		s = strings.TrimSuffix(s, "inity")
	default:
		if len(s) > 2 && s[0] == '0' && strings.IndexByte("xXoObB", s[1]) >= 0 {
			return readRadix(s[2:], map[byte]float64{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20])
		}
		if strings.Trim(s, "0123456789.eE+-") != "" {
			return math.NaN()
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return math.NaN()
	}
	return f
}

// readRadix reads digits to a base of at most 16.
func readRadix(digits string, base float64) (f float64) {
	for i := range len(digits) {
		digit := strings.IndexByte("0123456789abcdef", digits[i]|0x20)
		if digit < 0 || float64(digit) >= base || digits[i] < '0' {
			return math.NaN()
		}
		f = f*base + float64(digit)
	}
	return f
}

// compareTexts orders texts by UTF-16 code unit, as JavaScript does: Z before a, and
// a before é. UTF-8 has the same order, but for characters beyond U+FFFF. UTF-16
// writes these as surrogates, which come before U+E000.
func compareTexts(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return cmp.Compare(utf16Order(a[i]), utf16Order(b[i]))
		}
	}
	return cmp.Compare(len(a), len(b))
}

// utf16Order returns a byte of UTF-8 whose order is that of UTF-16: the first bytes
// of characters beyond U+FFFF, 0xf0 to 0xf4, come before those of U+E000 and above,
// 0xee and 0xef.
func utf16Order(c byte) byte {
	switch {
	case c >= 0xf0:
		return c - 2
	case c >= 0xee:
		return c + 5
	}
	return c
}

// A sortKey is what a sort compares of a value.
type sortKey struct {
	kind   kind
	number float64 // of a number; 1 for true
	prefix uint64  // the first bytes of a text, in the order of compareTexts
	text   string  // of all but booleans, null and absent
}

func keyOf(raw string) sortKey {
	key := sortKey{kind: kindOf(raw)}
	switch key.kind {
	case kindBoolean:
		if raw == "true" {
			key.number = 1
		}
	case kindNumber:
		key.number, _ = strconv.ParseFloat(raw, 64)
		key.text = raw
	case kindText:
		key.setText(unescaped(raw[1 : len(raw)-1]))
	case kindArray, kindObject:
		key.setText(raw)
	}
	return key
}

// setText gives the key a text and its prefix. Most texts differ in their first bytes,
// and comparing these is twice as fast as looking at both texts.
func (k *sortKey) setText(text string) {
	k.text = text
	for i := range 8 {
		k.prefix <<= 8
		if i < len(text) {
			k.prefix |= uint64(utf16Order(text[i]))
		}
	}
}

// compare orders values by type, and values of one type by value.
func (k *sortKey) compare(other *sortKey) int {
	switch {
	case k.kind != other.kind:
		return cmp.Compare(k.kind, other.kind)
	case k.prefix != other.prefix:
		return cmp.Compare(k.prefix, other.prefix)
	case k.kind == kindText, k.kind == kindArray, k.kind == kindObject:
		return compareTexts(k.text, other.text)
	case k.number != other.number, math.Abs(k.number) < 1<<53:
		return cmp.Compare(k.number, other.number)
	}
	return compareWhole(k.text, other.text)
}

// compareWhole orders two numbers that are equal as float64. They differ only if
// both are whole and have more digits than a float64 keeps.
func compareWhole(a, b string) int {
	if !isWhole(a) || !isWhole(b) {
		return 0
	}
	order := cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	if a[0] == '-' {
		return -order
	}
	return order
}

// A bound is the value of _gte, _lte, _gt or _lt.
type bound struct {
	number sortKey // the text, read as a number
	isNaN  bool
	text   string
}

func newBound(s string) bound {
	b := bound{text: s, number: sortKey{kind: kindNumber, number: readNumber(s), text: strings.TrimSpace(s)}}
	if b.isNaN = math.IsNaN(b.number.number); !b.isNaN && !json.Valid([]byte(b.number.text)) {
		b.number.text = "." // not whole, as JSON writes that
	}
	return b
}

// compare compares a value with the bound as JavaScript does: a number and a boolean
// with the bound read as a number, all else as text. ok is false where nothing can
// be compared: null, absent, or a bound that is no number.
func (b *bound) compare(raw string) (order int, ok bool) {
	switch kindOf(raw) {
	case kindNull, kindAbsent:
		return 0, false
	case kindBoolean, kindNumber:
		key := keyOf(raw)
		key.kind = kindNumber
		return key.compare(&b.number), !b.isNaN
	}
	content, _ := Text(raw)
	return compareTexts(content, b.text), true
}

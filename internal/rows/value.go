package rows

import (
	"math"
	"strconv"
	"strings"
)

// A kind is the type of a JSON value. The kinds are in the order of a sort.
type kind int

const (
	boolean kind = iota
	number
	text
	array
	object
	null
	absent
)

// kindOf returns the type of a raw value, absent for "".
func kindOf(raw string) kind {
	if raw == "" {
		return absent
	}
	switch raw[0] {
	case '"':
		return text
	case '{':
		return object
	case '[':
		return array
	case 'n':
		return null
	case 't', 'f':
		return boolean
	}
	return number
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
	case text:
		return unescaped(raw[1 : len(raw)-1]), true
	case number:
		return numberText(raw), true
	case null, absent:
		return "", false
	}
	return raw, true
}

// KeyText returns the text of a value that names a row or an account: an id, a
// userId, a foreign key. It returns "" for a value that names none: null, absent,
// an object or an array.
func KeyText(raw string) string {
	switch kindOf(raw) {
	case array, object:
		return ""
	}
	content, _ := Text(raw)
	return content
}

// numberText returns a number as JavaScript prints it: 1.5 for 1.50, 1e+21 for
// 1E21. A whole number in plain digits keeps them all, also beyond 2^53, where
// JavaScript would round it.
func numberText(raw string) string {
	if raw == "-0" {
		return "0"
	}
	if len(raw) <= 21 && strings.IndexFunc(raw, notDigit) < 0 || isNegativeWhole(raw) {
		return raw
	}
	f, _ := strconv.ParseFloat(raw, 64) // out of range: it is infinite
	return floatText(f)
}

func notDigit(r rune) bool { return r < '0' || r > '9' }

func isNegativeWhole(raw string) bool {
	return raw[0] == '-' && len(raw) <= 22 && strings.IndexFunc(raw[1:], notDigit) < 0
}

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

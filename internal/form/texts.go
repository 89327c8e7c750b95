package form

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Within reports whether s is neither blank nor longer than max code points.
func Within(s string, max int) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= max
}

// Visible reports whether s holds nothing but characters that can be seen, and
// spaces: no control characters, line breaks, zero-width characters or marks that
// turn the direction of text around. With those two names look alike (Unicode
// TR 36 §2, CWE-1007), or a log line is broken in two (CWE-117). Names that look alike
// otherwise, as by accents that are written in two ways, stay different.
func Visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2800' || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp,
			unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
	})
}

// ID reads an id from a path. ok is false unless s is made of ASCII
// digits. A number too large for an int is an id all the same, and -1 stands
// for it: no row has that, so that it isn't found rather than wrong.
func ID(s string) (id int, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.Atoi(s)
	if err != nil {
		return -1, true
	}
	return id, true
}

// Package term is about the person at a terminal: whether there is one, what may
// be shown to them, how wide it may be, and how they type a password unseen.
package term

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Width is where lines end, for a terminal of 80 columns.
const Width = 79

// IsTerminal reports whether somebody may be there to read w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nowhere, err := os.Stat(os.DevNull) // a character device as well, and nobody is there to read
	return err != nil || !os.SameFile(info, nowhere)
}

// Wrap breaks a text at its blanks into lines of a width in characters.
func Wrap(text string, width int) []string {
	lines := []string{""}
	for word := range strings.FieldsSeq(text) {
		last := &lines[len(lines)-1]
		switch word = Clip(word, width); {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// Printable replaces what could do more to a terminal than show a character:
// whoever wrote the token may want it to, and anybody can sign up under almost
// any name (CWE-150).
func Printable(s string) string {
	if !slices.ContainsFunc([]rune(s), func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var safe strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			safe.WriteRune(r)
		} else {
			fmt.Fprintf(&safe, "\\u%04x", r)
		}
	}
	return safe.String()
}

// Clip cuts s to a width in characters.
func Clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

// Package term handles the person at a terminal: whether there is one, which
// characters are safe to show, colours, how far something is, the width of
// lines, questions, and passwords typed without echo.
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

// Width is the length of lines for a terminal of 80 columns.
const Width = 79

// IsTerminal reports whether w, or what a [Screen] w writes to, is a terminal that a
// person may read.
func IsTerminal(w io.Writer) bool {
	if s, ok := w.(*Screen); ok {
		return s.terminal
	}
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	nowhere, err := os.Stat(os.DevNull) // also a character device, but nobody reads it
	return err != nil || !os.SameFile(info, nowhere)
}

// Wrap splits text at its blanks into lines of at most width characters.
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

// Printable escapes all characters but printable ones. Others could control the
// terminal, and a token or a user name may contain them (CWE-150).
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

// Clip shortens s to width characters.
func Clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width-1)]) + "…"
}

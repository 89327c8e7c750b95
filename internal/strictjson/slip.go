package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Slip is a syntax error in JSON: its position, and a guess at the mistake.
// Error is one line. Show returns the line of the text with a caret below.
type Slip struct {
	Line, Column int // from 1; columns are characters
	What         string
	text         []byte // the line
	quotes       bool   // What ends with a colon and a word of the text
}

func (s *Slip) Error() string { return fmt.Sprintf("line %d, column %d: %s", s.Line, s.Column, s.What) }

// Discreet is Error without any word of the text, which may be secret.
func (s *Slip) Discreet() string {
	what := s.What
	if s.quotes {
		what, _, _ = strings.Cut(what, ":")
	}
	return fmt.Sprintf("line %d, column %d: %s", s.Line, s.Column, what)
}

// Show returns the line of the text around the error, and a line with a caret
// below it. It returns "" for text that can't be shown.
func (s *Slip) Show() string {
	if !utf8.Valid(s.text) {
		return ""
	}
	const before, after = 60, 40 // in characters; a whole file may be one line
	line := []rune(string(s.text))
	at := min(s.Column-1, len(line))
	from, to := max(0, at-before), min(len(line), at+after)
	shown := strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, string(line[from:to]))
	return fmt.Sprintf("    %s\n    %s^\n", shown, strings.Repeat(" ", at-from))
}

// FindSlip returns the syntax error in text, or nil if text is one JSON value.
func FindSlip(text []byte) *Slip {
	if json.Valid(text) {
		return nil
	}
	var fault *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); !errors.As(err, &fault) {
		return nil
	}
	at := int(fault.Offset) - 1 // Offset counts the wrong byte too
	if at < 0 || strings.HasPrefix(fault.Error(), "unexpected end") {
		at = len(text)
	}
	at, what := guess(text, min(at, len(text)), fault.Error())
	quotes := strings.Contains(what, "without quotes: write")
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	line, _, _ := bytes.Cut(text[start:], []byte("\n"))
	return &Slip{
		Line:   bytes.Count(text[:at], []byte("\n")) + 1,
		Column: utf8.RuneCount(text[start:at]) + 1,
		What:   what,
		quotes: quotes,
		text:   bytes.TrimSuffix(line, []byte("\r")),
	}
}

// words maps words of other languages to those of JSON.
var words = map[string]string{
	"NaN": "null", "nan": "null", "Infinity": "null", "-Infinity": "null", "inf": "null", "-inf": "null", "undefined": "null",
	"None": "null", "nil": "null", "NULL": "null", "Null": "null", "True": "true", "TRUE": "true", "False": "false", "FALSE": "false",
}

// guess returns the most likely mistake at offset at, and its exact offset.
// says is the message of encoding/json.
func guess(text []byte, at int, says string) (int, string) {
	if len(text) > 1 && (text[0] == 0xff && text[1] == 0xfe || text[0] == 0xfe && text[1] == 0xff || text[0] == 0 || text[1] == 0) {
		return 0, "the file is in UTF-16: save it as UTF-8"
	}
	if bytes.HasPrefix(text, []byte("\ufeff")) && at < 3 {
		return 0, "a byte order mark: save the file as UTF-8 without one"
	}
	rest := text[at:]
	previous := len(bytes.TrimRight(text[:at], jsonBlanks)) - 1
	after := func(c string) bool { return previous >= 0 && strings.IndexByte(c, text[previous]) >= 0 }
	if len(rest) == 0 {
		return previous + 1, "the text ends here, and a bracket, a brace or a quote is still open: is the file whole?"
	}
	inString := strings.Contains(says, "in string")
	switch word := wordAt(text, at); {
	case strings.Contains(says, "in string escape") || strings.Contains(says, "hexadecimal"):
		return at, `a backslash that begins no escape: write \\ for a backslash`
	case inString && (rest[0] == '\n' || rest[0] == '\r'):
		return at, `a line ends inside a text: close the quote, or write \n`
	case inString:
		return at, `a control character inside a text: write \t for a tab, \u and four hex digits for others`
	case (rest[0] == ']' || rest[0] == '}') && after(","):
		return previous, "a comma with nothing behind it: remove it"
	case rest[0] == ',' && after(",[{"):
		return at, "a comma with nothing before it: remove it"
	case bytes.HasPrefix(rest, []byte("//")) || bytes.HasPrefix(rest, []byte("/*")) || rest[0] == '#':
		return at, "a comment, which JSON doesn't have: remove it"
	case rest[0] == '\'':
		return at, `a single quote: names and texts stand in double quotes, as "ball"`
	case bytes.HasPrefix(rest, []byte("“")) || bytes.HasPrefix(rest, []byte("”")) || bytes.HasPrefix(rest, []byte("„")):
		return at, `a typographic quote: names and texts stand in plain double quotes, as "ball"`
	case strings.Contains(says, "looking for beginning of object key") && word.text != "":
		return word.at, fmt.Sprintf(`a name without quotes: write "%.40s"`, word.text)
	case words[word.text] != "":
		return word.at, fmt.Sprintf("%s is not JSON: write %s", word.text, words[word.text])
	case strings.Contains(says, "after top-level value"):
		return at, "something follows the end: remove it, or a bracket closes too early"
	case strings.Contains(says, "after object key:value pair") || strings.Contains(says, "after array element"):
		if rest[0] == ']' || rest[0] == '}' {
			return at, "the wrong bracket: { goes with }, and [ with ]"
		}
		return at, "a comma is missing before this"
	case strings.Contains(says, "after object key"):
		return at, "a colon is missing before this"
	case strings.Contains(says, "numeric literal") || strings.Contains(says, "decimal point") || strings.Contains(says, "exponent") || rest[0] == '+' || rest[0] == '.':
		return at, "not a number as JSON writes it: 0.5 rather than .5, 5 rather than +5"
	case word.text != "":
		return word.at, fmt.Sprintf(`a text without quotes: write "%.40s"`, word.text)
	}
	return at, "not JSON: {, [, a quote, a number, true, false or null should stand here"
}

// A wordIn is a word and its offset.
type wordIn struct {
	text string
	at   int
}

// wordAt returns the word around offset at, such as undefined.
func wordAt(text []byte, at int) wordIn {
	isPart := func(c byte) bool {
		return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
	}
	if !isPart(text[at]) && text[at] != '-' {
		return wordIn{}
	}
	from, to := at, at+1
	for from > 0 && (isPart(text[from-1]) || text[from-1] == '-') {
		from--
	}
	for to < len(text) && isPart(text[to]) {
		to++
	}
	if first := text[from]; first >= '0' && first <= '9' {
		return wordIn{}
	}
	return wordIn{string(text[from:to]), from}
}

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"unicode/utf16"
	"unicode/utf8"
)

// A dotenvValue is the value of one KEY=VALUE in .env.
type dotenvValue struct {
	value string
	line  int    // of its first line, from 1
	fault string // why the line is unreadable; "": it is readable
}

// readDotenv reads .env if there is one. It ignores a folder of that name: some
// Python projects keep their virtual environment there.
func readDotenv(read func() ([]byte, error), ours func() *regexp.Regexp) (map[string]dotenvValue, error) {
	text, err := read()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading .env: %w", err)
	}
	return parseDotenv(dotenvText(text), ours()), nil
}

// dotenvText returns the content of .env in UTF-8 with line feeds. PowerShell
// writes UTF-16, and many Windows programs add a byte order mark.
func dotenvText(b []byte) string {
	high := -1 // index of the high byte of two
	switch {
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}) || len(b) > 1 && b[0] != 0 && b[1] == 0:
		high = 1
	case bytes.HasPrefix(b, []byte{0xfe, 0xff}) || len(b) > 1 && b[0] == 0 && b[1] != 0:
		high = 0
	}
	text := string(b)
	if high >= 0 {
		units := make([]uint16, len(b)/2)
		for i := range units {
			units[i] = uint16(b[2*i+high])<<8 | uint16(b[2*i+1-high])
		}
		text = string(utf16.Decode(units))
	}
	text = strings.TrimPrefix(text, "\ufeff")
	if !strings.Contains(text, "\n") {
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text
}

// dotenv holds what the lines of .env look like. It is compiled when there is such a
// file.
var dotenv = sync.OnceValue(func() dotenvPatterns {
	return dotenvPatterns{
		name:   regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*$`),
		quoted: regexp.MustCompile(`^[ \t]*(?s:'([^']*)'|"((?:[^"\\]|\\.)*)")[ \t\r]*(?:#[^\n]*)?(?:\n|$)`),
		escape: strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`, `\$`, `$`),
		remark: regexp.MustCompile(`\s#.*`),
		export: regexp.MustCompile(`^\s*export(?:\s+[A-Za-z_][A-Za-z0-9_]*)+\s*$`),
	}
})

type dotenvPatterns struct {
	name, quoted, remark, export *regexp.Regexp
	escape                       *strings.Replacer
}

// ourLine matches lines that set, or try to set, a variable of this program.
// The name comes first, or after the words and signs of shells and YAML.
func ourLine(prefix string, variables []string) *regexp.Regexp {
	names := []string{regexp.QuoteMeta(prefix) + `\w+`}
	for _, name := range variables {
		names = append(names, regexp.QuoteMeta(name))
	}
	return regexp.MustCompile(`^(?:[^\w#;/]|(?:export|set|setenv|declare|env|-x)\b)*(` + strings.Join(names, "|") + `)(?:\W|$)`)
}

// parseDotenv reads lines of KEY=VALUE, with or without "export". The last line
// for a name counts. A value in single quotes is literal. A value in double
// quotes may contain \n \" \\ and \$. Both may span lines. An unquoted value
// ends at the end of its line, or at a # after a blank. Nothing is expanded.
//
// Other programs with other rules use the file too. An unreadable line is
// therefore ignored, unless it names a variable of ours: then its fault is
// kept. No fault shows a value, which may be secret.
func parseDotenv(text string, ours *regexp.Regexp) map[string]dotenvValue {
	values := map[string]dotenvValue{}
	for line := 1; text != ""; {
		current, rest, _ := strings.Cut(text, "\n")
		name, value, isPair := strings.Cut(current, "=")
		match := dotenv().name.FindStringSubmatch(name)
		fault := ""
		switch start := strings.TrimSpace(current); {
		case start == "" || start[0] == '#':
		case !isPair || match == nil:
			fault = "want KEY=VALUE"
		default:
			if quoted := dotenv().quoted.FindStringSubmatch(text[len(name)+1:]); quoted != nil {
				value = quoted[1] + dotenv().escape.Replace(quoted[2]) // one of the two is empty
				rest = text[len(name)+1+len(quoted[0]):]
			} else if value = strings.TrimSpace(dotenv().remark.ReplaceAllString(value, "")); strings.IndexAny(value, `'"`) == 0 {
				fault = "a quote is not closed, or something follows the closing one"
			}
			if !utf8.ValidString(value) {
				fault = "the value is not UTF-8"
			}
			if fault == "" {
				values[match[1]] = dotenvValue{value: value, line: line}
			}
		}
		if fault != "" {
			keepFault(values, current, line, fault, ours)
		}
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		text = rest
	}
	return values
}

// keepFault records the fault of a line that names a variable of ours.
func keepFault(values map[string]dotenvValue, text string, line int, fault string, ours *regexp.Regexp) {
	match := ours.FindStringSubmatch(text)
	if match == nil {
		return
	}
	name := match[1]
	if _, known := values[name]; known && dotenv().export.MatchString(text) {
		return // a shell exports a variable here that an earlier line has set
	}
	values[name] = dotenvValue{line: line, fault: fault}
}

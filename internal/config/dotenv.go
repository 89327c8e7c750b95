package config

import (
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"syscall"
)

// A dotenvValue is the right side of one KEY=VALUE of a .env file.
type dotenvValue struct {
	value string
	line  int // where it begins, from 1
}

// readDotenv reads .env if there is one. A folder of that name is none: many a
// Python project keeps its virtual environment there.
func readDotenv(read func() ([]byte, error)) (map[string]dotenvValue, error) {
	text, err := read()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EISDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading .env: %w", err)
	}
	return parseDotenv(string(text))
}

var (
	dotenvName   = regexp.MustCompile(`^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.-]*)\s*$`)
	dotenvQuoted = regexp.MustCompile(`^[ \t]*(?s:'([^']*)'|"((?:[^"\\]|\\.)*)")[ \t\r]*(?:#[^\n]*)?(?:\n|$)`)
	dotenvEscape = strings.NewReplacer(`\n`, "\n", `\"`, `"`, `\\`, `\`, `\$`, `$`)
	dotenvRemark = regexp.MustCompile(`\s#.*`)
)

// parseDotenv reads KEY=VALUE lines, with or without "export" before them; of
// two with one name the last counts. A value in single quotes is taken as it is;
// one in double quotes may hold \n \" \\ and \$; either may span lines. Any other
// ends with its line, or at a # after a blank. Nothing is expanded, and no error
// shows a value: it may be a secret.
func parseDotenv(text string) (map[string]dotenvValue, error) {
	values := map[string]dotenvValue{}
	text = strings.TrimPrefix(text, "\ufeff") // some Windows editors begin a file with this mark
	for line := 1; text != ""; {
		current, rest, _ := strings.Cut(text, "\n")
		name, value, isPair := strings.Cut(current, "=")
		match := dotenvName.FindStringSubmatch(name)
		switch start := strings.TrimSpace(current); {
		case start == "" || start[0] == '#':
		case !isPair || match == nil:
			return nil, fmt.Errorf(".env line %d: want KEY=VALUE, in UTF-8", line)
		default:
			if quoted := dotenvQuoted.FindStringSubmatch(text[len(name)+1:]); quoted != nil {
				value = quoted[1] + dotenvEscape.Replace(quoted[2]) // one of the two is empty
				rest = text[len(name)+1+len(quoted[0]):]
			} else if value = strings.TrimSpace(dotenvRemark.ReplaceAllString(value, "")); strings.IndexAny(value, `'"`) == 0 {
				return nil, fmt.Errorf(".env line %d: a quote is not closed, or something follows the closing one", line)
			}
			values[match[1]] = dotenvValue{value, line}
		}
		line += strings.Count(text[:len(text)-len(rest)], "\n")
		text = rest
	}
	return values, nil
}

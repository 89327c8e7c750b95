package explain

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"example.com/shelf/internal/term"
)

// A Stop is a place in the code that a reader should look at.
type Stop struct {
	Heading   string
	Functions []Function // in the order of the calls
	Why       string
	Source    string // the document with the rule
	URL       string // of that document
}

// A Function is one row of a stop's table.
type Function struct {
	Place string // "FILE: FUNCTION"
	Does  string
}

var (
	tourHeading = regexp.MustCompile(`^### \d+\. (.+)$`)
	tourRow     = regexp.MustCompile("^\\| `([^`]+: [^`]+)` \\| (.+) \\|$")
	tourSource  = regexp.MustCompile(`^\[(.+)\]\((https://\S+)\)$`)
)

// Stops returns the stops of a reading guide, which is Markdown: each has a numbered
// heading, a table of functions, the reason, and a link to its source.
func Stops(guide string) (stops []Stop) {
	for line := range strings.Lines(guide) {
		line = strings.TrimSpace(line)
		if m := tourHeading.FindStringSubmatch(line); m != nil {
			stops = append(stops, Stop{Heading: m[1]})
			continue
		}
		if len(stops) == 0 {
			continue
		}
		s := &stops[len(stops)-1]
		switch row, source := tourRow.FindStringSubmatch(line), tourSource.FindStringSubmatch(line); {
		case row != nil:
			s.Functions = append(s.Functions, Function{row[1], plain(row[2])})
		case source != nil:
			s.Source, s.URL = source[1], source[2]
		case line != "" && !strings.HasPrefix(line, "|") && s.Source == "":
			s.Why = strings.TrimSpace(s.Why + " " + plain(line))
		}
	}
	return stops
}

// plain removes the marks of Markdown.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// Tour prints the stops of a reading guide for a terminal of 80 columns.
func Tour(w io.Writer, guide string) {
	fmt.Fprintln(w, "The life of a token, from sign-up to a restart. docs/reading.md has more.")
	for i, s := range Stops(guide) {
		fmt.Fprintf(w, "\n%d. %s\n\n", i+1, s.Heading)
		for _, f := range s.Functions {
			fmt.Fprintf(w, "     %s\n", f.Place)
			for _, line := range term.Wrap(f.Does, term.Width-9) {
				fmt.Fprintf(w, "         %s\n", line)
			}
		}
		fmt.Fprintln(w)
		for _, line := range term.Wrap(s.Why, term.Width-3) {
			fmt.Fprintf(w, "   %s\n", line)
		}
		fmt.Fprintf(w, "\n   %s\n   %s\n", s.Source, s.URL)
	}
}

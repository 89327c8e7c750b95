//go:build unix

package program_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the part of docs/settings.md that shelf help has")

// helpText is what shelf help all prints.
func helpText(t *testing.T) string {
	t.Helper()
	status, help, stderr := runShelf(t, t.TempDir(), nil, "help", "all")
	if status != 0 {
		t.Fatal(stderr)
	}
	return help
}

var (
	route    = regexp.MustCompile(`^(GET|POST|PUT|PATCH|DELETE) (/[^\s?` + "`" + `]*)`)
	flagName = regexp.MustCompile(`(?:^|[ [])-([a-z][a-z-]+)`)
	variable = regexp.MustCompile(`^SHELF_[A-Z_]+`)
	goFlag   = regexp.MustCompile(`flags?\.[A-Z][A-Za-z]*\((?:&[^,]+, )?"([a-z]+)"`)
	inTree   = regexp.MustCompile(`^(?:\./|\.ci/|internal/|test/|examples/|docs/|console/)[A-Za-z0-9_./-]+`)
)

// What a document names is there: commands, flags, variables, routes and files. And
// no command and no route is left out of the documents.
func TestDocumentNames(t *testing.T) {
	t.Parallel()
	help := helpText(t)
	dir := t.TempDir()
	writeTestFile(t, dir, "db.json", "{}")
	withCollections := openAPIRoutes(t, startShelf(t, dir, "db.json").send("GET /openapi.json", "", "").body)
	told := map[string]bool{}
	for _, d := range documents(t) {
		if d.name == "docs/CHANGELOG.md" {
			continue // a history may name what has gone
		}
		spans := d.codeSpans()
		_, blocks := d.parts()
		for _, b := range blocks {
			for line := range strings.Lines(b.text) {
				if typed, ok := strings.CutPrefix(line, "$ "); ok || b.language != "console" {
					spans = append(spans, typed)
				}
			}
		}
		for _, span := range spans {
			span = strings.TrimSpace(span)
			if m := route.FindStringSubmatch(span); m != nil {
				told[m[1]+" "+m[2]] = true
				if !withCollections[m[1]+" "+m[2]] {
					t.Errorf("%s: there is no route `%s`", d.name, span)
				}
			}
			name, _, _ := strings.Cut(span, " ")
			name = strings.TrimSuffix(name, ":") // FILE: FUNCTION; TestReadingPath looks for the function
			if inTree.MatchString(name) && !exists(filepath.Join(repository, name)) {
				t.Errorf("%s: there is no file `%s`", d.name, name)
			}
			if v := variable.FindString(span); v != "" && !strings.Contains(help, v) {
				t.Errorf("%s: the help has no `%s`", d.name, v)
			}
			if arguments, ok := strings.CutPrefix(span, "shelf "); ok {
				told["shelf "+strings.Fields(arguments)[0]] = true
				if first := strings.Fields(arguments)[0]; first[0] != '-' && filepath.Ext(first) != ".json" && !strings.Contains(help, "\n  shelf "+first) {
					t.Errorf("%s: there is no command `%s`", d.name, span)
				}
			}
			if strings.HasPrefix(span, "shelf ") && strings.Contains(span, "[") && !strings.Contains(help, "\n  "+span+"\n") && !strings.Contains(help, "\n  "+span+" ") {
				t.Errorf("%s: the help shows `%s` in another way", d.name, span)
			}
			checkFlags(t, d, span, help)
		}
	}
	for r := range openAPIRoutes(t, readTestFile(t, repository, "openapi/openapi.json")) {
		if !told[r] {
			t.Errorf("no document tells of %s", r)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^  (shelf [a-z]+)`).FindAllStringSubmatch(help, -1) {
		if !told[m[1]] {
			t.Errorf("no document tells of %s", m[1])
		}
	}
}

// unplain are words that send a reader back to read the sentence again.
var unplain = regexp.MustCompile(`(?i)\b(lest|hearsay|besides|by turns|whoever|shall|of which|such as it is|somebody|anybody|everybody|nobody)\b`)

// The documents and the help have plain words.
func TestDocumentWords(t *testing.T) {
	t.Parallel()
	for _, d := range append(documents(t), document{"shelf help", helpText(t)}) {
		for _, word := range unplain.FindAllString(codeSpan.ReplaceAllString(d.text, ""), -1) {
			t.Errorf("%s has the word %q: name the person or the thing", d.name, word)
		}
	}
}

// checkFlags checks the flags of a piece of code that is a flag, a command of shelf
// or a program of this repository.
func checkFlags(t *testing.T, d document, span, help string) {
	t.Helper()
	known := help
	if at, ok := strings.CutPrefix(span, "go -C "); ok {
		folder, _, _ := strings.Cut(at, " ")
		known = ""
		names, _ := filepath.Glob(filepath.Join(repository, folder, "*.go"))
		for _, name := range names {
			for _, m := range goFlag.FindAllStringSubmatch(readDocument(t, name).text, -1) {
				known += " -" + m[1] + " "
			}
		}
	} else if !strings.HasPrefix(span, "shelf ") && !strings.HasPrefix(span, "-") {
		return
	}
	span, _, _ = strings.Cut(span, " -- ")
	for _, m := range flagName.FindAllStringSubmatch(span, -1) {
		if !regexp.MustCompile(`[ [(]-` + m[1] + `\b`).MatchString(known) {
			t.Errorf("%s: there is no flag -%s, in `%s`", d.name, m[1], span)
		}
	}
}

// openAPIRoutes are the routes of an openapi.json: "GET /api/v1/items".
func openAPIRoutes(t *testing.T, text string) map[string]bool {
	t.Helper()
	var spec struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &spec); err != nil {
		t.Fatal(err)
	}
	routes := map[string]bool{}
	for path, methods := range spec.Paths {
		for method := range methods {
			if method := strings.ToUpper(method); route.MatchString(method + " " + path) {
				routes[method+" "+path] = true
			}
		}
	}
	return routes
}

// docs/settings.md has what shelf help all prints about flags, variables and exit
// statuses.
func TestSettingsDocument(t *testing.T) {
	t.Parallel()
	const from, to = "<!-- what shelf help all prints, from here -->\n", "<!-- to here -->\n"
	path := filepath.Join(repository, "docs", "settings.md")
	d := readDocument(t, path)
	before, rest, ok := strings.Cut(d.text, from)
	_, after, also := strings.Cut(rest, to)
	if !ok || !also {
		t.Fatalf("%s has no lines %q and %q", d.name, from, to)
	}
	want := before + from + settingsTables(helpText(t)) + to + after
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if d.text != want {
		t.Errorf("%s is not what shelf help all prints; write it with:\ngo test ./test/program -run TestSettingsDocument -update", d.name)
	}
}

// settingsTables turns the parts of the help that follow the commands into tables.
func settingsTables(help string) string {
	var b strings.Builder
	_, flags, _ := strings.Cut(help, "\nFlags. ")
	flags, variables, _ := strings.Cut(flags, "\nVariables ")
	variables, statuses, _ := strings.Cut(variables, "\nExit status:")
	for _, part := range strings.Split(flags, "\n\n")[1:] {
		heading, list, _ := strings.Cut(part, ":\n")
		fmt.Fprintf(&b, "\n## %s\n\n| flag | what it does | variable | default |\n| --- | --- | --- | --- |\n", heading)
		for _, e := range helpEntries(list) {
			variables, value := "", ""
			if last := e.lines[len(e.lines)-1]; strings.HasPrefix(last, "SHELF_") || strings.HasPrefix(last, "default ") {
				e.lines = e.lines[:len(e.lines)-1]
				variables, value, _ = strings.Cut(", "+last, ", default ")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.name, inCell(e), inCode(strings.TrimPrefix(variables, ", ")), inCode(value))
		}
	}
	for _, part := range []struct{ heading, head, list string }{
		{"Variables without a flag", "variable | what it does", variables},
		{"Exit statuses", "status | meaning", statuses},
	} {
		fmt.Fprintf(&b, "\n## %s\n\n| %s |\n| --- | --- |\n", part.heading, part.head)
		for _, e := range helpEntries(part.list) {
			fmt.Fprintf(&b, "| `%s` | %s |\n", e.name, inCell(e))
		}
	}
	return b.String() + "\n"
}

// A helpEntry is a name in the first column of the help, and the lines beside it.
type helpEntry struct {
	name  string
	lines []string
}

// helpEntries are the entries of a list in the help.
func helpEntries(list string) (entries []helpEntry) {
	const column = 26 // of the text, with the blank before it
	for line := range strings.Lines(list) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(line, "   "):
			e := &entries[len(entries)-1]
			e.lines = append(e.lines, strings.TrimSpace(line))
		case strings.HasPrefix(line, "  ") && (len(line) <= column || line[column] != ' '):
			entries = append(entries, helpEntry{name: strings.TrimSpace(line)})
		case strings.HasPrefix(line, "  "):
			entries = append(entries, helpEntry{strings.TrimSpace(line[:column]), []string{strings.TrimSpace(line[column:])}})
		}
	}
	return entries
}

// inCell is the text of an entry in a table: no star or bar of it means anything
// there.
func inCell(e helpEntry) string {
	text := regexp.MustCompile(`https?://[^\s,;]+|\{.*\}`).ReplaceAllString(strings.Join(e.lines, " "), "`$0`")
	parts := strings.Split(text, "`")
	for i := 0; i < len(parts); i += 2 {
		parts[i] = strings.NewReplacer("*", `\*`, "|", `\|`, "<", `\<`).Replace(parts[i])
	}
	return strings.Join(parts, "`")
}

// inCode is a text as code, "" for none.
func inCode(text string) string {
	if text == "" {
		return ""
	}
	return "`" + strings.ReplaceAll(text, ", ", "`, `") + "`"
}

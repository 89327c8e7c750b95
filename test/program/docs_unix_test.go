//go:build unix

package program_test

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"example.com/shelf/test/built"
)

// repository is the folder that the documents are about.
const repository = "../.."

// maxReadme is how many bytes README.md may have: one page.
const maxReadme = 9000

// A document is one of the Markdown files that people read.
type document struct {
	name string // its path in the repository
	text string
}

// A block is a fenced block of a document.
type block struct {
	language string
	line     int // that of its first line of text
	text     string
}

func documents(t *testing.T) (all []document) {
	t.Helper()
	for _, pattern := range []string{"*.md", "docs/*.md", ".github/*.md"} {
		names, err := filepath.Glob(filepath.Join(repository, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			all = append(all, readDocument(t, name))
		}
	}
	return all
}

func readDocument(t *testing.T, path string) document {
	t.Helper()
	name, err := filepath.Rel(repository, path)
	if err != nil {
		t.Fatal(err)
	}
	return document{filepath.ToSlash(name), readTestFile(t, repository, name)}
}

// parts splits a document into its fenced blocks and the prose around them.
func (d document) parts() (prose string, blocks []block) {
	var b strings.Builder
	inside := false
	n := 0
	for line := range strings.Lines(d.text) {
		n++
		language, fence := strings.CutPrefix(line, "```")
		switch {
		case fence && !inside:
			blocks = append(blocks, block{language: strings.TrimSpace(language), line: n + 1})
			inside = true
		case fence:
			inside = false
		case inside:
			blocks[len(blocks)-1].text += line
		default:
			b.WriteString(line)
		}
	}
	return b.String(), blocks
}

var (
	codeSpan = regexp.MustCompile("`[^`]+`")
	link     = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.*)$`)
)

// links are the targets of a document's links, pictures included.
func (d document) links() (targets []string) {
	prose, _ := d.parts()
	for _, m := range link.FindAllStringSubmatch(codeSpan.ReplaceAllString(prose, "`"), -1) {
		targets = append(targets, m[1])
	}
	return targets
}

// anchors are what a link to a heading of d may have behind its #, as GitHub makes
// them.
func (d document) anchors() (anchors []string) {
	prose, _ := d.parts()
	for _, m := range heading.FindAllStringSubmatch(prose, -1) {
		text := link.ReplaceAllString(m[1], "")
		anchors = append(anchors, strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				return unicode.ToLower(r)
			}
			return -1
		}, text))
	}
	return anchors
}

// codeSpans are the pieces of code in the prose.
func (d document) codeSpans() (spans []string) {
	prose, _ := d.parts()
	for _, span := range codeSpan.FindAllString(prose, -1) {
		spans = append(spans, strings.Trim(span, "`"))
	}
	return spans
}

// Each link leads to a file that is there, and to a heading of that file.
func TestDocumentLinks(t *testing.T) {
	t.Parallel()
	for _, d := range documents(t) {
		for _, target := range d.links() {
			to, err := url.Parse(target)
			if err != nil || to.Scheme != "" && to.Scheme != "https" || to.Scheme != "" && to.Host == "" {
				t.Errorf("%s: %s is no link", d.name, target)
				continue
			}
			if to.Scheme != "" {
				continue // nothing here asks other servers
			}
			path := filepath.Join(repository, filepath.Dir(d.name), to.Path)
			if to.Path == "" {
				path = filepath.Join(repository, d.name)
			}
			if !exists(path) {
				t.Errorf("%s: there is no %s", d.name, target)
				continue
			}
			if to.Fragment != "" && !slices.Contains(readDocument(t, path).anchors(), to.Fragment) {
				t.Errorf("%s: %s has no heading #%s", d.name, path, to.Fragment)
			}
		}
	}
}

// Each document is named in the code that it explains, and code names no other.
func TestDocumentsInCode(t *testing.T) {
	t.Parallel()
	named := map[string]bool{"docs/CHANGELOG.md": true}
	err := filepath.WalkDir(repository, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == ".git" || entry.Name() == "dist") {
			return fs.SkipDir
		}
		if !slices.Contains([]string{".go", ".js", ".mjs", ""}, filepath.Ext(path)) || strings.HasSuffix(path, "_test.go") || !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range regexp.MustCompile(`\bdocs/[a-z]+\.md\b`).FindAllString(string(text), -1) {
			named[name] = true
			if !exists(filepath.Join(repository, name)) {
				t.Errorf("%s names %s, which is not there", path, name)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range documents(t) {
		if strings.HasPrefix(d.name, "docs/") && !named[d.name] {
			t.Errorf("no code names %s", d.name)
		}
	}
}

// README.md is one page that begins with the set-up and leads to every other
// document.
func TestReadme(t *testing.T) {
	t.Parallel()
	readme := readDocument(t, filepath.Join(repository, "README.md"))
	if n := len(readme.text); n >= maxReadme {
		t.Errorf("README.md has %d bytes; want fewer than %d", n, maxReadme)
	}
	_, blocks := readme.parts()
	var lines []string
	for line := range strings.Lines(blocks[0].text) {
		command, _, _ := strings.Cut(line, "#")
		lines = append(lines, strings.TrimSpace(command))
	}
	if want := []string{"go run .", "go test ./..."}; !slices.Equal(lines, want) {
		t.Errorf("README.md begins with %q; want %q", lines, want)
	}
	for _, d := range documents(t) {
		if d.name != readme.name && !slices.Contains(readme.links(), d.name) {
			t.Errorf("README.md has no link to %s", d.name)
		}
	}
}

// The commands of each document do what it says, in a folder of their own. Those of
// README.md talk to a server with a data file, those of the others to the one of
// shelf run.
func TestDocumentCommands(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	_, curlErr := exec.LookPath("curl")
	if err != nil || curlErr != nil {
		t.Logf("not run: it takes bash and curl: %v, %v", err, curlErr)
		return
	}
	for _, d := range documents(t) {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			commands := d.commands()
			if len(commands) == 0 {
				return
			}
			dir := t.TempDir()
			path := stage(t, dir)
			writeTestFile(t, dir, "db.json", d.file())
			said := filepath.Join(dir, "said")
			script := prelude
			for i, c := range commands {
				output := fmt.Sprintf("%s.%d", said, i)
				script += fmt.Sprintf("{ %s\n} >%s 2>&1\n", c.text, output)
				if strings.HasSuffix(strings.TrimSpace(c.text), "&") {
					script += "started " + output + "\n"
				}
			}
			port := built.FreePort(t)
			script = strings.ReplaceAll(script, secondPort, port)
			address := "127.0.0.1:8080"
			var cmd *exec.Cmd
			if d.name == "README.md" {
				p := startShelf(t, dir)
				real := strings.TrimPrefix(p.url, "http://")
				script, address = strings.ReplaceAll(script, address, real), real
				cmd = exec.Command(bash, "script")
				cmd.Env = []string{"SHELF_BCRYPT_COST=4"}
				cmd.Dir = dir
				endWithTest(cmd)
			} else {
				cmd = shelfCommand(t, dir, nil, "run", "--", bash, "script")
			}
			cmd.Env = append(cmd.Env, path)
			writeTestFile(t, dir, "script", script)
			out, failure := cmd.CombinedOutput()
			for i, c := range commands {
				where := fmt.Sprintf("%s:%d: $ %s", d.name, c.line, c.text)
				got, err := os.ReadFile(fmt.Sprintf("%s.%d", said, i))
				if err != nil {
					t.Fatalf("%s\nwas not reached: %v\n%s", where, failure, out)
				}
				if failure != nil && !exists(fmt.Sprintf("%s.%d", said, i+1)) {
					t.Fatalf("%s\nfailed: %v\n%s%s", where, failure, got, out)
				}
				answer := strings.NewReplacer("\r\n", "\n", address, "127.0.0.1:8080", port, secondPort).Replace(string(got))
				if c.transcript && !matches(c.answer, answer) {
					t.Errorf("%s\nanswers\n%s\nnot\n%s", where, answer, c.answer)
				}
			}
		})
	}
}

// file is the JSON file that the commands of a document are about.
func (d document) file() string {
	_, blocks := d.parts()
	for _, b := range blocks {
		if b.language == "json" {
			return b.text
		}
	}
	return `{"books":[{"title":"Dune","author":"Frank Herbert"}]}`
}

// A command is what one types in a shell.
type command struct {
	line       int
	text       string
	transcript bool   // its answer is shown
	answer     string // with … for what is left out
}

// commands are those of the blocks sh and console.
func (d document) commands() (all []command) {
	_, blocks := d.parts()
	for _, b := range blocks {
		switch b.language {
		case "sh":
			all = append(all, command{line: b.line, text: b.text})
		case "console":
			for i, line := range strings.Split(b.text, "\n") {
				if typed, ok := strings.CutPrefix(line, "$ "); ok {
					all = append(all, command{line: b.line + i, text: typed, transcript: true})
				} else if line != "" || i > 0 {
					all[len(all)-1].answer += line + "\n"
				}
			}
		}
	}
	return all
}

// varying are the parts of an answer that no two runs have in common.
var varying = []struct {
	is      *regexp.Regexp
	becomes string
}{
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT[\d:.]+Z`), "TIME"},
	{regexp.MustCompile(`\b\d+[smh] ago`), "AGO"},
	{regexp.MustCompile(`"crc":"[0-9a-f]{8}"`), "CRC"},
	{regexp.MustCompile(`\bkey [A-Za-z0-9_-]{16}`), "KEY"},
}

// matches reports whether an answer is the one that a document shows.
func matches(shown, answer string) bool {
	for _, v := range varying {
		shown, answer = v.is.ReplaceAllString(shown, v.becomes), v.is.ReplaceAllString(answer, v.becomes)
	}
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), "…", "(?s:.*)")
	return regexp.MustCompile("^" + pattern + "$").MatchString(strings.TrimSpace(answer))
}

// secondPort is where documents start a server of their own, in the background.
const secondPort = "3000"

// prelude makes curl silent, ends a stream that would go on for ever, and waits for a
// server that is started in the background. At the end it waits until that is gone. It
// has grep wait for what a server is about to write into a file.
const prelude = `set -eu -o pipefail
trap 'kill $(jobs -p) 2>/dev/null && wait || true' EXIT
started() { until command grep -q "^listening on" "$1" || ! kill -0 $!; do sleep 0.05; done; }
curl() {
	case " $* " in
	*" -N "*) command curl -sS --max-time 1 "$@" || [ $? = 28 ] ;;
	*) command curl -sS "$@" ;;
	esac
}
grep() {
	for i in {1..600}; do
		if command grep "$@"; then return; fi
		sleep 0.05
	done
	return 1
}
`

// stage puts into dir what the commands of documents take for granted, and returns
// the PATH that has the program. go run . is that program. Otherwise npm and go stand
// for a reader's tests: they only call the server.
func stage(t *testing.T, dir string) string {
	t.Helper()
	shelf, err := built.Program()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repository)
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	for _, l := range []struct{ to, name string }{
		{shelf, filepath.Join(bin, "shelf")},
		{filepath.Join(root, "examples"), filepath.Join(dir, "examples")},
	} {
		if err := os.Symlink(l.to, l.name); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"npm", "go"} {
		call := "#!/bin/sh\nif [ \"$1 $2\" = 'run .' ]; then shift 2 && exec shelf \"$@\"; fi\ncurl -sSf \"$SHELF_URL/healthz\"\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(call), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return "PATH=" + bin + ":" + os.Getenv("PATH")
}

package config

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A hello holds the settings of the test program.
type hello struct {
	Name   string
	Loud   bool
	Times  int
	Tongue string
	Addr   string
	Wait   time.Duration
	Pages  []string
	Hosts  []string
	Nets   []netip.Prefix
}

func (h *hello) table() Table {
	return Table{Program: "hello", Variables: []string{"SECRET", "HELLO_SECRET"}, Settings: []Setting{
		Row("name", "NAME", "world", "whom to greet", Text(&h.Name)),
		Row("loud", "", "false", "greet aloud", Bool(&h.Loud)),
		Row("times", "N", "1", "how often,\nup to nine times", Number(&h.Times, 1, 9)),
		Row("tongue", "TONGUE", "en", "en or de", Choice(&h.Tongue, "en", "de")),
		Row("addr", "HOST:PORT", "127.0.0.1:80", "where to listen", Address(&h.Addr)).Under("Network"),
		Row("wait-for", "TIME", "", "when to greet", Lifetime(&h.Wait)),
		Row("pages", "LIST", "", "who may call", Origins(&h.Pages)),
		Row("hosts", "LIST", "", "names to answer to", Hosts(&h.Hosts)),
		Row("nets", "LIST", "", "whom to believe", Networks(&h.Nets)),
	}}
}

// told returns the default hello, modified by change.
func told(change func(*hello)) hello {
	h := hello{Name: "world", Times: 1, Tongue: "en", Addr: "127.0.0.1:80"}
	change(&h)
	return h
}

// read reads settings from an environment of "NAME=value" lines and a .env
// file. An empty .env means that there is none.
func read(args, environ, dotenv string) (hello, *Values, error) {
	env := map[string]string{}
	for line := range strings.Lines(environ) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	lookup := func(name string) (string, bool) { v, ok := env[name]; return v, ok }
	file := func() ([]byte, error) {
		if dotenv == "" {
			return nil, &fs.PathError{Op: "open", Path: ".env", Err: fs.ErrNotExist}
		}
		return []byte(dotenv), nil
	}
	var h hello
	v, err := h.table().Read(strings.Fields(args), lookup, file)
	if err == nil {
		if name := v.Env("USER"); name != "" {
			v.Preset("name", name, "environment USER")
		}
		err = v.Apply()
	}
	return h, v, err
}

func TestPrecedence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		args, environ, env string       // env is the content of .env
		change             func(*hello) // the differences from the defaults
	}{
		{"nothing given means the defaults", "", "", "", func(h *hello) {}},
		{"a flag goes before the environment", "-name flag", "HELLO_NAME=environment", "HELLO_NAME=file", func(h *hello) { h.Name = "flag" }},
		{"the environment goes before a preset", "", "HELLO_NAME=environment\nUSER=me", "HELLO_NAME=file", func(h *hello) { h.Name = "environment" }},
		{"a preset goes before .env", "", "USER=me", "HELLO_NAME=file", func(h *hello) { h.Name = "me" }},
		{".env goes before the default", "", "", "HELLO_NAME=file", func(h *hello) { h.Name = "file" }},
		{"an empty variable is an unset one", "", "HELLO_NAME=", "HELLO_NAME=\nHELLO_TIMES=2", func(h *hello) { h.Times = 2 }},
		{"a value that doesn't decide isn't judged", "-times 2", "HELLO_TIMES=many", "HELLO_TIMES=most", func(h *hello) { h.Times = 2 }},
		{"two dashes are as good as one", "--name=ann", "", "", func(h *hello) { h.Name = "ann" }},
		{"a switch needs no value", "-loud", "", "", func(h *hello) { h.Loud = true }},
		{"a switch can be turned off again", "-loud=false", "HELLO_LOUD=true", "", func(h *hello) {}},
		{"times have units, days too", "-wait-for 7d", "", "", func(h *hello) { h.Wait = 7 * 24 * time.Hour }},
		{"origins are kept as browsers write them", "", "HELLO_PAGES=loopback, HTTPS://App.Example:443,", "", func(h *hello) { h.Pages = []string{"loopback", "https://app.example"} }},
		{"hosts are kept in lower case, without brackets", "-hosts A.Example,[2001:db8::1]", "", "", func(h *hello) { h.Hosts = []string{"a.example", "2001:db8::1"} }},
		{"an address is the network of itself", "-nets 10.1.2.3/8,::ffff:192.0.2.1", "", "", func(h *hello) {
			h.Nets = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _, err := read(tt.args, tt.environ, tt.env)
			if want := told(tt.change); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		args, environ, env string
		want               string
	}{
		{"an unknown flag", "-nam ann", "", "", "there is no flag -nam: did you mean -name? (hello help all lists the flags)"},
		{"a flag without its value", "-name", "", "", "-name needs a value behind it: -name NAME (hello help all lists the flags)"},
		{"an argument left over", "-loud now", "", "", `unexpected argument "now" (hello help shows the usage)`},
		{"a bad flag is named", "-tongue fr", "", "", `flag -tongue: "fr": want one of en, de`},
		{"a bad variable is named", "", "HELLO_TONGUE=fr", "", `environment HELLO_TONGUE: "fr": want one of en, de`},
		{"a bad line of .env is named", "", "", "# a comment\nHELLO_TONGUE=fr", `.env line 2: HELLO_TONGUE: "fr": want one of en, de`},
		{"an empty flag is not an unset one", "-name=", "HELLO_NAME=ann", "", `flag -name: "": want a value`},
		{"a line of .env that says nothing", "", "", "\n\nHELLO_NAME", ".env line 3: HELLO_NAME: want KEY=VALUE"},
		{"a network that is a name", "-nets localhost", "", "", `flag -nets: "localhost": want addresses or networks, comma separated, such as 10.0.0.7,fd00::/8`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, _, err := read(tt.args, tt.environ, tt.env); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
	broken := func() ([]byte, error) { return nil, fs.ErrPermission }
	if _, err := new(hello).table().Read([]string{"-h"}, func(string) (string, bool) { return "", false }, broken); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v, want flag.ErrHelp, whatever state .env is in", err)
	}
}

func TestVariables(t *testing.T) {
	t.Parallel()
	_, v, err := read("", "KEY=environment", "KEY=file\nHELLO_NMAE=ann\nHELLO_URL=x\nOTHER=1\nHELLO_SECRET=hush")
	if err != nil {
		t.Fatal(err)
	}
	if got := v.Variable("KEY"); got != "environment" || v.DotenvUsed() != "" {
		t.Errorf("KEY = %q, .env used: %q; want that of the environment", got, v.DotenvUsed())
	}
	if got := v.Variable("OTHER"); got != "1" || v.DotenvUsed() != ".env" {
		t.Errorf("OTHER = %q, .env used: %q; want that of .env", got, v.DotenvUsed())
	}
	if got, want := v.Unknown("HELLO_URL"), []string{".env line 2: HELLO_NMAE is not a setting of hello"}; !reflect.DeepEqual(got, want) {
		t.Errorf("unknown: %q; want %q", got, want)
	}
}

func TestPrint(t *testing.T) {
	t.Parallel()
	var page strings.Builder
	new(hello).table().Print(&page)
	for _, want := range []string{
		"  -name NAME               whom to greet\n                           HELLO_NAME, default world\n",
		"  -times N                 how often,\n                           up to nine times\n                           HELLO_TIMES, default 1\n",
		"\n\nNetwork:\n  -addr HOST:PORT          where to listen\n",
		"  -wait-for TIME           when to greet\n                           HELLO_WAIT_FOR\n",
	} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("the page is\n%s\nwant in it\n%s", &page, want)
		}
	}
}

func TestDotenvUnreadable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  error
		want error
	}{
		{"no file is no error", fs.ErrNotExist, nil},
		{"a folder is no file", syscall.EISDIR, nil},
		{"a file that can't be read is one", fs.ErrPermission, fs.ErrPermission},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dotenv := func() ([]byte, error) { return nil, &fs.PathError{Op: "open", Path: ".env", Err: tt.err} }
			_, err := Table{Program: "hello"}.Read(nil, func(string) (string, bool) { return "", false }, dotenv)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// A setting can have other names, be repeated, have no variable, or be
// rejected.
func TestFlagsOfOtherPrograms(t *testing.T) {
	t.Parallel()
	type told struct {
		Port   int
		Names  []string
		Greets string
	}
	for _, tt := range []struct {
		args, environ string
		want          told
		refused       string
	}{
		{"-p 3", "", told{Port: 3}, ""},
		{"--port=3 --greeting hi", "", told{Port: 3, Greets: "hi"}, ""},
		{"-hail hi", "", told{Greets: "hi"}, ""},
		{"-name ann -name bob,eve", "", told{Names: []string{"ann", "bob", "eve"}}, ""},
		{"", "HELLO_HAIL=ho\nHELLO_PORT=tcp://10.0.0.1:80", told{Greets: "ho"}, ""},
		{"-hail hi", "HELLO_GREETING=ho", told{Greets: "hi"}, ""},
		{"--id _id", "", told{}, "-id is not a flag of hello: all names are alike"},
		{"-i _id", "", told{}, "-i is not a flag of hello: all names are alike"},
	} {
		var got told
		table := Table{Program: "hello", Settings: []Setting{
			Row("port", "N", "", "where", Number(&got.Port, 0, 9)).Also("p").Alone(),
			Row("name", "NAME", "", "whom", Words(&got.Names)).Repeated(),
			Row("greeting", "TEXT", "", "how", Text(&got.Greets)).Also("hail"),
			Refused("all names are alike", "FIELD", "id", "i"),
		}}
		env := map[string]string{}
		for line := range strings.Lines(tt.environ) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			env[name] = value
		}
		v, err := table.Read(strings.Fields(tt.args), func(name string) (string, bool) { value, ok := env[name]; return value, ok }, func() ([]byte, error) { return nil, fs.ErrNotExist })
		if err == nil {
			err = v.Apply()
		}
		if !reflect.DeepEqual(got, tt.want) || (err == nil) != (tt.refused == "") || err != nil && err.Error() != tt.refused {
			t.Errorf("%s %s: %+v, %v; want %+v, %s", tt.args, tt.environ, got, err, tt.want, tt.refused)
		}
		var help strings.Builder
		table.Print(&help)
		if text := help.String(); !strings.Contains(text, "-port N (-p)") || !strings.Contains(text, "HELLO_GREETING, HELLO_HAIL") || strings.Contains(text, "HELLO_PORT") || strings.Contains(text, "-id") {
			t.Errorf("the help is\n%s", text)
		}
	}
}

// An argument that is no flag is a command or a file, in any position.
func TestFilesAmongFlags(t *testing.T) {
	t.Parallel()
	table := Table{Program: "hello", Settings: []Setting{Row("port", "N", "", "", nil).Also("p"), Row("loud", "", "", "", nil)}}
	var ran string
	run := func(name string) Command[int] {
		return Do(name, "", "", "", func(_ context.Context, _ int, args []string) error {
			ran = strings.TrimSpace(name + ": " + strings.Join(args, " "))
			return nil
		})
	}
	commands := Commands[int]{Program: "hello", All: []Command[int]{run(""), run("check"), run("export")}, Table: table,
		File: func(name string) (bool, error) {
			if strings.HasSuffix(name, ".js") {
				return false, errors.New("a program")
			}
			return strings.HasSuffix(name, ".json"), nil
		}}
	for _, tt := range []struct{ args, ran, refused string }{
		{"", ":", ""},
		{"-loud", ": -loud", ""},
		{"db.json", ": db.json", ""},
		{"-p 3 db.json -loud", ": -p 3 db.json -loud", ""},
		{"--loud db.json", ": --loud db.json", ""},
		{"check db.json", "check: db.json", ""},
		{"chekc", "", `unknown command "chekc": did you mean hello check? (hello help lists the commands)`},
		{"serve", "", `unknown command "serve" (hello help lists the commands)`},
		{"db.js", "", "a program"},
		{"-loud check", "", "the command comes first: hello check [flags]"},
	} {
		ran = ""
		err := commands.Run(t.Context(), 0, io.Discard, strings.Fields(tt.args))
		if ran != tt.ran || (err == nil) != (tt.refused == "") || err != nil && err.Error() != tt.refused {
			t.Errorf("hello %s ran %q, %v; want %q, %s", tt.args, ran, err, tt.ran, tt.refused)
		}
		if err != nil && ExitStatus("hello", err, io.Discard) != 2 {
			t.Errorf("hello %s ends with %d; want 2", tt.args, ExitStatus("hello", err, io.Discard))
		}
	}
}

// The completion and the manual page have every command and every flag of the tables,
// and none that is refused.
func TestCompletionAndManual(t *testing.T) {
	t.Parallel()
	commands := Commands[int]{Program: "hello", Intro: "hello greets.", All: []Command[int]{Do[int]("", "", "greet", "", nil), Do[int]("key list", "", "list", "", nil), Do[int]("key make", "", ".make", "", nil)},
		Table: Table{Program: "hello", Settings: []Setting{Row("loud-voice", "", "", "shout", nil), Refused("no", "", "quiet")}}}
	for shell, want := range map[string][]string{
		"bash": {"1:*) words='key'", "2:key) words='list make'", "words='-loud-voice'", "complete -o default -F _hello hello"},
		"zsh":  {"#compdef hello\n", "bashcompinit", "2:key) words='list make'"},
	} {
		var script strings.Builder
		if err := commands.Complete(&script, []string{shell}); err != nil {
			t.Error(err)
		}
		for _, part := range want {
			if !strings.Contains(script.String(), part) || strings.Contains(script.String(), "quiet") {
				t.Errorf("the script for %s lacks %q:\n%s", shell, part, &script)
			}
		}
	}
	for _, args := range [][]string{nil, {"fish"}, {"bash", "zsh"}} {
		if err := commands.Complete(io.Discard, args); ExitStatus("hello", err, io.Discard) != 2 {
			t.Errorf("hello completion %q: %v; want the usage", args, err)
		}
	}
	var page strings.Builder
	commands.Man(&page)
	for _, part := range []string{".TH HELLO 1\n", ".B hello key make\n\\&.make\n", ".B \\-loud\\-voice\nshout\n"} {
		if !strings.Contains(page.String(), part) || strings.Contains(page.String(), "quiet") {
			t.Errorf("the manual page lacks %q:\n%s", part, &page)
		}
	}
}

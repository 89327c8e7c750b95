package main

import (
	"errors"
	"flag"
	"io/fs"
	"maps"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// defaultConfig is that of a server that was told nothing.
var defaultConfig = config{
	addr:       "127.0.0.1:8080",
	data:       "shelf.jsonl",
	accessTTL:  15 * time.Minute,
	refreshTTL: 30 * 24 * time.Hour,
	bookTTL:    24 * time.Hour,
	bcryptCost: 12,
	alg:        algHS256,
	cors:       []string{"loopback"},
	logFormat:  "text",
	metrics:    "loopback",
}

// configFrom is parseConfig with an environment of "NAME=value" lines and a .env file
// that is there unless it is empty.
func configFrom(args, environ, dotenv string) (config, error) {
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
	return parseConfig(strings.Fields(args), lookup, file)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		args, environ, env string        // env is the .env file
		change             func(*config) // what differs from defaultConfig
	}{
		{"nothing given means the defaults", "", "", "", func(c *config) {}},
		{"a flag goes before the environment", "-data flag", "SHELF_DATA=environment", "SHELF_DATA=file", func(c *config) { c.data = "flag" }},
		{"the environment goes before .env", "", "SHELF_DATA=environment", "SHELF_DATA=file", func(c *config) { c.data = "environment" }},
		{".env goes before the default", "", "", "SHELF_DATA=file", func(c *config) { c.data, c.envFile = "file", ".env" }},
		{"an empty variable is an unset one", "", "SHELF_DATA=", "SHELF_LOG=\nSHELF_DATA=file", func(c *config) { c.data, c.envFile = "file", ".env" }},
		{"a value that doesn't decide isn't judged", "-log off", "SHELF_LOG=loud", "SHELF_LOG=louder", func(c *config) { c.log = "off" }},
		{"two dashes are as good as one", "--data=memory", "", "", func(c *config) { c.data = "memory" }},

		{"PORT is the port of the default address", "", "PORT=5000", "", func(c *config) { c.addr = "127.0.0.1:5000" }},
		{"-addr goes before PORT", "-addr :80", "PORT=5000", "", func(c *config) { c.addr = ":80" }},
		{"SHELF_ADDR goes before PORT", "", "PORT=5000\nSHELF_ADDR=[::1]:0", "", func(c *config) { c.addr = "[::1]:0" }},
		{"PORT goes before .env", "", "PORT=5000", "SHELF_ADDR=:80", func(c *config) { c.addr = "127.0.0.1:5000" }},
		{"PORT in .env is another program's", "", "", "PORT=5000", func(c *config) {}},

		{"times have units, days too", "-access-ttl 90s -refresh-ttl 7d -book-ttl 1h30m", "", "", func(c *config) {
			c.accessTTL, c.refreshTTL, c.bookTTL = 90*time.Second, 7*24*time.Hour, 90*time.Minute
		}},
		{"a refresh token that ends first is a warning", "-access-ttl 2h -refresh-ttl 1h", "", "", func(c *config) {
			c.accessTTL, c.refreshTTL = 2*time.Hour, time.Hour
			c.warnings = []string{"refresh-ttl (1h0m0s) is shorter than access-ttl (2h0m0s): there is nothing to refresh"}
		}},
		{"another algorithm", "-alg EdDSA", "", "", func(c *config) { c.alg = algEdDSA }},
		{"the cost is a number", "-bcrypt-cost 4", "", "", func(c *config) { c.bcryptCost = 4 }},
		{"a switch needs no value", "-shared-writes", "", "", func(c *config) { c.sharedWrites = true }},
		{"a switch can be turned off again", "-shared-writes=false", "SHELF_SHARED_WRITES=true", "", func(c *config) {}},
		{"a switch in the environment is true or false", "", "SHELF_SHARED_WRITES=1", "", func(c *config) { c.sharedWrites = true }},
		{"what to log, and how", "-log problems -log-format json", "", "", func(c *config) { c.log, c.logFormat = "problems", "json" }},
		{"metrics for all", "-metrics all", "", "", func(c *config) { c.metrics = "all" }},

		{"CORS can be off", "-cors off", "", "", func(c *config) { c.cors = nil }},
		{"CORS can be open", "-cors *", "", "", func(c *config) { c.cors = []string{"*"} }},
		{"origins are kept as browsers write them", "", "SHELF_CORS=loopback, HTTPS://App.Example:443,http://[::1]:3000,tauri://localhost,", "", func(c *config) {
			c.cors = []string{"loopback", "https://app.example", "http://[::1]:3000", "tauri://localhost"}
		}},
		{"hosts are kept in lower case, without brackets", "-hosts Shelf.Example,[2001:db8::1],10.0.0.1", "", "", func(c *config) {
			c.hosts = []string{"shelf.example", "2001:db8::1", "10.0.0.1"}
		}},
		{"-hosts takes back what the environment names", "-hosts=", "SHELF_HOSTS=shelf.example", "", func(c *config) {}},

		{"the key is taken as it is", "", "SECRET_KEY= a,b ", "SECRET_KEY=file", func(c *config) { c.secret = " a,b " }},
		{"earlier keys are separated by commas", "", "SECRET_KEY_FALLBACKS=one, two words,", "", func(c *config) { c.fallbacks = []string{"one", "two words"} }},
		{"keys may stand in .env", "", "", "SECRET_KEY='new'\nSECRET_KEY_FALLBACKS=\"old,older\"", func(c *config) {
			c.secret, c.fallbacks, c.envFile = "new", []string{"old", "older"}, ".env"
		}},

		{"other programs' lines in .env don't count", "", "", "FLASK_APP=app\nDATABASE_URL=postgres://localhost", func(c *config) {}},
		{"an unknown SHELF_ name in .env is a warning", "", "", "SHELF_DATA=file\nSHELF_ADR=:80", func(c *config) {
			c.data, c.envFile, c.warnings = "file", ".env", []string{".env line 2: SHELF_ADR is not a setting of shelf"}
		}},
		{"what shelf run hands out may stand in .env", "", "", "SHELF_URL=http://127.0.0.1\nSHELF_TOKEN=t\nSHELF_ADMIN_TOKEN=t\nSHELF_LAB_TOKEN=t", func(c *config) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaultConfig
			tt.change(&want)
			got, err := configFrom(tt.args, tt.environ, tt.env)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestConfigRefused(t *testing.T) {
	t.Parallel()
	const (
		wantTime   = "want a time above zero in whole seconds, such as 90s, 15m, 12h or 30d"
		wantOrigin = "want loopback, *, off, or origins such as https://app.example with no path, comma separated"
		wantHost   = "want host names without a port, comma separated, such as shelf.example"
		wantAddr   = "want HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080"
	)
	tests := []struct {
		name               string
		args, environ, env string
		want               string
	}{
		{"a flag nobody knows", "-adr :80", "", "", "flag provided but not defined: -adr (shelf -h lists the flags)"},
		{"a flag without its value", "-addr", "", "", "flag needs an argument: -addr (shelf -h lists the flags)"},
		{"the key as a flag", "-secret-key=hush", "", "", "flag provided but not defined: -secret-key (shelf -h lists the flags)"},
		{"an argument left over", "-log off now", "", "", `unexpected argument "now" (shelf -h shows the usage)`},

		{"a bad flag is named", "-log loud", "", "", `flag -log: "loud": want one of requests, problems, off`},
		{"a bad variable is named", "", "SHELF_LOG=loud", "", `environment SHELF_LOG: "loud": want one of requests, problems, off`},
		{"a bad line of .env is named", "", "", "# a comment\nSHELF_LOG=loud", `.env line 2: SHELF_LOG: "loud": want one of requests, problems, off`},
		{"a bad PORT is named", "", "PORT=http", "", `environment PORT: "127.0.0.1:http": ` + wantAddr},
		{"an empty flag is not an unset one", "-data=", "SHELF_DATA=environment", "", `flag -data: "": want a value`},

		{"an address without a port", "-addr localhost", "", "", `flag -addr: "localhost": ` + wantAddr},
		{"a port out of range", "-addr :65536", "", "", `flag -addr: ":65536": ` + wantAddr},
		{"a URL as address", "-addr http://localhost:8080", "", "", `flag -addr: "http://localhost:8080": ` + wantAddr},
		{"a time without a unit", "-access-ttl 900", "", "", `flag -access-ttl: "900": ` + wantTime},
		{"a time of zero", "-access-ttl 0s", "", "", `flag -access-ttl: "0s": ` + wantTime},
		{"a time below zero", "-refresh-ttl -1d", "", "", `flag -refresh-ttl: "-1d": ` + wantTime},
		{"half a second", "-book-ttl 1500ms", "", "", `flag -book-ttl: "1500ms": ` + wantTime},
		{"more days than can be counted", "-book-ttl 4000000000d", "", "", `flag -book-ttl: "4000000000d": ` + wantTime},
		{"a cost that protects nothing", "-bcrypt-cost 3", "", "", `flag -bcrypt-cost: "3": want a number from 4 to 15`},
		{"a cost that takes seconds", "-bcrypt-cost 16", "", "", `flag -bcrypt-cost: "16": want a number from 4 to 15`},
		{"neither true nor false", "-shared-writes=perhaps", "", "", `flag -shared-writes: "perhaps": want true or false`},
		{"an algorithm that shelf has not", "-alg RS256", "", "", `flag -alg: "RS256": want one of HS256, EdDSA`},
		{"an algorithm in small letters", "-alg hs256", "", "", `flag -alg: "hs256": want one of HS256, EdDSA`},
		{"an unknown log format", "-log-format xml", "", "", `flag -log-format: "xml": want one of text, json`},
		{"unknown readers of metrics", "-metrics yes", "", "", `flag -metrics: "yes": want one of loopback, all, off`},

		{"an origin with a path", "-cors https://app.example/", "", "", `flag -cors: "https://app.example/": ` + wantOrigin},
		{"an origin without a scheme", "-cors app.example", "", "", `flag -cors: "app.example": ` + wantOrigin},
		{"an origin with a user", "-cors https://me@app.example", "", "", `flag -cors: "https://me@app.example": ` + wantOrigin},
		{"an origin with a star in it", "-cors https://*.example", "", "", `flag -cors: "https://*.example": ` + wantOrigin},
		{"an origin with an empty port", "-cors https://app.example:", "", "", `flag -cors: "https://app.example:": ` + wantOrigin},
		{"the origin null", "-cors null", "", "", `flag -cors: "null": ` + wantOrigin},
		{"off and more", "-cors off,loopback", "", "", `flag -cors: "off,loopback": ` + wantOrigin},
		{"no origin at all", "-cors=", "", "", `flag -cors: "": ` + wantOrigin},
		{"a host with a port", "-hosts shelf.example:80", "", "", `flag -hosts: "shelf.example:80": ` + wantHost},
		{"a host that is a URL", "-hosts https://shelf.example", "", "", `flag -hosts: "https://shelf.example": ` + wantHost},

		{"a line of .env that says nothing", "", "", "\n\nhush", ".env line 3: want KEY=VALUE, in UTF-8"},
		{"a .env in UTF-16", "", "", "\xff\xfeA\x00=\x00b\x00", ".env line 1: want KEY=VALUE, in UTF-8"},
		{"a quote left open in .env", "", "", "A=1\nB=\"hush\nC=2", ".env line 2: a quote is not closed, or something follows the closing one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := configFrom(tt.args, tt.environ, tt.env)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestConfigDotenvUnreadable(t *testing.T) {
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
			_, err := parseConfig(nil, func(string) (string, bool) { return "", false }, dotenv)
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestDotenv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]dotenvValue
	}{
		{"an empty file holds nothing", "", nil},
		{"comments and blank lines hold nothing", "# A=1\n\n  \t\n  # B=2", nil},
		{"a pair a line", "A=1\nB=2\n", map[string]dotenvValue{"A": {"1", 1}, "B": {"2", 2}}},
		{"export is as in a shell", "export A=1\nexport=2", map[string]dotenvValue{"A": {"1", 1}, "export": {"2", 2}}},
		{"blanks around either side don't count", "  A \t=  1 2  ", map[string]dotenvValue{"A": {"1 2", 1}}},
		{"the last of two counts", "A=1\nA=2", map[string]dotenvValue{"A": {"2", 2}}},
		{"a value may hold an equals sign", "A=b=c==", map[string]dotenvValue{"A": {"b=c==", 1}}},
		{"a comment needs a blank before it", "A=1 # one\nB=#2\nC= # nothing", map[string]dotenvValue{"A": {"1", 1}, "B": {"#2", 2}, "C": {"", 3}}},
		{"single quotes take all as it is", `A='\n "$B" # ' # five`, map[string]dotenvValue{"A": {`\n "$B" # `, 1}}},
		{"double quotes have four escapes", `A="\n\"\\\$\t"`, map[string]dotenvValue{"A": {"\n\"\\$\\t", 1}}},
		{"quotes inside are part of a plain value", `A=it's "so"`, map[string]dotenvValue{"A": {`it's "so"`, 1}}},
		{"nothing is expanded", "A=$HOME ${HOME} `id`", map[string]dotenvValue{"A": {"$HOME ${HOME} `id`", 1}}},
		{"quotes may span lines", "A=\"1\n2\"\nB='3\n\n4'\nC=5", map[string]dotenvValue{"A": {"1\n2", 1}, "B": {"3\n\n4", 3}, "C": {"5", 6}}},
		{"line ends may be those of Windows", "A=1\r\n\r\nB='2'\r\nC=\"3\" # three\r\n", map[string]dotenvValue{"A": {"1", 1}, "B": {"2", 3}, "C": {"3", 4}}},
		{"a byte order mark is no part of the name", "\ufeffA=1", map[string]dotenvValue{"A": {"1", 1}}},
		{"names of other programs may have dots and dashes", "a.b-c=1", map[string]dotenvValue{"a.b-c": {"1", 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDotenv(tt.text)
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("parseDotenv(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestDotenvRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no equals sign":                   "hush",
		"a shell's export without a value": "export HUSH",
		"no name":                          "=hush",
		"a blank in the name":              "TWO WORDS=hush",
		"a name that begins with a digit":  "1A=hush",
		"an open single quote":             "A='hush",
		"an open double quote":             `A="hush\"`,
		"text after the closing quote":     `A="hush" hush`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseDotenv("B=1\n" + text)
			if err == nil || !strings.HasPrefix(err.Error(), ".env line 2: ") || strings.Contains(strings.ToLower(err.Error()), "hush") {
				t.Errorf("parseDotenv(%q): %v; want an error that names line 2 and not the text", text, err)
			}
		})
	}
}

func TestConfigHelp(t *testing.T) {
	t.Parallel()
	broken := func() ([]byte, error) { return nil, fs.ErrPermission }
	_, err := parseConfig([]string{"-h"}, func(string) (string, bool) { return "", false }, broken)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v, want flag.ErrHelp, whatever state .env is in", err)
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=1\nexport B='2' # two\r\nC=\"3\\n\"\n", "plain")
	f.Add("\ufeff# nothing\n=\n", "\"'\\\n$# \t\r")
	f.Add("A='\n", "a # b")
	f.Fuzz(func(t *testing.T, text, value string) {
		values, err := parseDotenv(text)
		if err != nil && !strings.HasPrefix(err.Error(), ".env line ") {
			t.Errorf("the error doesn't name the line: %v", err)
		}
		for name, v := range values {
			if lines := 1 + strings.Count(text, "\n"); name == "" || v.line < 1 || v.line > lines {
				t.Errorf("%q on line %d of %d", name, v.line, lines)
			}
		}

		// A value comes back as it was written, in each way that can write it.
		written := []string{`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, `$`, `\$`).Replace(value) + `"`}
		if !strings.Contains(value, "'") {
			written = append(written, "'"+value+"'")
		}
		if !strings.ContainsAny(value, "#'\"\n") && strings.TrimSpace(value) == value {
			written = append(written, value)
		}
		for _, w := range written {
			got, err := parseDotenv("A=1\nB=" + w + "\nC=3")
			if err != nil || got["B"] != (dotenvValue{value, 2}) || got["C"].value != "3" {
				t.Errorf("B=%s was read as %v, %v; want %q", w, got, err, value)
			}
		}
	})
}

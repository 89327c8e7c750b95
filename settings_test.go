package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/token"
)

// defaultSettings is that of a server that was told nothing.
var defaultSettings = settings{
	addr:       "127.0.0.1:8080",
	data:       "shelf.jsonl",
	accessTTL:  15 * time.Minute,
	refreshTTL: 30 * 24 * time.Hour,
	tokenTTL:   24 * time.Hour,
	bcryptCost: 12,
	maxConns:   5000,
	maxOwned:   100_000,
	maxRows:    10_000_000,
	alg:        token.HS256,
	cors:       []string{"loopback"},
	logFormat:  "",
	metrics:    "loopback",
	color:      "auto",

	passwordPolicy:    password.Tutorial,
	badTokenStatus:    "422",
	limits:            limit.Rules{FreeTries: 10, InRow: 100, LongestWait: time.Minute, Failures: 100, SignUps: 20},
	hashQueue:         1000,
	hashWait:          5 * time.Second,
	maxTokens:         1000,
	maxBody:           form.MaxBody,
	maxLarge:          form.MaxLarge,
	maxBatch:          1000,
	maxStreams:        1000,
	maxAccountStreams: 8,
	drain:             10 * time.Second,

	collections: operator.CollectionSettings{Cascade: true},
	etcd:        etcd.Settings{Barrier: etcd.BarrierRead},

	secretName: "SECRET_KEY", fallbacksName: "SECRET_KEY_FALLBACKS",
}

// settingsFrom is parseSettings with an environment of "NAME=value" lines and a .env file
// that is there unless it is empty.
func settingsFrom(args, environ, dotenv string) (settings, error) {
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
	return parseSettings(fields(args), lookup, file)
}

// fields are args without the blanks between them. The folder of the tests may have
// blanks in its name.
func fields(args string) []string {
	folder := os.TempDir()
	all := strings.Fields(strings.ReplaceAll(args, folder, "\x00"))
	for i := range all {
		all[i] = strings.ReplaceAll(all[i], "\x00", folder)
	}
	return all
}

func TestSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name               string
		args, environ, env string          // env is the .env file
		change             func(*settings) // what differs from defaultSettings
	}{
		{"nothing given means the defaults", "", "", "", func(c *settings) {}},
		{"a flag goes before the environment", "-data flag", "SHELF_DATA=environment", "SHELF_DATA=file", func(c *settings) { c.data = "flag" }},
		{"the environment goes before .env", "", "SHELF_DATA=environment", "SHELF_DATA=file", func(c *settings) { c.data = "environment" }},
		{".env goes before the default", "", "", "SHELF_DATA=file", func(c *settings) { c.data, c.envFile = "file", ".env" }},
		{"an empty variable is an unset one", "", "SHELF_DATA=", "SHELF_LOG=\nSHELF_DATA=file", func(c *settings) { c.data, c.envFile = "file", ".env" }},
		{"a value that doesn't decide isn't judged", "-log off", "SHELF_LOG=loud", "SHELF_LOG=louder", func(c *settings) { c.log = "off" }},
		{"two dashes are as good as one", "--data=memory", "", "", func(c *settings) { c.data = "memory" }},

		{"PORT is the port of the default address", "", "PORT=5000", "", func(c *settings) { c.addr, c.fromPort = "127.0.0.1:5000", true }},
		{"-addr goes before PORT", "-addr :80", "PORT=5000", "", func(c *settings) { c.addr = ":80" }},
		{"SHELF_ADDR goes before PORT", "", "PORT=5000\nSHELF_ADDR=[::1]:0", "", func(c *settings) { c.addr = "[::1]:0" }},
		{"PORT goes before .env", "", "PORT=5000", "SHELF_ADDR=:80", func(c *settings) { c.addr, c.fromPort = "127.0.0.1:5000", true }},
		{"PORT in .env is another program's", "", "", "PORT=5000", func(c *settings) {}},

		{"times have units, days too", "-access-ttl 90s -refresh-ttl 7d -book-ttl 1h30m", "", "", func(c *settings) {
			c.accessTTL, c.refreshTTL, c.tokenTTL = 90*time.Second, 7*24*time.Hour, 90*time.Minute
		}},
		{"a refresh token that ends first is a warning", "-access-ttl 2h -refresh-ttl 1h", "", "", func(c *settings) {
			c.accessTTL, c.refreshTTL = 2*time.Hour, time.Hour
			c.warnings = []string{"-refresh-ttl (1h0m0s) is shorter than -access-ttl (2h0m0s): a refresh token ends before its access token"}
		}},
		{"another algorithm", "-alg EdDSA", "", "", func(c *settings) { c.alg = token.EdDSA }},
		{"the cost is a number", "-bcrypt-cost 4", "", "", func(c *settings) { c.bcryptCost = 4 }},
		{"a switch needs no value", "-shared-writes", "", "", func(c *settings) { c.sharedWrites = true }},
		{"a switch can be turned off again", "-shared-writes=false", "SHELF_SHARED_WRITES=true", "", func(c *settings) {}},
		{"a switch in the environment is true or false", "", "SHELF_SHARED_WRITES=1", "", func(c *settings) { c.sharedWrites = true }},
		{"what to log, and how", "-log problems -log-format json", "", "", func(c *settings) { c.log, c.logFormat = "problems", "json" }},
		{"metrics for all", "-metrics all", "", "", func(c *settings) { c.metrics = "all" }},

		{"CORS can be off", "-cors off", "", "", func(c *settings) { c.cors = nil }},
		{"CORS can be open", "-cors *", "", "", func(c *settings) { c.cors = []string{"*"} }},
		{"origins are kept as browsers write them", "", "SHELF_CORS=loopback, HTTPS://App.Example:443,http://[::1]:3000,tauri://localhost,", "", func(c *settings) {
			c.cors = []string{"loopback", "https://app.example", "http://[::1]:3000", "tauri://localhost"}
		}},
		{"hosts are kept in lower case, without brackets", "-hosts Shelf.Example,[2001:db8::1],10.0.0.1", "", "", func(c *settings) {
			c.hosts = []string{"shelf.example", "2001:db8::1", "10.0.0.1"}
		}},
		{"a host with a dot in front is all below it", "-hosts .Ngrok-Free.app", "", "", func(c *settings) { c.hosts = []string{".ngrok-free.app"} }},
		{"an origin with a star in front is all below it", "-cors https://*.App.Example:443", "", "", func(c *settings) { c.cors = []string{"https://*.app.example"} }},
		{"-hosts takes back what the environment names", "-hosts=", "SHELF_HOSTS=shelf.example", "", func(c *settings) {}},

		{"the key is taken as it is", "", "SECRET_KEY= a,b ", "SECRET_KEY=file", func(c *settings) { c.secret = " a,b " }},
		{"earlier keys are separated by commas", "", "SECRET_KEY_FALLBACKS=one, two words,", "", func(c *settings) { c.fallbacks = []string{"one", "two words"} }},
		{"keys may stand in .env", "", "", "SECRET_KEY='new'\nSECRET_KEY_FALLBACKS=\"old,older\"", func(c *settings) {
			c.secret, c.fallbacks, c.envFile = "new", []string{"old", "older"}, ".env"
			c.secretName, c.fallbacksName = ".env line 1: SECRET_KEY", ".env line 2: SECRET_KEY_FALLBACKS"
		}},

		{"other programs' lines in .env don't count", "", "", "FLASK_APP=app\nDATABASE_URL=postgres://localhost", func(c *settings) {}},
		{"an unknown SHELF_ name in .env is a warning", "", "", "SHELF_DATA=file\nSHELF_ADR=:80", func(c *settings) {
			c.data, c.envFile, c.warnings = "file", ".env", []string{".env line 2: SHELF_ADR is not a setting of shelf"}
		}},
		{"what shelf run hands out may stand in .env", "", "", "SHELF_URL=http://127.0.0.1\nSHELF_TOKEN=t\nSHELF_ADMIN_TOKEN=t\nSHELF_LAB_TOKEN=t", func(c *settings) {}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			want := defaultSettings
			tt.change(&want)
			got, err := settingsFrom(tt.args, tt.environ, tt.env)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
			}
		})
	}
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	const (
		wantTime   = "want a time above zero in whole seconds, such as 90s, 15m, 12h or 30d"
		wantOrigin = "want loopback, *, off, or origins such as https://app.example or https://*.app.example with no path, comma separated"
		wantHost   = "want host names without a port, comma separated, such as shelf.example, or .shelf.example for all below it"
		wantAddr   = "want HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080, or a port alone"
	)
	wantPrefix := func(path string) string {
		return "-prefix " + path + ": want a path such as /data, without a slash at its end, that is no path of shelf's own"
	}
	tests := []struct {
		name               string
		args, environ, env string
		want               string
	}{
		{"an unknown flag", "-adr :80", "", "", "there is no flag -adr: did you mean -addr? (shelf help all lists the flags)"},
		{"a flag without its value", "-addr", "", "", "-addr needs a value behind it: -addr HOST:PORT (shelf help all lists the flags)"},
		{"the key as a flag", "-secret-key=hush", "", "", "there is no flag -secret-key (shelf help all lists the flags)"},
		{"an argument left over", "-log off now", "", "", `unexpected argument "now" (shelf help shows the usage)`},

		{"a prefix of shelf's own", "-prefix /api/rows", "", "", wantPrefix("/api/rows")},
		{"a prefix that is the accounts'", "-prefix /users", "", "", wantPrefix("/users")},
		{"a prefix that is a guard", "-prefix /640", "", "", wantPrefix("/640")},
		{"a prefix without a slash before it", "-prefix data", "", "", wantPrefix("data")},
		{"a prefix with a slash behind it", "-prefix /data/", "", "", wantPrefix("/data/")},
		{"a bad flag is named", "-log loud", "", "", `flag -log: "loud": want one of requests, problems, off`},
		{"a bad variable is named", "", "SHELF_LOG=loud", "", `environment SHELF_LOG: "loud": want one of requests, problems, off`},
		{"a bad line of .env is named", "", "", "# a comment\nSHELF_LOG=loud", `.env line 2: SHELF_LOG: "loud": want one of requests, problems, off`},
		{"a bad PORT is named", "", "PORT=http", "", `environment PORT: "http": ` + wantAddr},
		{"an empty flag is not an unset one", "-data=", "SHELF_DATA=environment", "", `flag -data: "": want a value`},

		{"an address without a port", "-addr localhost", "", "", `flag -addr: "localhost": ` + wantAddr},
		{"a port out of range", "-addr :65536", "", "", `flag -addr: ":65536": ` + wantAddr},
		{"a URL as address", "-addr http://localhost:8080", "", "", `flag -addr: "http://localhost:8080": ` + wantAddr},
		{"a time without a unit", "-access-ttl 900", "", "", `flag -access-ttl: "900": ` + wantTime},
		{"a time of zero", "-access-ttl 0s", "", "", `flag -access-ttl: "0s": ` + wantTime},
		{"a time below zero", "-refresh-ttl -1d", "", "", `flag -refresh-ttl: "-1d": ` + wantTime},
		{"half a second", "-book-ttl 1500ms", "", "", `flag -token-ttl: "1500ms": ` + wantTime},
		{"more days than can be counted", "-book-ttl 4000000000d", "", "", `flag -token-ttl: "4000000000d": ` + wantTime},
		{"a cost that protects nothing", "-bcrypt-cost 3", "", "", `flag -bcrypt-cost: "3": want a number from 4 to 15`},
		{"a cost that takes seconds", "-bcrypt-cost 16", "", "", `flag -bcrypt-cost: "16": want a number from 4 to 15`},
		{"neither true nor false", "-shared-writes=perhaps", "", "", `flag -shared-writes: "perhaps": want true or false`},
		{"an algorithm that shelf has not", "-alg RS256", "", "", `flag -alg: "RS256": want one of HS256, EdDSA`},
		{"an algorithm in small letters", "-alg hs256", "", "", `flag -alg: "hs256": want one of HS256, EdDSA`},
		{"an unknown log format", "-log-format xml", "", "", `flag -log-format: "xml": want one of people, text, json`},
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

		{"a line of .env that sets nothing", "", "", "\n\nSHELF_DATA", ".env line 3: SHELF_DATA: want KEY=VALUE"},
		{"a .env in UTF-16", "", "", "\xff\xfeS\x00H\x00E\x00L\x00F\x00_\x00L\x00O\x00G\x00=\x00b\x00", `.env line 1: SHELF_LOG: "b": want one of requests, problems, off`},
		{"a quote left open in .env", "", "", "A=1\nSHELF_DATA=\"hush\nC=2", ".env line 2: SHELF_DATA: a quote is not closed, or something follows the closing one"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := settingsFrom(tt.args, tt.environ, tt.env)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestSettingsHelp(t *testing.T) {
	t.Parallel()
	broken := func() ([]byte, error) { return nil, fs.ErrPermission }
	_, err := parseSettings([]string{"-h"}, func(string) (string, bool) { return "", false }, broken)
	if !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: %v, want flag.ErrHelp, whatever state .env is in", err)
	}
}

func TestTrustedProxiesFlag(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"localhost", "10.0.0.1:80", "10.0.0.0/33", "loopback", "10.0.0.1,proxy"} {
		_, err := settingsFrom("-trusted-proxies="+bad, "", "")
		want := fmt.Sprintf("flag -trusted-proxies: %q: want addresses or networks, comma separated, such as 10.0.0.7,fd00::/8", bad)
		if err == nil || err.Error() != want {
			t.Errorf("-trusted-proxies %s: %v\nwant %s", bad, err, want)
		}
	}
}

var emailTests = []struct {
	name, email string
	want        bool
}{
	{"the tutorial's own", "user@example.com", true},
	{"the tutorial's other", "sneakyuser@example.com", true},
	{"empty", "", false},
	{"blank", " ", false},
	{"no at", "example.com", false},
	{"a dash in the domain, which the tutorial refuses", "user@my-site.com", true},
	{"capitals", "User@Example.COM", true},
	{"a tag", "user+tag@example.com", true},
	{"letters beyond ASCII", "jürgen@bücher.example", true},
	{"a subdomain", "user@mail.example.co.uk", true},
	{"no dot in the domain", "user@localhost", false},
	{"only a dot before the at", "first.last@localhost", false},
	{"a dot at the end", "user@example.", false},
	{"a dot at the start of the domain", "user@.example", false},
	{"two dots", "user@example..com", false},
	{"no local part", "@example.com", false},
	{"no domain", "user@", false},
	{"two ats", "a@b@c.de", false},
	{"anything behind it, which the tutorial accepts", "a@b.c anything", false},
	{"a blank before it", " a@b.c", false},
	{"a line end", "a@b.c\r\nBcc: x@y.z", false},
	{"a display name", "Ann <a@b.c>", false},
	{"angle brackets", "<a@b.c>", false},
	{"a comment", "a@b.c (Ann)", false},
	{"two addresses", "a@b.c, d@e.f", false},
	{"a group", "g: a@b.c;", false},
	{"an address literal", "a@[127.0.0.1]", false},
	{"quotes that go away", `"a b"@c.de`, false},
	{"as long as may be", strings.Repeat("é", 112) + "@b.cdefg", true},
	{"one too long", strings.Repeat("é", 113) + "@b.cdefg", false},
}

func TestValidEmail(t *testing.T) {
	t.Parallel()
	for _, tt := range emailTests {
		if got := form.Email(tt.email, maxEmail); got != tt.want {
			t.Errorf("%s: validEmail(%q) = %v; want %v", tt.name, tt.email, got, tt.want)
		}
	}
}

func TestEmailKey(t *testing.T) {
	t.Parallel()
	if a, b := emailKey("User@Example.COM"), emailKey("user@example.com"); a != b {
		t.Errorf("emailKey = %q and %q; want the same", a, b)
	}
}

func TestWithin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		max        int
		want       bool
	}{
		{"empty", "", 3, false},
		{"blank", " \t\u00a0", 9, false},
		{"the limit", "abc", 3, true},
		{"one too long", "abcd", 3, false},
		{"the limit in more bytes", "éé😀", 3, true},
		{"one too long in more bytes", "ééé😀", 3, false},
	} {
		if got := form.Within(tt.text, tt.max); got != tt.want {
			t.Errorf("%s: within(%q, %d) = %v; want %v", tt.name, tt.text, tt.max, got, tt.want)
		}
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, text string
		id         int
		ok         bool
	}{
		{"a number", "42", 42, true},
		{"a zero in front", "01", 1, true},
		{"zero", "0", 0, true},
		{"the largest int", strconv.Itoa(math.MaxInt), math.MaxInt, true},
		{"one more", "9223372036854775808", -1, true},
		{"far too large", "9999999999999999999999", -1, true},
		{"zeros in front don't make it large", strings.Repeat("0", 40) + "7", 7, true},
		{"empty", "", 0, false},
		{"a word", "item1", 0, false},
		{"a word in between", "1a2", 0, false},
		{"a minus", "-1", 0, false},
		{"a plus", "+1", 0, false},
		{"a fraction", "1.0", 0, false},
		{"a blank", "1 ", 0, false},
		{"an underscore", "1_0", 0, false},
		{"a digit of another script", "٣", 0, false},
		{"a superscript", "²", 0, false},
	} {
		if id, ok := form.ID(tt.text); id != tt.id || ok != tt.ok {
			t.Errorf("%s: parseID(%q) = %d, %v; want %d, %v", tt.name, tt.text, id, ok, tt.id, tt.ok)
		}
	}
}

func FuzzEmail(f *testing.F) {
	for _, tt := range emailTests {
		f.Add(tt.email)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !form.Email(s, maxEmail) {
			return
		}
		at := strings.LastIndex(s, "@")
		switch {
		case at <= 0, !strings.Contains(s[at+1:], "."):
			t.Errorf("validEmail(%q) = true; want a local part and a dotted domain", s)
		case !utf8.ValidString(s), utf8.RuneCountInString(s) > maxEmail:
			t.Errorf("validEmail(%q) = true; want at most %d code points of UTF-8", s, maxEmail)
		case strings.ContainsAny(s, " \t\r\n\"(),:;<>[]\\\x00"):
			t.Errorf("validEmail(%q) = true; want a bare address", s)
		case emailKey(emailKey(s)) != emailKey(s):
			t.Errorf("emailKey(%q) is not its own key", s)
		}
	})
}

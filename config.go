package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A config is the settings of the server, checked. What they can't tell, such as
// whether standard error is a terminal, is left open for newLog to decide.
type config struct {
	addr         string // HOST:PORT; HOST may be empty, PORT 0
	data         string // the data file's path, or "memory" to keep nothing
	seed         string // a JSON file for an empty store, "" for none
	accessTTL    time.Duration
	refreshTTL   time.Duration
	bookTTL      time.Duration
	bcryptCost   int
	alg          string   // algHS256 or algEdDSA
	cors         []string // "loopback", "*" and origins as browsers write them; none for off
	hosts        []string // lower case, without port or brackets
	sharedWrites bool
	log          string // "requests", "problems", "off"; "": requests on a terminal, else problems
	logFormat    string // "text" or "json"
	readyFile    string // where the URL is written, "" for nowhere
	stdin        bool   // stop when standard input ends
	metrics      string // who may read /metrics: "loopback", "all" or "off"
	lab          bool   // see prepareLab

	proxies []netip.Prefix // whose forwarded headers are believed
	tlsCert string         // PEM files; both or neither
	tlsKey  string

	// The keys are never flags: any user of the machine can read arguments with
	// ps. Their strength is judged where they are used, in keys.go.
	secret    string
	fallbacks []string
	labToken  string // the lab's secret, SHELF_LAB_TOKEN
	labMade   bool   // it was made by prepareLab, so it has to be shown

	envFile  string   // ".env" when a setting came from it, for the start line
	warnings []string // what is odd without being wrong, a sentence each
}

// A setting is one flag, the SHELF_ variable of the same name, and its line in
// the usage text.
type setting struct {
	name  string
	arg   string // what the usage calls its value; "" for a flag that is on or off
	value string // the default; "" leaves the field as it is
	help  string
	set   func(value string) error // the error says what would be right, not what was wrong
}

// settings is every flag there is. A new one is a field of config and a line here.
func (c *config) settings() []setting {
	return []setting{
		{"addr", "HOST:PORT", "127.0.0.1:8080", "where to listen; port 0 picks a free one", toAddress(&c.addr)},
		{"data", "FILE", "shelf.jsonl", "where the data is kept; memory keeps nothing", toText(&c.data)},
		{"seed", "FILE", "", "a JSON file to import at start, if the store is empty", toText(&c.seed)},
		{"access-ttl", "TIME", "15m", "how long an access token lasts: 90s, 15m, 12h, 30d", toLifetime(&c.accessTTL)},
		{"refresh-ttl", "TIME", "30d", "how long a refresh token lasts", toLifetime(&c.refreshTTL)},
		{"book-ttl", "TIME", "24h", "how long a token from /login lasts", toLifetime(&c.bookTTL)},
		{"alg", "ALG", "HS256", "HS256, or EdDSA: then other services can check tokens\nwith the public keys at /.well-known/jwks.json", toChoice(&c.alg, algHS256, algEdDSA)},
		{"bcrypt-cost", "N", "12", fmt.Sprintf("%d to %d: each step doubles the work of a sign-in,\nand of guessing a password", minCost, maxCost), toNumber(&c.bcryptCost, minCost, maxCost)},
		{"cors", "LIST", "loopback", "web pages that may call, comma separated: loopback,\n*, off, or origins such as https://app.example", toOrigins(&c.cors)},
		{"hosts", "LIST", "", "host names to answer to beside the loopback ones,\ncomma separated; for a proxy in front", toHosts(&c.hosts)},
		{"trusted-proxies", "LIST", "", "addresses or networks, comma separated, of proxies\nwhose X-Forwarded-For and -Proto are believed", toNetworks(&c.proxies)},
		{"shared-writes", "", "false", "any account may change any item and delete any book,\nas in the tutorials", toBool(&c.sharedWrites)},
		{"tls-cert", "FILE", "", "serve https with this certificate chain, PEM; SIGHUP\nreads it again", toText(&c.tlsCert)},
		{"tls-key", "FILE", "", "the certificate's private key, PEM", toText(&c.tlsKey)},
		{"log", "WHAT", "", "requests, problems or off; when not set, requests on\na terminal, else problems", toChoice(&c.log, "requests", "problems", "off")},
		{"log-format", "FORMAT", "text", "text or json; json makes the line on standard output\nan object too, with url, pid, data and version", toChoice(&c.logFormat, "text", "json")},
		{"ready-file", "FILE", "", "write the URL there when the server answers; gone\nwhen it stops", toText(&c.readyFile)},
		{"stdin", "", "false", "stop when standard input ends: then the end of the\nprogram that holds its other side is shelf's too", toBool(&c.stdin)},
		{"metrics", "WHO", "loopback", "who may read /metrics: loopback, which no request\nthrough a proxy comes from, all, or off", toChoice(&c.metrics, "loopback", "all", "off")},
		{"lab", "", "false", "for tests: calls below /lab/ that put the data back\nand set the clock; in memory and on loopback only", toBool(&c.lab)},
	}
}

// envName is the variable of a flag: SHELF_ACCESS_TTL for -access-ttl.
func envName(flag string) string {
	return "SHELF_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// parseConfig reads the settings: from args, else from the environment, else
// from .env, else the default. An empty variable counts as unset. Only the value
// that decides is checked; the error for a bad one says where it came from.
//
// dotenv returns what .env holds, or an error that is fs.ErrNotExist. For -h the
// error is flag.ErrHelp.
func parseConfig(args []string, lookupEnv func(string) (string, bool), dotenv func() ([]byte, error)) (config, error) {
	var c config
	settings := c.settings()
	given, err := parseFlags(args, settings)
	if err != nil {
		return config{}, err
	}
	file, err := readDotenv(dotenv)
	if err != nil {
		return config{}, err
	}
	env := func(name string) string {
		value, _ := lookupEnv(name)
		return value
	}
	fromFile := func(name string) string {
		value := file[name].value
		if value != "" {
			c.envFile = ".env"
		}
		return value
	}

	for _, s := range settings {
		name := envName(s.name)
		value, isFlag := given[s.name]
		origin := "flag -" + s.name
		switch {
		case isFlag:
		case env(name) != "":
			value, origin = env(name), "environment "+name
		case s.name == "addr" && env("PORT") != "":
			// A platform that runs programs sets PORT for this one alone: that goes before a file.
			value, origin = "127.0.0.1:"+env("PORT"), "environment PORT"
		case fromFile(name) != "":
			value, origin = fromFile(name), fmt.Sprintf(".env line %d: %s", file[name].line, name)
		case s.value != "":
			value, origin = s.value, "default of -"+s.name
		default:
			continue
		}
		if err := s.set(value); err != nil {
			return config{}, fmt.Errorf("%s: %q: want %w", origin, value, err)
		}
	}
	if c.secret = env("SECRET_KEY"); c.secret == "" {
		c.secret = fromFile("SECRET_KEY")
	}
	if c.fallbacks = commaList(env("SECRET_KEY_FALLBACKS")); c.fallbacks == nil {
		c.fallbacks = commaList(fromFile("SECRET_KEY_FALLBACKS"))
	}
	c.labToken = env("SHELF_LAB_TOKEN") // in .env it is that of a server that is called

	if (c.tlsCert == "") != (c.tlsKey == "") {
		return config{}, errors.New("-tls-cert and -tls-key go together, but only one of them is set")
	}
	c.warnings = unknownNames(file, settings)
	if c.refreshTTL < c.accessTTL {
		c.warnings = append(c.warnings, fmt.Sprintf("refresh-ttl (%v) is shorter than access-ttl (%v): there is nothing to refresh", c.refreshTTL, c.accessTTL))
	}
	return c, nil
}

// parseFlags returns the values of the flags in args, unjudged.
func parseFlags(args []string, settings []setting) (map[string]string, error) {
	given := map[string]string{}
	flags := flag.NewFlagSet("shelf", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller reports the error, once
	flags.Usage = func() {}     // and nobody wants a page for a typing mistake
	for _, s := range settings {
		keep := func(value string) error { given[s.name] = value; return nil }
		if s.arg == "" {
			flags.BoolFunc(s.name, s.help, keep)
		} else {
			flags.Func(s.name, s.help, keep)
		}
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w (shelf -h lists the flags)", err)
	case flags.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %q (shelf -h shows the usage)", flags.Arg(0))
	}
	return given, nil
}

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

// unknownNames warns of each SHELF_ name in .env that is no setting: most likely
// a typing mistake, but it may be another program's. The four below are no
// settings either, and no mistake: programs that call a shelf keep its address
// and their tokens under these names.
func unknownNames(file map[string]dotenvValue, settings []setting) (warnings []string) {
	known := []string{"SHELF_URL", "SHELF_TOKEN", "SHELF_ADMIN_TOKEN", "SHELF_LAB_TOKEN"}
	for _, s := range settings {
		known = append(known, envName(s.name))
	}
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if strings.HasPrefix(name, "SHELF_") && !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf(".env line %d: %s is not a setting of shelf", file[name].line, name))
		}
	}
	return warnings
}

const usageFlags = `
Flags. The variable named with each does the same, in the environment or in a
file called .env in the working folder. A flag goes before the environment, and
the environment before .env.

`

const usageTail = `
Variables without a flag, as other users can see a program's arguments:
  SECRET_KEY               signs the tokens, 32 bytes or more; without it shelf
                           makes a key at its first start and keeps it
  SECRET_KEY_FALLBACKS     earlier keys, comma separated: what they signed
                           stays good
  PORT                     the port of the default address; not read from .env
  SHELF_LAB_TOKEN          the secret that -lab asks for, 16 characters or more;
                           without it -lab makes one and shows it; not from .env

Exit status:
  0                        stopped as asked
  1                        could not start, or failed: standard error says why;
                           check: the file is damaged;
                           explain: the token is refused;
                           attack: not all were refused
  2                        check: not readable, or no data file of shelf;
                           explain: the token could not be judged;
                           attack: no shelf there;
                           run: no command; all four: a flag that is wrong
  run                      else that of the command, 128 and the signal's
                           number if one ended it; 125: the server failed;
                           126: the command can't be run; 127: there is none
`

// printSettings writes the part of -h that is about flags, variables and exit
// statuses.
func printSettings(w io.Writer) {
	fmt.Fprint(w, usageFlags)
	for _, s := range new(config).settings() {
		source := envName(s.name)
		if s.value != "" {
			source += ", default " + s.value
		}
		lines := strings.Split(s.help+"\n"+source, "\n")
		fmt.Fprintf(w, "  %-24s %s\n", strings.TrimSpace("-"+s.name+" "+s.arg), lines[0])
		for _, line := range lines[1:] {
			fmt.Fprintf(w, "  %-24s %s\n", "", line)
		}
	}
	fmt.Fprint(w, usageTail)
}

// into is a kind of value: a setter that fills p with what parse makes of a
// value, or returns what it wants instead.
func into[T any](p *T, want string, parse func(string) (T, bool)) func(string) error {
	return func(s string) error {
		v, ok := parse(s)
		if !ok {
			return errors.New(want)
		}
		*p = v
		return nil
	}
}

func toText(p *string) func(string) error {
	return into(p, "a value", func(s string) (string, bool) { return s, s != "" })
}

func toChoice(p *string, words ...string) func(string) error {
	return into(p, "one of "+strings.Join(words, ", "), func(s string) (string, bool) { return s, slices.Contains(words, s) })
}

func toBool(p *bool) func(string) error {
	return into(p, "true or false", func(s string) (bool, bool) {
		b, err := strconv.ParseBool(s)
		return b, err == nil
	})
}

func toNumber(p *int, low, high int) func(string) error {
	return into(p, fmt.Sprintf("a number from %d to %d", low, high), func(s string) (int, bool) {
		n, err := strconv.Atoi(s)
		return n, err == nil && low <= n && n <= high
	})
}

func toAddress(p *string) func(string) error {
	return into(p, "HOST:PORT with a port from 0 to 65535, such as 127.0.0.1:8080", func(s string) (string, bool) {
		_, port, err := net.SplitHostPort(s)
		_, portErr := strconv.ParseUint(port, 10, 16)
		return s, err == nil && portErr == nil
	})
}

// toLifetime reads a time.Duration or days, a unit that Go lacks. It takes whole
// seconds only, because that is how a token's times are written.
func toLifetime(p *time.Duration) func(string) error {
	return into(p, "a time above zero in whole seconds, such as 90s, 15m, 12h or 30d", func(s string) (time.Duration, bool) {
		if days, ok := strings.CutSuffix(s, "d"); ok {
			if n, err := strconv.ParseUint(days, 10, 32); err == nil {
				s = strconv.FormatUint(n*24, 10) + "h"
			}
		}
		d, err := time.ParseDuration(s)
		return d, err == nil && d > 0 && d%time.Second == 0
	})
}

// commaList splits s at commas. Blanks around an element, and empty ones, don't count.
func commaList(s string) (elements []string) {
	for e := range strings.SplitSeq(s, ",") {
		if e = strings.TrimSpace(e); e != "" {
			elements = append(elements, e)
		}
	}
	return elements
}

var (
	hostPattern   = regexp.MustCompile(`^(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])$`)
	originPattern = regexp.MustCompile(`^([a-z][a-z0-9+.-]*)://(?:[a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)
)

func toHosts(p *[]string) func(string) error {
	return into(p, "host names without a port, comma separated, such as shelf.example", func(s string) ([]string, bool) {
		names := commaList(strings.ToLower(s))
		for i, name := range names {
			if !hostPattern.MatchString(name) {
				return nil, false
			}
			names[i] = strings.Trim(name, "[]")
		}
		return names, true
	})
}

// toNetworks reads addresses and networks in CIDR notation (RFC 4632 §3.1, RFC
// 4291 §2.3). An address is the network of itself.
func toNetworks(p *[]netip.Prefix) func(string) error {
	return into(p, "addresses or networks, comma separated, such as 10.0.0.7,fd00::/8", func(s string) (networks []netip.Prefix, ok bool) {
		for _, text := range commaList(s) {
			network, err := netip.ParsePrefix(text)
			if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
				addr = addr.Unmap().WithZone("")
				network, err = netip.PrefixFrom(addr, addr.BitLen()), nil
			}
			if err != nil {
				return nil, false
			}
			networks = append(networks, network.Masked())
		}
		return networks, true
	})
}

// toOrigins reads what -cors takes. It keeps an origin as browsers write it, without
// the scheme's own port (RFC 6454 §6.2), and refuses what none would send. "null"
// is refused as well: any page can send that, from a sandboxed frame.
func toOrigins(p *[]string) func(string) error {
	const want = "loopback, *, off, or origins such as https://app.example with no path, comma separated"
	return into(p, want, func(s string) ([]string, bool) {
		if s == "off" {
			return nil, true
		}
		allowed := commaList(strings.ToLower(s))
		for i, o := range allowed {
			m := originPattern.FindStringSubmatch(o)
			switch {
			case o == "loopback" || o == "*":
			case m == nil:
				return nil, false
			case m[1] == "http" && m[2] == ":80" || m[1] == "https" && m[2] == ":443":
				allowed[i] = strings.TrimSuffix(o, m[2])
			}
		}
		return allowed, allowed != nil
	})
}

package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/lab"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/term"
	"example.com/shelf/internal/token"
)

// settings are those of the server, checked. What they can't tell, such as
// whether standard error is a terminal, is left open for serve.NewLog to decide.
type settings struct {
	addr           string // HOST:PORT; HOST may be empty, PORT 0
	data           string // the data file's path, or "memory" to keep nothing
	seed           string // a JSON file for an empty store, "" for none
	accessTTL      time.Duration
	refreshTTL     time.Duration
	tokenTTL       time.Duration
	bcryptCost     int
	rotateRefresh  bool
	badTokenStatus string   // "422" or "401"
	passwordPolicy string   // password.Tutorial or password.NIST
	alg            string   // token.HS256 or token.EdDSA
	cors           []string // "loopback", "*" and origins as browsers write them; none for off
	hosts          []string // lower case, without port or brackets
	sharedWrites   bool
	log            string // "requests", "problems", "off"; "": requests on a terminal, else problems
	color          string // term.Auto, term.Always or term.Never
	logFormat      string // serve.People, "text" or "json"; "": people on a terminal, else text
	readyFile      string // where the URL is written, "" for nowhere
	stdin          bool   // stop when standard input ends
	metrics        string // who may read /metrics: "loopback", "all" or "off"
	lab            bool   // see prepareLab

	maxConns                      int // connections at a time
	maxScans                      int // lists at a time that look at every row; 0: by processors
	maxOwned                      int // items and books of an account
	maxRows                       int // accounts, items and books
	limits                        limit.Rules
	maxStreams, maxAccountStreams int // streams of events at a time
	maxBody                       int // bytes of a request's body
	maxLarge                      int // bodies over 16 KiB at a time
	maxBatch                      int // items in one request
	maxTokens                     int // token records of an account
	hashQueue                     int // passwords that work or wait at a time
	hashWait                      time.Duration
	drain                         time.Duration // for the requests that run at a stop

	collections operator.CollectionSettings
	etcd        etcd.Settings

	proxies []netip.Prefix // whose forwarded headers are believed
	tlsCert string         // PEM files; both or neither
	tlsKey  string

	// The keys are never flags: any user of the machine can read arguments with
	// ps. Their strength is judged where they are used, in internal/token.
	secret                    string
	fallbacks                 []string
	secretName, fallbacksName string // the variables, and where they stand
	keyFault                  error  // why one of them can't be read
	labToken                  string // the lab's secret, SHELF_LAB_TOKEN
	labMade                   bool   // it was made by prepareLab, so it has to be shown

	fromPort bool                                              // addr is that of PORT
	progress func(what string, done, total int64, unit string) // as history.Progress
	envFile  string                                            // ".env" when a setting came from it, for the start line
	warnings []string                                          // what is odd without being wrong, a sentence each
}

// table is every flag there is. A new one is a field of settings and a line here.
// docs/settings.md is made from it, as .github/CONTRIBUTING.md says.
func (c *settings) table() config.Table {
	all := []config.Setting{
		config.Row("addr", "HOST:PORT", "127.0.0.1:8080", "where to listen; a port alone is of this machine;\nport 0 picks a free one", config.Address(&c.addr)).Under("Server"),
		config.Row("data", "FILE", "shelf.jsonl", "the data file; memory keeps the data in memory only;\netcd://HOST,HOST,HOST/ shares it with other shelfs", config.Text(&c.data)),
		config.Row("seed", "FILE", "", "a JSON file to import at the start, if the store is\nempty", config.Text(&c.seed)),
		config.Row("tls-cert", "FILE", "", "the certificate chain for https, PEM; SIGHUP makes\nshelf read it again", config.Text(&c.tlsCert)),
		config.Row("tls-key", "FILE", "", "the private key of the certificate, PEM", config.Text(&c.tlsKey)),
		config.Row("log", "WHAT", "", "requests, problems or off; the default is requests on\na terminal, else problems", config.Choice(&c.log, "requests", "problems", "off")),
		config.Row("log-format", "FORMAT", "", "people, text or json; the default is people on a\nterminal, else text (logfmt); with json the line on\nstandard output is an object too, with url, pid, data\nand version", config.Choice(&c.logFormat, serve.People, "text", "json")),
		config.Row("color", "WHEN", term.Auto, "colours in messages and in the log for people: auto,\nalways or never; auto is on a terminal, unless the\nenvironment has NO_COLOR", config.Choice(&c.color, term.Auto, term.Always, term.Never)),
		config.Row("metrics", "WHO", "loopback", "who may read /metrics: loopback (but no request that\na proxy forwards), all or off", config.Choice(&c.metrics, "loopback", "all", "off")),
		config.Row("drain", "TIME", "10s", "how long running requests may go on at a stop", config.Lifetime(&c.drain)),
		config.Row("access-ttl", "TIME", "15m", "how long an access token lasts: 90s, 15m, 12h, 30d", config.Lifetime(&c.accessTTL)).Under("Tokens and passwords"),
		config.Row("refresh-ttl", "TIME", "30d", "how long a refresh token lasts", config.Lifetime(&c.refreshTTL)),
		config.Row("rotate-refresh", "", "false", "each use of a refresh token gives a new one; a second\nuse of the old one ends its sign-in", config.Bool(&c.rotateRefresh)),
		config.Row("token-ttl", "TIME", "24h", "how long a token from /login lasts; with collections,\nany token without a refresh token", config.Lifetime(&c.tokenTTL)).Also("book-ttl"),
		config.Row("bad-token-status", "N", "422", "the catalog's status for what is no valid token: 422;\nor 401, at which some clients refresh", config.Choice(&c.badTokenStatus, "422", "401")),
		config.Row("alg", "ALG", "HS256", "HS256, or EdDSA: then other services can check tokens\nwith the public keys at /.well-known/jwks.json", config.Choice(&c.alg, token.HS256, token.EdDSA)),
		config.Row("password-policy", "WHICH", password.Tutorial, "rules for new passwords: tutorial; or nist, which is\n8 characters or more and no password that many have", config.Choice(&c.passwordPolicy, password.Tutorial, password.NIST)),
		config.Row("bcrypt-cost", "N", "12", fmt.Sprintf("%d to %d: each step doubles the work of a sign-in\nand of a guess", password.MinCost, password.MaxCost), config.Number(&c.bcryptCost, password.MinCost, password.MaxCost)),
		config.Row("shared-writes", "", "false", "any account may change any item and delete any book,\nas in the tutorials", config.Bool(&c.sharedWrites)),
		config.Row("cors", "LIST", "loopback", "web pages that may call, comma separated: loopback,\n*, off, or origins such as https://app.example\nor https://*.app.example", config.Origins(&c.cors)).Under("Web pages and proxies"),
		config.Row("hosts", "LIST", "", "more host names that a server on loopback answers to,\ncomma separated, for a proxy in front; .a.example is\nall names below it", config.Hosts(&c.hosts)),
		config.Row("trusted-proxies", "LIST", "", "proxies whose Forwarded or X-Forwarded-For, -Proto,\n-Host, -Port and -Prefix shelf believes: addresses or\nnetworks, comma separated", config.Networks(&c.proxies)),
		config.Row("ready-file", "FILE", "", "shelf writes its URL there when it answers, and\nremoves the file when it stops", config.Text(&c.readyFile)).Under("For programs that start shelf, and tests"),
		config.Row("stdin", "", "false", "stop when standard input ends, so that shelf ends\nwith the program that holds the other side of it", config.Bool(&c.stdin)),
		config.Row("lab", "", "false", "calls below /lab/ put the data back and set the\nclock; with -data memory on loopback only", config.Bool(&c.lab)),
		config.Row("sign-ups", "N", "20", "sign-ups a minute from one address", config.Number(&c.limits.SignUps, 1, million)).Under("Limits on guessing"),
		config.Row("failures", "N", "100", "wrong passwords a minute from one address", config.Number(&c.limits.Failures, 1, million)),
		config.Row("free-tries", "N", "10", "wrong passwords in a row for an account, from one\naddress; then the address waits, longer each time", config.Number(&c.limits.FreeTries, 1, million)),
		config.Row("in-row", "N", "100", "wrong passwords in a row for an account, from\nanywhere; then an address that is new to the account\nwaits before its first try", config.Number(&c.limits.InRow, 1, million)),
		config.Row("longest-wait", "TIME", "60s", "the longest of these waits, an hour at most", config.Lifetime(&c.limits.LongestWait)),
		config.Row("hash-queue", "N", "1000", "passwords at a time that are hashed or wait for it", config.Number(&c.hashQueue, 1, million)),
		config.Row("hash-wait", "TIME", "5s", "how long a password waits before a 503 is answered", config.Lifetime(&c.hashWait)),
		config.Row("max-owned", "N", "100000", "items, books and rows that one account may own", config.Number(&c.maxOwned, 1, math.MaxInt32)).Under("Limits on size"),
		config.Row("max-rows", "N", "10000000", "accounts, items, books and rows in all", config.Number(&c.maxRows, 1, math.MaxInt32)),
		config.Row("max-tokens", "N", "1000", "tokens of one account; with more, its oldest sign-ins\nend", config.Number(&c.maxTokens, 2, million)),
		config.Row("max-body", "N", "1048576", "bytes of a request's body; sign-in and sign-up take\n16 KiB at most", config.Number(&c.maxBody, form.MaxSmall, math.MaxInt32)),
		config.Row("max-large", "N", strconv.Itoa(form.MaxLarge), "bodies over 16 KiB at a time; an account may send a\nquarter of them", config.Number(&c.maxLarge, 1, million)),
		config.Row("max-batch", "N", "1000", "items that one request may add", config.Number(&c.maxBatch, 1, million)),
		config.Row("max-scans", "N", "0", "lists at a time that look at every row, by q= or a\nsort= other than id; 0: one less than processors", config.Number(&c.maxScans, 0, 1000)),
		config.Row("max-conns", "N", strconv.Itoa(serve.DefaultMaxConns), "connections at a time; others wait", config.Number(&c.maxConns, 10, 1000000)),
		config.Row("max-streams", "N", "1000", "streams of events at a time", config.Number(&c.maxStreams, 1, million)),
		config.Row("max-account-streams", "N", "8", "streams of events of one account at a time", config.Number(&c.maxAccountStreams, 1, million)),
	}
	all = append(append(all, c.collections.Table()...), c.etcd.Table()...)
	return config.Table{Program: "shelf", Variables: []string{"SECRET_KEY", "SECRET_KEY_FALLBACKS", etcd.UserVariable, etcd.PasswordVariable}, Settings: all}
}

// million is more than any of the limits can use.
const million = 1_000_000

// parseSettings reads the settings from args, the environment, .env or the defaults, in
// this order. Only the value that decides is checked; the error says where it came
// from. dotenv returns .env, or an error that is fs.ErrNotExist. For -h the error is
// flag.ErrHelp.
func parseSettings(args []string, lookupEnv func(string) (string, bool), dotenv func() ([]byte, error)) (settings, error) {
	var c settings
	in, err := c.table().Read(args, lookupEnv, dotenv)
	if err != nil {
		return settings{}, err
	}
	if port := in.Env("PORT"); port != "" {
		// A platform that runs programs sets PORT for this one alone: that goes before a file.
		in.Preset("addr", strings.TrimSpace(port), "environment PORT")
	}
	if err := in.Apply(); err != nil {
		return settings{}, err
	}
	c.secret, c.fallbacks = in.Variable("SECRET_KEY"), config.List(in.Variable("SECRET_KEY_FALLBACKS"))
	c.secretName, c.fallbacksName = in.Origin("SECRET_KEY"), in.Origin("SECRET_KEY_FALLBACKS")
	c.keyFault = cmp.Or(in.Fault("SECRET_KEY"), in.Fault("SECRET_KEY_FALLBACKS"))
	c.etcd.User, c.etcd.Password = in.Variable(etcd.UserVariable), in.Variable(etcd.PasswordVariable)
	c.labToken = in.Env("SHELF_LAB_TOKEN") // in .env it is that of a server that is called
	c.envFile = in.DotenvUsed()

	if c.addr, c.data, err = c.collections.Place(c.addr, c.data, in.From("addr"), in.From("data"), reservedNames); err != nil {
		return settings{}, err
	}
	if err := cmp.Or(c.etcd.Check(c.data), in.Fault(etcd.PasswordVariable)); err != nil {
		return settings{}, err
	}
	if (c.tlsCert == "") != (c.tlsKey == "") {
		return settings{}, config.Misused(errors.New("-tls-cert and -tls-key go together, but only one is set: set both or neither"))
	}
	c.warnings = in.Unknown(callersVariables...)
	c.fromPort = in.From("addr") == "environment PORT"
	if c.refreshTTL < c.accessTTL {
		c.warnings = append(c.warnings, fmt.Sprintf("-refresh-ttl (%v) is shorter than -access-ttl (%v): a refresh token ends before its access token", c.refreshTTL, c.accessTTL))
	}
	return c, nil
}

// callersVariables are no settings, and no mistake: programs that call a shelf keep
// its address and their tokens under these names.
var callersVariables = []string{"SHELF_URL", "SHELF_TOKEN", "SHELF_ADMIN_TOKEN", "SHELF_LAB_TOKEN"}

// shared reports whether the data lies in a cluster, where other servers use it too.
func (c settings) shared() bool { return etcd.IsAddress(c.data) }

// idle says which settings have no effect in a server, or not the one meant.
func (c settings) idle() (warnings []string) {
	host, port, _ := net.SplitHostPort(c.addr)
	for _, w := range []struct {
		is   bool
		says string
	}{
		{c.fromPort, "PORT is set, but shelf listens on this machine only: a platform that sets PORT wants -addr 0.0.0.0:" + port},
		{len(c.hosts) > 0 && !origin.Loopback(host), "-hosts has no effect: beyond loopback shelf answers to any name"},
		{len(c.cors) > 1 && slices.Contains(c.cors, "*"), "-cors: * allows all web pages, so the rest of the list has no effect"},
		{c.limits.LongestWait > time.Hour, "-longest-wait: no wait is longer than an hour"},
		{c.maxAccountStreams > c.maxStreams, "-max-account-streams is above -max-streams, and has no effect"},
		{c.maxOwned > c.maxRows, "-max-owned is above -max-rows, and has no effect"},
	} {
		if w.is {
			warnings = append(warnings, w.says)
		}
	}
	return warnings
}

// configuredKeys are the keys that the settings hold, nil if shelf makes its own.
// Only what signs or verifies asks for them: nothing else fails for a bad one.
func (c settings) configuredKeys() (*token.Keyring, error) {
	if c.keyFault != nil {
		return nil, c.keyFault
	}
	ring, err := token.ConfiguredKeys(c.secret, c.fallbacks, c.alg)
	if fault, ok := errors.AsType[*token.SecretError](err); ok {
		fault.Variable = map[string]string{"SECRET_KEY": c.secretName, "SECRET_KEY_FALLBACKS": c.fallbacksName}[fault.Variable]
	}
	return ring, config.Misused(err)
}

// prepareLab refuses a lab where it could do harm, and makes its secret if there is none.
// Without -lab it forgets SHELF_LAB_TOKEN, which belongs to another server then.
func (c *settings) prepareLab() error {
	host, _, _ := net.SplitHostPort(c.addr)
	switch {
	case !c.lab:
		c.labToken = ""
		return nil
	case c.data != inMemory:
		return config.Misused(fmt.Errorf("-lab needs -data memory, because its calls drop all data; -data is %s", c.data))
	case !origin.Loopback(host):
		return config.Misused(fmt.Errorf("-lab needs a loopback -addr, such as 127.0.0.1:8080; -addr is %s; -lab=false turns the lab off", c.addr))
	}
	var err error
	c.labToken, c.labMade, err = lab.Secret(c.labToken, c.log != "off" && c.logFormat != "json")
	return config.Misused(err)
}

package main

import (
	"cmp"
	"context"
	"crypto/rand"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/attack"
	"example.com/shelf/internal/child"
	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/explain"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
	"example.com/shelf/internal/token"
)

// readingGuide is what shelf tour prints.
//
//go:embed docs/reading.md
var readingGuide string

// commands is every command there is. A new one is a line here. Those with the
// same first word share a run, which gets the second word as its first argument.
func commands() config.Commands[shell] {
	return config.Commands[shell]{Program: "shelf", Intro: "shelf is a JSON API behind JWT sign-in: items and books, kept in one file.", Table: new(settings).table(), Notes: explain.Variables, File: operator.FileArgument, Everyday: everyday, Flags: everydayFlags, Synonyms: synonyms, All: []config.Command[shell]{
		config.Do("", "[flags] [FILE.json]", "start the server; Ctrl-C stops it. FILE.json holds\ncollections to serve, as for json-server", "db.json", serveCommand),
		config.Do("run", "[flags] [--] COMMAND ARGS...", "run a command with a server of its own: on a free\nport, with its data in memory, until the command\nends. The command finds SHELF_URL, SHELF_LAB_TOKEN,\nSHELF_TOKEN of an account and SHELF_ADMIN_TOKEN", "run npm test", runCommand),
		config.Do("check", "[FILE]", "say what is in a data file, and whether it is sound", "check shelf.jsonl", func(_ context.Context, sh shell, args []string) error { return sh.files().Check(args) }),
		config.Do("export", "[FILE] [-o OUT [-y]] [-secrets] [-collections]", "write the data as one JSON document, also while a\nserver runs; -secrets: with the password hashes;\n-collections: in the form of a json-server's file;\nit asks before it replaces OUT; -y says yes", "export -o backup.json", func(ctx context.Context, sh shell, args []string) error {
			return sh.files().Export(ctx, args, sh.now())
		}),
		config.Do("import", "FILE.json [-data FILE] [-keep-tokens] [-y]", "take in an export, if the store is empty; or a plain\nfile such as {\"items\":[],\"books\":[]}; stop the server\nfirst; an export's tokens end without -keep-tokens;\n-collections FILE.json: a json-server's file; it asks\nbefore it adds to what is there; -y says yes", "import db.json", func(ctx context.Context, sh shell, args []string) error { return sh.importing(ctx).Run(ctx, args) }),
		config.Do("copy", "FROM TO", "copy all data and keys from a data file to an empty\netcd://HOST,HOST,HOST/, or back; stop the server of\na file first", "copy shelf.jsonl etcd://a,b,c/shelf/", copyCommand),
		config.Do("explain", "[TOKEN] [flags]", "say what is in a token and why it is good or refused;\nwithout TOKEN it reads standard input", "explain eyJhbGciOiJIUzI1NiIs...", explainCommand),
		config.Do("key list", "[flags]", "list the signing keys", "key list", keyCommand),
		config.Do("key rotate", "[-now [-y]] [flags]", "make a new key, which signs from the next start on;\nthe old key still verifies; -now ends it at once, for\na key that has leaked, and asks first, but with -y;\nstop the server first", "key rotate", keyCommand),
		config.Do("user list", "[flags]", "list the accounts; all user commands also work while\na server runs; NAME is an e-mail or a username", "user list", userCommand),
		config.Do("user add", "NAME [flags]", "add an account: a catalog account if NAME is an\ne-mail, else a book account; it asks for a password,\nor reads the first line of standard input", "user add ann@example.com", userCommand),
		config.Do("user passwd", "NAME [flags]", "give an account a new password, read as for add; its\nsign-ins end", "user passwd ann@example.com", userCommand),
		config.Do("user admin", "NAME [-off] [flags]", "make an account an admin; with -off, no longer", "user admin ann@example.com", userCommand),
		config.Do("user delete", "NAME [-y] [flags]", "delete an account; its items and books stay; it asks\nfirst, but with -y", "user delete bob", userCommand),
		config.Do("attack", "[-json] [-yes-i-own-it] [URL]", "attack a running server, from accounts that it makes\nand deletes; URL is SHELF_URL or the default address;\n-yes-i-own-it: also beyond this machine; with\nSHELF_LAB_TOKEN also attacks that move the clock", "attack http://127.0.0.1:8080", func(ctx context.Context, sh shell, args []string) error {
			sh.interrupt.Keeps("") // it deletes its accounts first
			return attack.Command(ctx, args, sh.env, sh.stdout)
		}),
		config.Do("ready", "URL [-wait TIME]", "say whether the server at URL is ready, by the exit\nstatus too; -wait 10s: wait for it that long at most", "ready http://127.0.0.1:8080", func(ctx context.Context, sh shell, args []string) error {
			return child.ReadyCommand(ctx, args, sh.stdout)
		}),
		config.Do("tour", "", "a walk through the code, from sign-up to the disk", "tour", config.Plain("usage: shelf tour", func(sh shell) { explain.Tour(sh.stdout, readingGuide) })),
		config.Do("version", "", "say which build this is", "version", config.Plain("usage: shelf version", func(sh shell) { serve.ThisBuild(version).Print(sh.stdout) })),
		config.Do("completion", "SHELL", "print a script for completion in bash or zsh", "completion bash >> ~/.bash_completion", func(_ context.Context, sh shell, args []string) error { return commands().Complete(sh.stdout, args) }),
		config.Do("man", "", "print the manual page, for man(1)", "man > shelf.1", config.Plain("usage: shelf man", func(sh shell) { commands().Man(sh.stdout) })),
		config.Do("help", "[COMMAND, -FLAG or all]", "say what a command or a flag does; all: everything", "help user add", func(_ context.Context, sh shell, args []string) error { return commands().Help(sh.stdout, args) }),
	}}
}

// everyday and everydayFlags are what the short help begins with, and synonyms the words
// of other programs for commands.
var (
	everyday      = []string{"", "run", "user add", "export", "import"}
	everydayFlags = []string{"addr", "port", "data", "seed", "open", "static", "cors", "log", "lab"}
	synonyms      = map[string]string{"serve": "", "start": "", "server": "", "up": "", "dev": "", "users": "user list", "adduser": "user add", "backup": "export", "dump": "export", "restore": "import", "load": "import", "verify": "check", "decode": "explain", "test": "run", "exec": "run", "health": "ready", "healthcheck": "ready", "ping": "ready", "wait": "ready"}
)

// A shell is what a command finds around it.
type shell struct {
	parse          func(flags []string) (settings, error) // as parseSettings; it has printed the warnings
	env            func(name string) string               // "" for what is not set
	now            func() time.Time
	stdin          io.Reader
	stdout, stderr io.Writer
	screen         *term.Screen      // stderr for people
	interrupt      *config.Interrupt // says at each moment what Ctrl-C keeps
}

// streams are those that package operator works with.
func (sh shell) streams() operator.Streams {
	return operator.Streams{In: sh.stdin, Out: sh.stdout, Err: sh.screen, Interrupt: sh.interrupt, Progress: sh.screen.Tell}
}

// newShell is that of the program itself.
func newShell(lookupEnv func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) shell {
	env := func(name string) string { value, _ := lookupEnv(name); return value }
	screen := term.NewScreen(stderr, env)
	screen.Use(term.Style{Colour: env("SHELF_COLOR")})
	parse := func(flags []string) (settings, error) {
		c, err := parseSettings(flags, lookupEnv, func() ([]byte, error) { return durable.ReadFile(".env") })
		c.progress = screen.Tell
		screen.Use(term.Style{Colour: cmp.Or(c.color, env("SHELF_COLOR")), Format: c.logFormat, Silent: c.log == "off"})
		if c.log != "off" {
			for _, warning := range append(c.warnings, new(settings).table().Stray(lookupEnv, callersVariables...)...) {
				fmt.Fprintln(screen, "shelf:", term.Paint(screen, term.Yellow, "warning:"), warning)
			}
		}
		return c, config.Misused(err)
	}
	return shell{parse, env, clock.Real, stdin, stdout, stderr, screen, new(config.Interrupt)}
}

// runDefaults are what shelf run sets as with flags, before those that it is
// given: so they go before the environment, where PORT and SHELF_DATA are most
// likely another server's.
var runDefaults = []string{"-addr=127.0.0.1:0", "-data=memory", "-bcrypt-cost=4", "-log=problems", "-stdin=false", "-lab"}

// runCommand is the command shelf run: a server for the time that another
// command takes. Standard input and output are that command's alone. It gets the
// signals that shelf gets, shelf ends when it does, and with its exit status.
func runCommand(ctx context.Context, sh shell, args []string) error {
	c, command, err := runSettings(sh, args)
	if err != nil {
		return err
	}
	sh.interrupt.Keeps("the command was not started")
	cmd := child.New(ctx, command, sh.stdin, sh.stdout, sh.stderr)
	return config.Failed(cmd.Beside(c.drain, func(ctx context.Context) error {
		return runServer(ctx, c, sh, func(s *server) (err error) {
			cmd.Env, err = s.readyMade(cmd.Env)
			return err
		}, func(s *server, url string) error {
			sh.interrupt.Keeps("") // signals are the command's from here on
			cmd.Env = append(cmd.Env, "SHELF_URL="+url)
			return cmd.Start()
		})
	}))
}

// runSettings reads the arguments of shelf run. It fails with flag.ErrHelp, or
// with statusUsage.
func runSettings(sh shell, args []string) (c settings, command []string, err error) {
	flags, command := c.table().Leading(args)
	c, err = sh.parse(append(slices.Clone(runDefaults), flags...))
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c, nil, err
	case err == nil && len(command) == 0:
		err = errors.New("usage: shelf run [flags] COMMAND ARGS..., such as: shelf run npm test")
	case err == nil && c.data != inMemory:
		err = errors.New("run keeps its data in memory; leave -data out, and give it data with -seed FILE.json")
	case err == nil && c.stdin:
		err = errors.New("standard input belongs to the command; leave -stdin out")
	}
	if err != nil {
		return c, nil, config.Misused(err)
	}
	c.forgetKeys(sh.screen)
	c.labToken = rand.Text() // what is in the environment may be known to others
	return c, command, nil
}

// forgetKeys leaves the server of shelf run with a key of its own, unless the
// environment has a good one: .env is another program's, as its data is.
func (c *settings) forgetKeys(stderr io.Writer) {
	_, err := c.configuredKeys()
	if err != nil && c.secretName == "SECRET_KEY" && c.secret != "" && c.log != "off" {
		fmt.Fprintf(stderr, "shelf: %s run does not use this key, and makes one: %v\n", term.Paint(stderr, term.Yellow, "warning:"), err)
	}
	if err != nil || c.secretName != "SECRET_KEY" {
		c.secret, c.fallbacks, c.keyFault = "", nil, nil
	}
}

// readyMadeTTL is the life of the tokens that the command is given, by the
// server's clock: longer than any -access-ttl in use, as a run of tests can't be
// asked to sign in anew.
const readyMadeTTL = 24 * time.Hour

// readyMade adds two accounts, the second an admin's, and returns env with a
// token of each. They have no password, so no sign-in works.
func (s *server) readyMade(env []string) ([]string, error) {
	for _, account := range []struct {
		variable, email string
		admin           bool
	}{
		{"SHELF_TOKEN", "user@shelf.example", false},
		{"SHELF_ADMIN_TOKEN", "admin@shelf.example", true},
	} {
		u := newUser(account.email, account.email, s.now())
		u.Admin = account.admin
		signed, record, err := s.issue(u, token.Access, readyMadeTTL, byPassword)
		if err == nil {
			err = s.store.signUp(u, record)
		}
		if err != nil {
			return nil, fmt.Errorf("adding the account %s: %w", account.email, err)
		}
		env = append(env, account.variable+"="+signed)
	}
	return append(env, "SHELF_LAB_TOKEN="+s.config.labToken), nil // without a lab, none: an outer server's is of no use here
}

// version is the release's, such as v1.2.0. A release build sets it with
// -ldflags "-X main.version=v1.2.0"; "" leaves it to what Go knows.
var version string

// explainCommand is the command shelf explain. It judges a token as the server
// with the same settings would. It only reads, and works beside a running server.
func explainCommand(_ context.Context, sh shell, args []string) error {
	return explain.Command(args, sh.stdin, sh.stdout, sh.screen, func(flags []string) (func() (explain.Server, error), error) {
		c, err := sh.parse(flags)
		if err == nil && c.data == inMemory {
			err = errors.New("-data memory has no file to check a token against; name the data file with -data FILE")
		}
		return func() (explain.Server, error) { return judgeOf(c, sh.now()) }, err
	})
}

// judgeOf is a server with those settings, as shelf explain asks it.
func judgeOf(c settings, now time.Time) (explain.Server, error) {
	st, _, err := loadStore(c)
	if err != nil {
		return explain.Server{}, err
	}
	keys, err := c.configuredKeys()
	if err == nil && keys == nil {
		keys, err = operator.ReadKeys(c.etcd, c.data, c.alg, now)
	}
	s := &server{config: c, store: st, keys: keys, verifier: keys, now: func() time.Time { return now }}
	return s.judge(), err
}

// judge is s as shelf explain asks it: what callerOf makes of a token.
func (s *server) judge() explain.Server {
	now := s.now()
	return explain.Server{
		Keys: s.keys.Ring(),
		Now:  now,
		Judge: func(text string) (typ, name string, err error) {
			c, err := s.callerOf(context.Background(), text, anyToken)
			if err != nil {
				return "", "", err
			}
			return c.token.Type, c.user.identity(), nil
		},
		Find: func(publicID, jti string) (u *explain.User, r *explain.Record) {
			known, record := s.store.userWithToken(publicID, jti)
			if known != nil {
				u = &explain.User{ID: known.ID, Name: known.identity(), Admin: known.Admin, Disabled: known.Disabled}
			}
			if record != nil {
				r = &explain.Record{ID: record.ID, Owner: record.User}
				if record.EndedBy != "" {
					r.Ended = endedText(record, now)
				}
			}
			return u, r
		},
	}
}

// keyCommand is the commands shelf key.
func keyCommand(ctx context.Context, sh shell, args []string) error {
	return operator.RunKeys(ctx, args, sh.streams(), func(flags []string) (operator.Keys, error) {
		c, err := sh.parse(flags)
		keys := operator.Keys{Data: c.data, Alg: c.alg, Secret: c.secret != "", Configured: c.configuredKeys, Etcd: c.etcd, Now: sh.now()}
		if c.data == inMemory {
			keys.Data = ""
		}
		keys.LastExpiry = func() (time.Time, error) {
			st, _, err := loadStore(c)
			last := st.lastExpiry()
			if soon := sh.now().Add(c.refreshTTL); c.shared() && soon.After(last) { // a replica signs by the old key for a moment
				last = soon
			}
			return last, err
		}
		return keys, err
	})
}

// files are the data files, for shelf export and shelf check.
func (sh shell) files() operator.Files {
	var c settings
	return operator.Files{
		Streams: sh.streams(),
		Path: func(name string) (path string, err error) {
			c, err = fileConfig(sh, name)
			return c.data, err
		},
		Collections: func(_ string, secrets bool) ([]byte, error) { return exportCollections(c, secrets) },
		Load: func(string) (*db.DB, journal.Found, error) {
			s, found, err := loadStore(c)
			return s.DB, found, err
		},
	}
}

// importing is shelf import, for a server that is stopped.
func (sh shell) importing(ctx context.Context) operator.Import {
	var c settings
	path := func(name string) (_ string, err error) {
		c, err = fileConfig(sh, name)
		return c.data, err
	}
	return operator.Import{Streams: sh.streams(), Path: path, Open: func() (*operator.Target, error) {
		s, err := openStoreForCommand(ctx, c, sh)
		if err != nil {
			return nil, err
		}
		return &operator.Target{
			Document: func(from *strictjson.Document, keepTokens bool, commit func()) (string, error) {
				return importAndLeave(s, from, keepTokens, commit)
			},
			Collections: func(name string, document []byte) error {
				c.collections.File = name
				_, err := (&collections{settings: c.collections}).loader(c, s, sh, serve.NewLog(sh.screen, c.log, c.logFormat)).Import(ctx, document)
				return err
			},
			Holds: s.contents, Unused: s.Unused, Close: s.Close,
		}, nil
	}}
}

// copyCommand is shelf copy. The places are files and clusters.
func copyCommand(ctx context.Context, sh shell, args []string) error {
	c, err := sh.parse(nil)
	if err != nil {
		return err
	}
	at := func(place string) settings { c.data = place; return c }
	return operator.Copy{
		Streams: sh.streams(), Etcd: c.etcd,
		Load: func(place string) (*db.DB, error) { s, _, err := loadStore(at(place)); return s.DB, err },
		Open: func(place string) (*db.DB, func() string, error) {
			s, err := openStoreForCommand(ctx, at(place), sh)
			if err != nil {
				return nil, nil, err
			}
			return s.DB, s.contents, nil
		},
	}.Run(args)
}

// seedStore has a store that holds nothing begin with the file of -seed, if there is one.
func seedStore(s *store, c settings, interrupt *config.Interrupt, log *slog.Logger) error {
	if c.seed == "" {
		return nil
	}
	seed := operator.Seed{File: c.seed, Log: log, Progress: c.progress, Holds: s.contents, Empty: s.Unused, Shared: s.Shared()}
	if c.data != inMemory && !s.Shared() {
		seed.Data = c.data
	}
	commit := func() { interrupt.Keeps("the store holds all of " + c.seed + ", or nothing of it") }
	seed.Import = func(from *strictjson.Document) (done string, err error) {
		if seed.Data == "" {
			return importDocument(s, from, false, commit)
		}
		if done, err = importAndLeave(s, from, false, commit); err != nil {
			return "", err
		}
		return done, s.Reread()
	}
	return cmp.Or(seed.Sow(), s.Fresh(context.Background())) // with what another replica has sown
}

// importDocument adds a JSON document to s, all of it or nothing. What shelf
// export wrote goes into a store that has never held anything, with its
// ids; accounts without a hash can't sign in until they get a password. A plain
// {"items":[…],"books":[…]}, such as json-server's db.json, is added with new
// ids, without a creator. An error names the element that offends. It returns
// a sentence on what was done. commit is called before the rows are written.
//
// An export may be older than a log-out, so its tokens end without keepTokens.
func importDocument(s *store, from *strictjson.Document, keepTokens bool, commit func()) (done string, err error) {
	trial := newStoreWith(s.Rehearsal())
	var items []*item
	var books []*book
	unused := s.Unused()
	if !unused {
		trial.items.OnImport(func(row storedItem) storedItem { items = append(items, row.item()); return row })
		trial.books.OnImport(func(b *book) *book { books = append(books, b); return b })
	}
	if done, err = rehearse(trial, s, from, keepTokens); err != nil {
		return "", err
	}
	commit()
	if unused {
		return done, s.Fill(trial.Snapshot())
	}
	return done, s.addAll(items, books)
}

// importAndLeave is importDocument with little memory. Only Close or Reread may follow.
func importAndLeave(s *store, from *strictjson.Document, keepTokens bool, commit func()) (done string, err error) {
	if s.Shared() {
		return importDocument(s, from, keepTokens, commit)
	}
	err = s.Intake(func(o db.Options) (*db.DB, error) {
		trial := newStoreWith(o)
		done, err = rehearse(trial, s, from, keepTokens)
		return trial.DB, err
	}, commit)
	return done, err
}

// rehearse imports a document into trial, an empty store in memory, as it would go into
// s. Each element has to keep the rules that a line of the data file has to keep.
func rehearse(trial, s *store, from *strictjson.Document, keepTokens bool) (done string, err error) {
	trial.Load(s.Snapshot(), 0)
	switch {
	case !from.Has("format"):
		return trial.importPlain(from)
	case !s.Unused():
		return "", db.ErrNotEmpty
	}
	ended := 0
	if !keepTokens {
		trial.tokens.OnImport(func(t *tokenRecord) *tokenRecord {
			if t.EndedBy == "" && !t.expired(s.now()) {
				ended++
			}
			return t.endedAs(endedByImport, s.now())
		})
	}
	if err := trial.Import(from); err != nil {
		return "", err
	}
	done = "imported " + trial.contents()
	if ended > 0 {
		done += "; ended " + term.Count(ended, "token") + ", so every account has to sign in again (-keep-tokens keeps them)"
	}
	return done, nil
}

// importPlain adds rows that say nothing but what a client would send.
func (s *store) importPlain(from *strictjson.Document) (string, error) {
	now := s.now()
	items, err := form.Rows(from, "items", s.Rehearsal().Progress.Rows, func(it *item) any { return &it.itemInput }, (*item).lengths, func(it *item) (int, error) {
		it.fresh(s.items.NewID(nil), now)
		return it.ID, s.items.Import(it.stored())
	})
	if err != nil {
		return "", err
	}
	books, err := form.Rows(from, "books", s.Rehearsal().Progress.Rows, func(b *book) any { return &b.bookInput }, (*book).lengths, func(b *book) (int, error) {
		b.ID = s.books.NewID(nil)
		b.render()
		if s.books.Import(b) != nil { // no other rule is left
			return 0, fmt.Errorf("%w: %.200q", errTitleTaken, b.Title)
		}
		return b.ID, nil
	})
	if err != nil {
		return "", err
	}
	if items.Rows+books.Rows == 0 {
		return "", errors.New(`nothing to import: the file is neither an export of shelf nor {"items":[…],"books":[…]}; shelf import -collections takes a json-server's file`)
	}
	done := fmt.Sprintf("imported %s, %s", term.Count(items.Rows, "item"), term.Count(books.Rows, "book")) + items.Words() + books.Words()
	others := slices.DeleteFunc(from.Names(), func(name string) bool { return name == "items" || name == "books" })
	if len(others) > 0 {
		done += "; left out members that shelf has no table for: " + strings.Join(slices.Sorted(slices.Values(others)), ", ")
	}
	return done, nil
}

// fileConfig is the settings for a command on the data file called name, "" for
// the one that the settings name.
func fileConfig(sh shell, name string) (settings, error) {
	c, err := sh.parse(nil)
	if name != "" {
		c.data = name
	}
	if err == nil && c.data == inMemory {
		err = config.Misused(errors.New("-data memory has no file; name the data file"))
	}
	return c, cmp.Or(err, config.Misused(c.etcd.Check(c.data)))
}

// addAll adds items and books without a creator, in one batch. It fails with
// errTitleTaken, wrapped in the book's place.
func (s *store) addAll(items []*item, books []*book) error {
	return s.Update(func(tx *db.Tx) error {
		s.putNewItems(tx, items)
		for i, b := range books {
			if err := s.putNewBook(tx, b); err != nil {
				return &strictjson.ElementError{List: "books", Index: i, Err: fmt.Errorf("%w: %.200q", err, b.Title)}
			}
		}
		return nil
	})
}

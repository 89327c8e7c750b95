// Shelf is a small JSON API behind JWT sign-in: a catalog of items and a
// library of books, kept in one file that people can read.
//
//	go run .        start the server
//	shelf help      the commands, the flags, the variables
//
// This package is the application: what shelf does. The packages below internal/
// are its machinery: how. docs/architecture.md draws them; each has a comment that
// is its manual.
//
// To read it, follow a token from sign-up to a restart: docs/reading.md lists the
// functions on this path, and shelf tour prints them. shelf attack tries to break a
// server that runs.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/rows"

	"example.com/shelf/internal/child"
	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/explain"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

func main() {
	ctx := config.UntilSignal(context.Background())
	err := run(ctx, os.Args[1:], os.LookupEnv, os.Stdin, os.Stdout, os.Stderr)
	durable.Abandon() // a command that was interrupted may be writing a file
	if status := config.ExitStatus("shelf", err, os.Stderr); status != 0 {
		os.Exit(status)
	}
}

// run is the program. When ctx is done a server answers the requests that run and
// returns; any other command ends at once.
func run(ctx context.Context, args []string, lookupEnv func(string) (string, bool), stdin io.Reader, stdout, stderr io.Writer) error {
	sh := newShell(lookupEnv, stdin, stdout, stderr)
	return sh.interrupt.Run(ctx, "nothing was changed", func() error { return commands().Run(ctx, sh, stdout, args) })
}

// inMemory is the -data that keeps nothing.
const inMemory = "memory"

// serveCommand is shelf with flags and no command.
func serveCommand(ctx context.Context, sh shell, args []string) error {
	flags, files := new(settings).table().Split(args)
	if len(files) > 1 {
		return config.Failed(statusUsage, fmt.Errorf("more than one file: %s", strings.Join(files, ", ")))
	}
	for _, name := range files {
		flags = append(flags, "-collections="+name)
	}
	c, err := sh.parse(flags)
	if err != nil {
		return err
	}
	sh.interrupt.Keeps("the data was not changed")
	if c.stdin {
		ctx = child.UntilEOF(ctx, sh.stdin)
	}
	ctx, stop := serve.UntilHangup(ctx, c.tlsCert != "", serve.NewLog(sh.stderr, c.log, c.logFormat))
	defer stop()
	return runServer(ctx, c, sh, nil, func(s *server, url string) error {
		sh.interrupt.Keeps("")                       // the requests that run are answered
		if c.log != "off" && c.logFormat == "text" { // a program that reads JSON has the ready line
			greet(sh.stderr, s.config, s.store, url)
		}
		return child.Ready{URL: url, PID: os.Getpid(), Data: c.data, Version: serve.ThisBuild(version).Version}.Print(sh.stdout, c.logFormat)
	})
}

// runServer runs the server until ctx is done. It calls prepare, if not nil, when the data
// is there, and ready when the server answers at url. An error from either ends it.
func runServer(ctx context.Context, c settings, sh shell, prepare func(*server) error, ready func(s *server, url string) error) (err error) {
	if err := c.prepareLab(); err != nil {
		return err
	}
	log := serve.NewLog(sh.stderr, c.log, c.logFormat)
	if err := c.checkFiles(log); err != nil {
		return err
	}
	clk := &clock.Clock{}
	st, keys, err := openData(c, log, clk.Now)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if c.seed != "" {
		if err := seedStore(st, c, sh.interrupt, log); err != nil {
			return err
		}
	}
	loaded, err := openCollections(ctx, c, st, sh, log)
	if err != nil {
		return err
	}
	if err := child.CheckReadyFile(c.readyFile); err != nil { // where it can't be, there might be the data
		return err
	}
	cert, err := serve.KeepCertificate(ctx, c.tlsCert, c.tlsKey, log)
	if err != nil {
		return err
	}
	listener, err := serve.Listen(c.addr)
	if err != nil {
		return err
	}
	handler := newServer(c, st, keys, log, clk.Now, listener.Addr())
	if loaded != nil {
		handler.collections = loaded
		handler.mux = handler.newMux() // now with their route
	}
	if prepare != nil {
		if err := prepare(handler); err != nil {
			listener.Close()
			return err
		}
	}
	if c.lab {
		newLab(handler, clk)
	}
	httpServer := serve.New(handler, serve.Config{Log: log, MaxConns: c.maxConns, Refuse: handler.refuse})
	url := serve.URL(listener, cert)
	c.warn(log, cert != nil, listener.Addr())
	defer handler.takeCommands()()
	defer child.RemoveReadyFile(c.readyFile, url)
	return serve.Until(ctx, listener, httpServer, cert, func() error {
		if err := child.WriteReadyFile(c.readyFile, url); err != nil {
			return err
		}
		return ready(handler, url)
	}, handler.streams.Stop, c.drain)
}

// warn says what is odd about the settings of a server on addr.
func (c settings) warn(log *slog.Logger, https bool, addr net.Addr) {
	for _, warning := range c.idle() {
		log.Warn(warning)
	}
	if !https && !addr.(*net.TCPAddr).IP.IsLoopback() {
		log.Warn("listening beyond this machine without TLS: others can read passwords and tokens on their way; set -tls-cert and -tls-key, or put a proxy with TLS in front")
	}
}

// checkFiles refuses files that other users of this machine can change, and warns of
// those that they can read. The key file is checked where it is read.
func (c settings) checkFiles(log *slog.Logger) error {
	files := map[string]string{c.envFile: "read the secrets in it", c.tlsKey: "pass for this server"}
	if c.data != inMemory {
		files[c.data] = "read the password hashes in it"
		if warning := durable.CheckFolder(c.data); warning != "" {
			log.Warn(warning)
		}
	}
	delete(files, "")
	return durable.CheckAllPrivate(files, func(warning string) { log.Warn(warning) })
}

// openData opens the store and the keys that go with it.
func openData(c settings, log *slog.Logger, now func() time.Time) (st *store, keys *token.Keyring, err error) {
	if keys, err = c.configuredKeys(); err != nil {
		return nil, nil, err
	}
	if c.data == inMemory {
		if keys == nil {
			keys = token.MemoryKeys(c.alg)
		}
		return newStore(log, now), keys, nil
	}
	if token.KeyPath(c.data) == c.data {
		return nil, nil, fmt.Errorf("-data %s: the key file has that name; give the data file another name", c.data)
	}
	// The data file is locked first: the key file is its server's.
	if st, err = openStore(journal.OS{}, c.data, log, now); err != nil {
		return nil, nil, err
	}
	if keys == nil {
		var warning string
		keys, warning, err = token.LoadKeys(token.KeyPath(c.data), c.alg, now())
		if err != nil {
			st.Close()
			return nil, nil, err
		}
		if warning != "" {
			log.Warn(warning)
		}
	}
	return st, keys, nil
}

// takeCommands has shelf user work beside this server, until stop is called.
func (s *server) takeCommands() (stop func()) {
	if s.config.data == inMemory {
		return func() {}
	}
	control := &operator.Control{Accounts: s.store.forOperator(s.config), Log: s.log, Note: func(event string, attrs ...any) {
		s.trail.Note(s.log, netip.Addr{}, event, attrs...)
	}}
	control.Open(s.config.data)
	return control.Close
}

// greet tells a person where things are and what to do next.
func greet(w io.Writer, c settings, st *store, address string) {
	g := explain.Greeting{URL: address, Data: fmt.Sprintf("%s (%s)", c.data, st.contents()), Key: token.KeyPath(c.data), EnvFile: c.envFile}
	if c.data == inMemory {
		g.Data, g.Key = "memory: the data ends with this process", "memory"
	}
	if c.secret != "" {
		g.Key = "SECRET_KEY"
	}
	switch {
	case c.labMade:
		g.Lab = address + "/#lab=" + c.labToken // no browser sends a fragment anywhere
	case c.lab:
		g.Lab = "SHELF_LAB_TOKEN"
	}
	st.View(func(tx *db.Tx) {
		for _, shown := range st.rows.Collections(tx) {
			if g.Rows == "" && !slices.Contains(c.collections.skip, shown.Name) {
				g.Rows, g.Open = c.collections.prefix+"/"+url.PathEscape(shown.Name), c.collections.open
			}
		}
	})
	g.Print(w)
}

// openCollections loads the file of the collections into a store that has none yet. It
// returns what serves them, nil for a server that has no file and no collections.
func openCollections(ctx context.Context, c settings, st *store, sh shell, log *slog.Logger) (*collections, error) {
	in := c.collections
	cols := &collections{settings: in}
	if in.file != "" {
		text, err := cols.read(c.data)
		if err != nil {
			return nil, err
		}
		if err := cols.load(ctx, c, st, sh, text, log); err != nil {
			return nil, operator.InDocument(in.file, text, err, "")
		}
	}
	var names []string
	empty := true
	st.View(func(tx *db.Tx) {
		empty = st.rows.Empty(tx)
		for _, collection := range st.rows.Collections(tx) {
			names = append(names, collection.Name)
		}
	})
	switch {
	case empty && in.file == "" && in.static+in.routes+in.guardsFile+in.prefix != "" || in.open && empty && in.file == "":
		return nil, errors.New("there are no collections for -static, -routes, -guards, -prefix or -open: name a file, such as shelf db.json")
	case empty && in.file == "":
		return nil, nil
	}
	if in.static != "" {
		key := ""
		if c.data != inMemory {
			key = token.KeyPath(c.data)
		}
		folder, err := serve.OpenFolder(in.static, c.data, key, in.file, in.guardsFile, in.routes, c.tlsKey)
		if err != nil {
			return nil, fmt.Errorf("-static: %w", err)
		}
		cols.static = folder
	}
	st.plainUsers = slices.Contains(names, "users")
	guards, err := cols.readGuards(names, !st.plainUsers)
	if err != nil {
		return nil, err
	}
	if in.prefix != "" && (!strings.HasPrefix(in.prefix, "/") || strings.HasSuffix(in.prefix, "/") || slices.Contains(reservedNames, strings.Split(in.prefix, "/")[1])) {
		return nil, fmt.Errorf("-prefix %s: want a path that is not shelf's own, such as /data", in.prefix)
	}
	st.rows.Set(rows.Options{Guards: guards, KeepChildren: !in.cascade})
	if host, _, _ := net.SplitHostPort(c.addr); in.open && !origin.Loopback(host) {
		log.Warn("-open beyond this machine: everyone who reaches " + c.addr + " can change the collections")
	}
	return cols, nil
}

// read reads the file. A missing one is made where -new says so, but never by a
// server that keeps nothing.
func (cols *collections) read(data string) ([]byte, error) {
	name := cols.settings.file
	text, err := durable.ReadText(name)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return text, err
	case !cols.settings.create:
		return nil, fmt.Errorf("%w (-new makes the file)", err)
	case data == inMemory:
		return nil, nil
	}
	return []byte("{}\n"), durable.WriteFile(name, []byte("{}\n"))
}

// load adds the file's accounts and collections, all or nothing, to a store that has
// none. Clear passwords become hashes, in the file too.
func (cols *collections) load(ctx context.Context, c settings, st *store, sh shell, text []byte, log *slog.Logger) error {
	f, err := cols.parse(text)
	if err != nil {
		return err
	}
	var noted, empty bool
	st.View(func(tx *db.Tx) { _, noted = st.rows.Noted(tx, f.SHA256); empty = st.rows.Empty(tx) })
	switch {
	case noted && c.data != inMemory:
		return cols.finish(st, f, text)
	case !empty:
		log.Warn("the file was edited while no server ran; the data file is what is served", "file", cols.settings.file, "data", c.data)
		return nil
	}
	hashed, err := cols.add(ctx, c, st, sh, text, log)
	if err != nil || c.data == inMemory || bytes.Equal(hashed, text) {
		return err
	}
	return durable.WriteFile(cols.settings.file, hashed)
}

// add adds what a file with that text holds. hashed is the text with a hash in the
// place of each clear password. That is noted as what was loaded, unless nothing is
// kept.
func (cols *collections) add(ctx context.Context, c settings, st *store, sh shell, text []byte, log *slog.Logger) (hashed []byte, err error) {
	f, err := cols.parse(text)
	if err != nil {
		return nil, err
	}
	sent := f.SHA256
	users, clear, err := membersOf(f, st.now())
	if err != nil {
		return nil, err
	}
	if len(clear) > 0 {
		if err := hashMembers(ctx, c, sh, users, clear, log); err != nil {
			return nil, err
		}
		values := map[int]string{}
		for _, i := range clear {
			values[i] = rows.Quote(users[i].Hash)
		}
		text = rows.SetUserMember(text, "password", values)
		if f, err = cols.parse(text); err != nil {
			return nil, err
		}
	}
	return text, st.addFile(f, users, sent)
}

// finish writes the hashes into a file that was loaded, where a crash came between the
// two.
func (cols *collections) finish(st *store, f *rows.File, text []byte) error {
	users, clear, err := membersOf(f, st.now())
	if err != nil || len(clear) == 0 {
		return err
	}
	values := map[int]string{}
	for _, i := range clear {
		if known := st.userByName(users[i].identity()); known != nil && known.Hash != "" {
			values[i] = rows.Quote(known.Hash)
		}
	}
	return durable.WriteFile(cols.settings.file, rows.SetUserMember(text, "password", values))
}

func (cols *collections) parse(text []byte) (*rows.File, error) {
	return rows.ParseFile(text, rows.FileOptions{Skip: cols.settings.skip, Reserved: func(name string) bool {
		return cols.checkName(name, false) != nil
	}})
}

// hashMembers hashes the clear passwords of the users with these indexes.
func hashMembers(ctx context.Context, c settings, sh shell, users []*user, clear []int, log *slog.Logger) error {
	const many = 500
	if len(clear) > many && c.bcryptCost > 10 {
		return fmt.Errorf("%d users have a clear password, which would take long to hash: start once with -bcrypt-cost 10 or less", len(clear))
	}
	log.Warn("the file holds clear passwords: shelf hashes them now", "file", c.collections.file, "users", len(clear))
	texts := make([]string, len(clear))
	for n, i := range clear {
		texts[n], users[i].Hash = users[i].Hash, ""
	}
	hashes, err := password.HashAll(ctx, c.bcryptCost, texts, func(done int) {
		if step := max(len(texts)/10, 10); done%step == 0 && c.log != "off" {
			fmt.Fprintf(sh.stderr, "shelf: hashed %d of %d passwords\n", done, len(texts))
		}
	})
	for n, i := range clear {
		users[i].Hash = hashes[n]
	}
	return err
}

// readGuards collects the guards of the flags and files. accounts says that accounts
// live at /users, which takes a tighter guard only.
func (cols *collections) readGuards(names []string, accounts bool) (rows.Guards, error) {
	in := cols.settings
	if accounts {
		names = append(slices.Clone(names), "users")
	}
	all := rows.Guards{Open: in.open}
	for _, file := range []string{in.routes, in.guardsFile} {
		if file == "" {
			continue
		}
		text, err := durable.ReadText(file)
		if err == nil {
			var rules rows.Routes
			rules, err = all.Read(text, names, file == in.routes)
			cols.routes = append(cols.routes, rules...)
		}
		if err != nil {
			return all, operator.InDocument(file, text, err, "")
		}
	}
	for _, pair := range in.guards {
		if err := all.Set(pair, names); err != nil {
			return all, fmt.Errorf("flag -guard %s: %w", pair, err)
		}
	}
	if accounts {
		cols.users = all.ByName["users"]
		delete(all.ByName, "users")
	}
	return all, nil
}

// importCollections adds the collections and the accounts of a file to a store, all or
// nothing, and closes it. The file stays as it is.
func importCollections(ctx context.Context, sh shell, c settings, s *store, name string, document []byte) error {
	c.collections.file = name
	_, err := (&collections{settings: c.collections}).add(ctx, c, s, sh, document, serve.NewLog(sh.stderr, c.log, c.logFormat))
	after := s.contents()
	if err = errors.Join(err, s.Close()); err != nil {
		return operator.InDocument(name, document, err, "; nothing was imported")
	}
	fmt.Fprintf(sh.stdout, "%s: imported %s; the data file now holds %s\n", c.data, name, after)
	return nil
}

// exportCollections is the collections and accounts in a data file as a file that
// they can be loaded from.
func exportCollections(path string, secrets bool) ([]byte, error) {
	s, _, err := loadStore(path)
	if err != nil {
		return nil, err
	}
	var text []byte
	s.View(func(tx *db.Tx) {
		var users []string
		if _, plain := s.rows.Collection(tx, "users"); !plain {
			for _, u := range s.users.All(tx) {
				if secrets {
					users = append(users, u.member().WithPassword(u.Hash))
				} else {
					users = append(users, u.row().Text)
				}
			}
		}
		text = s.rows.Image(tx).JSON(users)
	})
	return append(rows.Pretty(text), '\n'), nil
}

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
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/child"
	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/explain"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

func main() {
	ctx := config.UntilSignal(context.Background())
	sh := newShell(os.LookupEnv, os.Stdin, os.Stdout, os.Stderr)
	err := sh.run(ctx, os.Args[1:])
	durable.Abandon() // a command that was interrupted may be writing a file
	if status := config.ExitStatus("shelf", err, sh.screen); status != 0 {
		os.Exit(status)
	}
}

// run is the program. When ctx is done a server answers the requests that run and
// returns; any other command ends at once.
func (sh shell) run(ctx context.Context, args []string) error {
	return sh.interrupt.Run(ctx, "nothing was changed", func() error { return commands().Run(ctx, sh, sh.stdout, args) })
}

// inMemory is the -data that keeps nothing.
const inMemory = "memory"

// serveCommand is shelf with flags and no command.
func serveCommand(ctx context.Context, sh shell, args []string) error {
	flags, files := new(settings).table().Split(args)
	if len(files) > 1 {
		return config.Misused(fmt.Errorf("more than one file: %s", strings.Join(files, ", ")))
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
	ctx, stop := serve.UntilHangup(ctx, c.tlsCert != "", serve.NewLog(sh.screen, c.log, c.logFormat))
	defer stop()
	return runServer(ctx, c, sh, nil, func(s *server, url string) error {
		sh.interrupt.Keeps("")                       // the requests that run are answered
		if c.log != "off" && c.logFormat != "json" { // a program that reads JSON has the ready line
			s.greet(sh.screen, url)
		}
		return child.Ready{URL: url, PID: os.Getpid(), Data: c.data, Version: serve.ThisBuild(version).Version}.Print(sh.stdout, c.logFormat)
	})
}

// runServer runs the server until ctx is done. It calls prepare, if not nil, when the data
// is there, and ready when the server answers at url. An error from either ends it.
func runServer(ctx context.Context, c settings, sh shell, prepare func(*server) error, ready func(s *server, url string) error) (err error) {
	log := serve.NewLog(sh.screen, c.log, c.logFormat)
	if err := cmp.Or(c.prepareLab(), c.checkFiles(log)); err != nil {
		return err
	}
	clk := &clock.Clock{}
	var loaded *collections
	st, keys, err := openData(ctx, c, log, clk.Now, func(st *store) (err error) {
		st.first = st.Unused()
		loaded, err = openCollections(ctx, c, st, sh, log)
		return err
	})
	if err != nil {
		return err
	}
	ctx, ended := st.UntilEnded(ctx)
	defer func() { err = errors.Join(err, ended(), st.Close()) }()
	if err := seedStore(st, c, sh.interrupt, log); err != nil {
		return err
	}
	stopFile, err := loaded.keepFile(ctx, c, st, sh, log)
	if err == nil {
		defer stopFile()
		err = child.CheckReadyFile(c.readyFile) // where it can't be, there might be the data
	}
	if err != nil {
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
	handler.routeCollections(loaded)
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
	files := map[string]string{c.envFile: "read the secrets in it", c.tlsKey: "pass for this server", c.etcd.Key: "pass for this server at etcd"}
	if c.data != inMemory && !c.shared() {
		files[c.data] = "read the password hashes in it"
		if warning := durable.CheckFolder(c.data); warning != "" {
			log.Warn(warning)
		}
	}
	delete(files, "")
	return durable.CheckAllPrivate(files, func(warning string) { log.Warn(warning) })
}

// openData opens the store and the keys that go with it.
//
// load is called with the store, before the key is made: a file of collections that it
// refuses leaves no data file and no key behind.
func openData(ctx context.Context, c settings, log *slog.Logger, now func() time.Time, load func(*store) error) (st *store, keys token.Keys, err error) {
	ring, err := c.configuredKeys()
	switch {
	case err != nil:
		return nil, nil, err
	case c.data == inMemory:
		if ring == nil {
			ring = token.MemoryKeys(c.alg)
		}
		st = newStore(log, now)
		return st, ring, load(st)
	case c.shared():
		return openCluster(ctx, c, ring, log, now, load)
	}
	if token.KeyPath(c.data) == c.data {
		return nil, nil, config.Misused(fmt.Errorf("-data %s: the key file has that name; give the data file another name", c.data))
	}
	// The data file is locked first: the key file is its server's.
	if st, err = openStoreWith(journal.Options{DropUnused: c.collections.File != "", Progress: c.progress}, journal.OS{}, c.data, log, now); err != nil {
		return nil, nil, err
	}
	if err := load(st); err != nil {
		st.Close()
		return nil, nil, err
	}
	if ring == nil {
		var warning string
		ring, warning, err = token.LoadKeys(token.KeyPath(c.data), c.alg, now())
		if err != nil {
			st.Close()
			return nil, nil, err
		}
		if warning != "" {
			log.Warn(warning)
		}
	}
	return st, ring, nil
}

// openCluster is openData for a store that several servers share. They share the keys
// too, unless they are configured.
func openCluster(ctx context.Context, c settings, ring *token.Keyring, log *slog.Logger, now func() time.Time, load func(*store) error) (st *store, keys token.Keys, err error) {
	st, cluster, err := openShared(ctx, c, log, now)
	if err != nil {
		return nil, nil, err
	}
	if err = load(st); err == nil && ring == nil {
		keys, err = token.OpenShared(ctx, cluster, c.alg, now, func(err error) { log.Error("the old keys stay in use", "error", err) })
	} else if err == nil {
		keys = ring.ForReplicas()
	}
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, keys, nil
}

// takeCommands has shelf user work beside this server, until stop is called.
func (s *server) takeCommands() (stop func()) {
	if s.config.data == inMemory || s.config.shared() { // in a cluster a command is a replica
		return func() {}
	}
	control := &operator.Control{Accounts: s.store.forOperator(s.config), Log: s.log, Note: func(event string, attrs ...any) {
		s.trail.Note(s.log, netip.Addr{}, event, attrs...)
	}}
	control.Open(s.config.data)
	return control.Close
}

// greet tells a person where things are and what to do next.
func (s *server) greet(w io.Writer, address string) {
	c, st := s.config, s.store
	g := explain.Greeting{URL: address, Data: c.data, Holds: st.contents(), Key: token.KeyPath(c.data), EnvFile: c.envFile, First: st.first}
	if c.data == inMemory {
		g.Holds, g.Key = "it ends with this process", "memory"
	}
	if c.shared() {
		g.Key = "in etcd"
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
			if g.Rows == "" && !slices.Contains(c.collections.Skip, shown.Name) {
				g.Rows, g.Open = c.collections.Prefix+"/"+url.PathEscape(shown.Name), c.collections.Open
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
	if in.File != "" {
		if err := cols.loader(c, st, sh, log).Load(ctx); err != nil {
			return nil, err
		}
	}
	key := ""
	if c.data != inMemory && !c.shared() {
		key = token.KeyPath(c.data)
	}
	served, err := in.Serve(st.DB, st.rows, reservedNames, c.data, key, c.tlsKey)
	if err != nil || served == nil {
		return nil, err
	}
	cols.Served, st.plainUsers = *served, served.PlainUsers
	st.rows.Set(rows.Options{Guards: served.Guards, KeepChildren: !in.Cascade})
	if host, _, _ := net.SplitHostPort(c.addr); in.Open && !origin.Loopback(host) {
		log.Warn("-open beyond this machine: everyone who reaches " + c.addr + " can change the collections")
	}
	return cols, nil
}

// loader loads the file of the collections.
func (cols *collections) loader(c settings, st *store, sh shell, log *slog.Logger) *operator.Collections[user] {
	l := &operator.Collections[user]{
		File: cols.settings.File, New: cols.settings.New, Data: c.data, BcryptCost: c.bcryptCost, Log: log, Progress: sh.screen.Tell, DB: st.DB, Rows: st.rows,
		FileOptions: rows.FileOptions{Skip: cols.settings.Skip, Reserved: func(name string) bool { return cols.checkName(name, false) != nil }},
		Users:       func(f *rows.File) ([]*user, []int, error) { return membersOf(f, st.now(), log) },
		Hash:        func(u *user) *string { return &u.Hash },
		Add:         st.addFile,
	}
	if c.data == inMemory {
		l.Data = ""
	}
	return l
}

// routeCollections adds the route of the collections, if there are any.
func (s *server) routeCollections(cols *collections) {
	if cols != nil {
		s.collections = cols
		s.mux = s.newMux()
	}
}

// keepFile keeps the file of the collections and the store in step until stop is
// called.
func (cols *collections) keepFile(ctx context.Context, c settings, st *store, sh shell, log *slog.Logger) (stop func(), err error) {
	if cols == nil || cols.settings.File == "" || c.data == inMemory {
		return func() {}, nil
	}
	l := cols.loader(c, st, sh, log)
	live := &operator.Live[user]{Collections: l, TakeUsers: st.takeUsers,
		UserRows:    func(tx *db.Tx) []string { return st.fileRows(tx, true) },
		UserChanges: func(tx *db.Tx) (int, bool) { return st.users.Changes(tx), st.users.HasPending(tx) },
	}
	return livefile.Keep(ctx, livefile.Options{Name: l.File, Make: fmt.Sprintf("shelf export -collections -o %s %s", l.File, c.data), Take: cols.settings.Take, Max: l.Most(), Store: live, Log: log, Now: clock.Real})
}

// exportCollections is the collections and accounts in a data file as a file that
// they can be loaded from.
func exportCollections(c settings, secrets bool) ([]byte, error) {
	s, _, err := loadStore(c)
	if err != nil {
		return nil, err
	}
	var text []byte
	s.View(func(tx *db.Tx) { text = s.rows.Image(tx).JSON(s.fileRows(tx, secrets)) })
	return append(rows.Pretty(text), '\n'), nil
}

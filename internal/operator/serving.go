package operator

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
)

// CollectionSettings are the flags of a server with collections.
type CollectionSettings struct {
	File       string   // the JSON file that holds them, "" for none
	New        bool     // a file that is missing is made
	Skip       []string // names in the file that get no route
	Prefix     string   // the path below which the collections are, "" for the root
	Open       bool     // callers without an account may read and write
	Guards     []string // NAME=NNN
	GuardsFile string
	Routes     string // a file of rules that rewrite addresses
	Static     string // a folder whose files are served
	Cascade    bool   // rows that name a deleted row go with it
	Lenient    bool   // a filter on a field that no row has is ignored
	Delay      int    // milliseconds before each answer
	Host       string
	Port       int
	Take       string // what wins where File and the data were both changed: livefile.TakeFile, TakeJournal or ""
	Watch      bool   // accepted: it is so anyway
}

// Table is the flags of the collections. Those of json-server have its short names.
func (c *CollectionSettings) Table() []config.Setting {
	return []config.Setting{
		config.Row("collections", "FILE", "", "serve the collections of this JSON file; the same as\nshelf FILE.json. The data goes to FILE.jsonl then", config.Text(&c.File)).Under("Collections"),
		config.Row("new", "", "false", "make that file if it is missing", config.Bool(&c.New)),
		config.Row("skip", "NAME", "", "a collection of the file that gets no route; may be\ngiven again", config.Words(&c.Skip)).Repeated(),
		config.Row("prefix", "PATH", "", "serve the collections below this path, such as /data", config.Text(&c.Prefix)),
		config.Row("open", "", "false", "collections without a guard of their own may be read\nand written without an account", config.Bool(&c.Open)),
		config.Row("guard", "NAME=NNN", "", "who may read (4) and write (2) a collection: its\nowner, accounts, all; posts=640; may be given again", config.Words(&c.Guards)).Repeated(),
		config.Row("guards", "FILE", "", "guards as a JSON file: {\"posts\":644,\"*\":640}", config.Text(&c.GuardsFile)),
		config.Row("routes", "FILE", "", "a JSON file of rules for addresses, and guards:\n{\"/api/*\":\"/$1\",\"posts\":644}", config.Text(&c.Routes)).Also("r"),
		config.Row("static", "DIR", "", "serve the files of this folder", config.Text(&c.Static)).Also("s"),
		config.Row("cascade", "", "true", "a deleted row takes along the rows that name it by\ntheir key, such as postId", config.Bool(&c.Cascade)),
		config.Row("lenient", "", "false", "ignore a filter on a field that no row has; else it\nmatches nothing", config.Bool(&c.Lenient)),
		config.Row("delay", "MS", "", "milliseconds before each answer", config.Number(&c.Delay, 0, 60_000)).Also("d"),
		config.Row("take", "WHO", "", "which one wins if FILE was edited and the data was\nchanged too: file or journal", config.Choice(&c.Take, livefile.TakeFile, livefile.TakeJournal)).Alone(),
		config.Row("port", "N", "", "the port of -addr alone", config.Number(&c.Port, 0, 65535)).Also("p").Alone(),
		config.Row("host", "HOST", "", "the host of -addr alone", config.Text(&c.Host)).Also("H").Alone(),
		config.Row("watch", "", "", "an edit of FILE is taken over; that is so anyway", config.Bool(&c.Watch)).Also("w").Alone(),

		config.Refused("the member that names a row is always id", "FIELD", "id", "i"),
		config.Refused("the key of a child is always the parent's name and Id, such as postId", "TEXT", "foreignKeySuffix", "fks"),
		config.Refused("-guard NAME=444 lets all read, and -guard NAME=440 accounts; the name * is for all collections", "", "read-only", "ro"),
		config.Refused("accounts and guards are built in; for the rest put a proxy in front of shelf", "FILE", "middlewares", "m"),
		config.Refused("-lab has calls that keep the data and put it back; shelf export writes it to a file", "DIR", "snapshots", "S"),
		config.Refused("each flag has a variable, which may stand in .env", "FILE", "config", "c"),
		config.Refused("-cors off keeps other origins' pages out", "", "no-cors", "nc"),
		config.Refused("a client that wants no gzip sends no Accept-Encoding", "", "no-gzip", "ng"),
		config.Refused("-log off", "", "quiet", "q"),
		config.Refused("-log requests shows each request; shelf version says which build this is", "", "verbose", "v"),
	}
}

// Place works out where to listen and where the data goes, which the settings addr and
// data say. addrFrom and dataFrom tell where those two come from. reserved are the first
// segments of the program's own paths.
func (c CollectionSettings) Place(addr, data, addrFrom, dataFrom string, reserved []string) (toAddr, toData string, err error) {
	if c.Host != "" || c.Port != 0 {
		if strings.HasPrefix(addrFrom, "flag ") {
			return "", "", config.Misused(errors.New("-addr says all that -host and -port do: give it alone, or those two"))
		}
		host, port, _ := net.SplitHostPort(addr)
		if c.Host != "" {
			host = c.Host
		}
		if c.Port != 0 {
			port = fmt.Sprint(c.Port)
		}
		addr = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(c.Prefix, "/"), "/")
	switch {
	case c.Prefix != "" && (c.Prefix[0] != '/' || strings.HasSuffix(c.Prefix, "/") || first == "users" || slices.Contains(reserved, first) || rows.IsGuard(first)):
		return "", "", config.Misused(fmt.Errorf("-prefix %s: want a path such as /data, without a slash at its end, that is no path of shelf's own", c.Prefix))
	case c.File == "":
		return addr, data, nil
	case etcd.IsAddress(data):
		return "", "", config.Misused(errors.New("-data " + data + " takes no FILE: shelf import -collections " + c.File + " loads the collections into it"))
	case strings.HasPrefix(dataFrom, "default "):
		data = strings.TrimSuffix(c.File, filepath.Ext(c.File)) + ".jsonl"
	}
	if filepath.Clean(data) == filepath.Clean(c.File) {
		return "", "", config.Misused(errors.New("-data " + data + ": that is the file of the collections; give the data file another name"))
	}
	return addr, data, nil
}

// A Served is what a server of collections needs beside their store.
type Served struct {
	Guards     rows.Guards // but for that of the accounts
	Routes     rows.Routes
	Users      rows.Guard    // of the accounts, 0 for none
	Static     *serve.Folder // nil for none
	PlainUsers bool          // users is a collection, and accounts have no rows
}

// Serve reads what belongs to the collections in a store: guards, rules for addresses,
// the folder of files, which never serves the files called precious. It returns nil for
// a server without collections.
func (c CollectionSettings) Serve(d *db.DB, store *rows.Store, reserved []string, precious ...string) (*Served, error) {
	var names []string
	var empty bool
	d.View(func(tx *db.Tx) {
		empty = store.Empty(tx)
		for _, collection := range store.Collections(tx) {
			names = append(names, collection.Name)
		}
	})
	switch {
	case empty && c.File == "" && c.Static+c.Routes+c.GuardsFile+c.Prefix != "" || c.Open && empty && c.File == "":
		return nil, config.Misused(errors.New("there are no collections for -static, -routes, -guards, -prefix or -open: name a file, such as shelf db.json"))
	case empty && c.File == "":
		return nil, nil
	}
	s := &Served{PlainUsers: slices.Contains(names, "users")}
	if c.Static != "" {
		var err error
		if s.Static, err = serve.OpenFolder(c.Static, append(precious, c.File, c.GuardsFile, c.Routes)...); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = config.Misused(&missing{"there is no folder " + c.Static, err})
			}
			return nil, fmt.Errorf("-static: %w", err)
		}
	}
	if !s.PlainUsers {
		names = append(names, "users") // which takes a tighter guard only
	}
	var err error
	if s.Guards, s.Routes, err = ReadGuards(names, c.Routes, c.GuardsFile, c.Guards); err != nil {
		return nil, err
	}
	s.Guards.Open = c.Open
	if !s.PlainUsers {
		s.Users = s.Guards.ByName["users"]
		delete(s.Guards.ByName, "users")
	}
	if c.Prefix != "" && (!strings.HasPrefix(c.Prefix, "/") || strings.HasSuffix(c.Prefix, "/") || slices.Contains(reserved, strings.Split(c.Prefix, "/")[1])) {
		return nil, config.Misused(fmt.Errorf("-prefix %s: want a path that is not shelf's own, such as /data", c.Prefix))
	}
	return s, nil
}

// FileArgument judges an argument that is neither a flag nor a command.
func FileArgument(name string) (isFile bool, err error) {
	switch {
	case strings.Contains(name, "://"):
		return false, fmt.Errorf("%s is no file: fetch it first, such as with curl -o db.json %s", name, name)
	case strings.HasSuffix(strings.ToLower(name), ".js"):
		return false, fmt.Errorf("%s is a program: have it write its data to a .json file", name)
	}
	return strings.HasSuffix(strings.ToLower(name), ".json") || strings.ContainsAny(name, `/\`), nil
}

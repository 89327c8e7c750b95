package main

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"example.com/shelf/internal/config"
)

// collectionSettings are those of the collections.
type collectionSettings struct {
	file       string   // the JSON file that holds them, "" for none
	create     bool     // a file that is missing is made
	skip       []string // names in the file that get no route
	prefix     string   // the path below which the collections are, "" for the root
	open       bool     // whoever comes may read and write
	guards     []string // NAME=NNN
	guardsFile string
	routes     string // a file of rules that rewrite addresses
	static     string // a folder whose files are served
	cascade    bool   // rows that name a deleted row go with it
	lenient    bool   // a filter on a field that no row has is ignored
	delay      int    // milliseconds before each answer
	host       string
	port       int
	watch      bool // accepted: it is so anyway
}

// table is the flags of the collections. Those of json-server have its short names.
func (c *collectionSettings) table() []config.Setting {
	return []config.Setting{
		config.Row("collections", "FILE", "", "serve the collections of this JSON file; the same as\nshelf FILE.json. The data goes to FILE.jsonl then", config.Text(&c.file)).Under("Collections"),
		config.Row("new", "", "false", "make that file if it is missing", config.Bool(&c.create)),
		config.Row("skip", "NAME", "", "a collection of the file that gets no route; may be\ngiven again", config.Words(&c.skip)).Repeated(),
		config.Row("prefix", "PATH", "", "serve the collections below this path, such as /data", config.Text(&c.prefix)),
		config.Row("open", "", "false", "collections without a guard of their own may be read\nand written without an account", config.Bool(&c.open)),
		config.Row("guard", "NAME=NNN", "", "who may read (4) and write (2) a collection: its\nowner, accounts, all; posts=640; may be given again", config.Words(&c.guards)).Repeated(),
		config.Row("guards", "FILE", "", "guards as a JSON file: {\"posts\":644,\"*\":640}", config.Text(&c.guardsFile)),
		config.Row("routes", "FILE", "", "a JSON file of rules for addresses, and guards:\n{\"/api/*\":\"/$1\",\"posts\":644}", config.Text(&c.routes)).Also("r"),
		config.Row("static", "DIR", "", "serve the files of this folder", config.Text(&c.static)).Also("s"),
		config.Row("cascade", "", "true", "a deleted row takes along the rows that name it by\ntheir key, such as postId", config.Bool(&c.cascade)),
		config.Row("lenient", "", "false", "ignore a filter on a field that no row has; else it\nmatches nothing", config.Bool(&c.lenient)),
		config.Row("delay", "MS", "", "milliseconds before each answer", config.Number(&c.delay, 0, 60_000)).Also("d"),
		config.Row("port", "N", "", "the port of -addr alone", config.Number(&c.port, 0, 65535)).Also("p").Alone(),
		config.Row("host", "HOST", "", "the host of -addr alone", config.Text(&c.host)).Also("H").Alone(),
		config.Row("watch", "", "", "an edit of FILE is taken over; that is so anyway", config.Bool(&c.watch)).Also("w").Alone(),

		config.Refused("the member that names a row is always id", "FIELD", "id", "i"),
		config.Refused("the key of a child is always the parent's name and Id, such as postId", "TEXT", "foreignKeySuffix", "fks"),
		config.Refused("-guard NAME=444 lets all read, and -guard NAME=440 accounts", "", "read-only", "ro"),
		config.Refused("put a proxy of your own in front of shelf", "FILE", "middlewares", "m"),
		config.Refused("-lab has calls that keep the data and put it back; shelf export writes it to a file", "DIR", "snapshots", "S"),
		config.Refused("each flag has a variable, which may stand in .env", "FILE", "config", "c"),
		config.Refused("-cors off keeps other origins' pages out", "", "no-cors", "nc"),
		config.Refused("a client that wants no gzip sends no Accept-Encoding", "", "no-gzip", "ng"),
		config.Refused("-log off", "", "quiet", "q"),
	}
}

// place works out where to listen and where the data goes. addr and data tell where
// those two settings come from.
func (c *settings) place(addr, data string) error {
	in := c.collections
	if in.host != "" || in.port != 0 {
		if strings.HasPrefix(addr, "flag ") {
			return errors.New("-addr says all that -host and -port do: give it alone, or those two")
		}
		host, port, _ := net.SplitHostPort(c.addr)
		if in.host != "" {
			host = in.host
		}
		if in.port != 0 {
			port = fmt.Sprint(in.port)
		}
		c.addr = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	switch {
	case in.file == "":
		return nil
	case strings.HasPrefix(c.data, "etcd:"):
		return errors.New("-data " + c.data + " takes no FILE: shelf import -collections " + in.file + " loads the collections into it")
	case strings.HasPrefix(data, "default "):
		c.data = strings.TrimSuffix(in.file, filepath.Ext(in.file)) + ".jsonl"
	}
	if filepath.Clean(c.data) == filepath.Clean(in.file) {
		return errors.New("-data " + c.data + ": that is the file of the collections; give the data file another name")
	}
	return nil
}

// fileArgument judges an argument of shelf that is neither a flag nor a command.
func fileArgument(name string) (isFile bool, err error) {
	switch {
	case strings.Contains(name, "://"):
		return false, fmt.Errorf("%s is no file: fetch it first, such as with curl -o db.json %s", name, name)
	case strings.HasSuffix(strings.ToLower(name), ".js"):
		return false, fmt.Errorf("%s is a program: have it write its data to a .json file", name)
	}
	return strings.HasSuffix(strings.ToLower(name), ".json") || strings.ContainsAny(name, `/\`), nil
}

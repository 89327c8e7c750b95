package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/strictjson"
)

// An export is the whole state as one JSON document, a row a line:
//
//	{"format":"shelf-export","version":1,"exported":"…","last_ids":{…},
//	"users":[…],"tokens":[…],"items":[…],"books":[…]}
//
// Rows are written as in the data file. last_ids keeps the ids of what has gone
// from being used again.
const (
	exportFormat  = "shelf-export"
	exportVersion = 1
)

// exportCommand is the command shelf export. It works beside a running server.
func exportCommand(_ context.Context, sh shell, args []string) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	out := flags.String("o", "", "")
	secrets := flags.Bool("secrets", false, "")
	name, err := nameArgument(flags, "usage: shelf export [FILE] [-o OUT] [-secrets]", args)
	if err != nil {
		return err
	}
	c, err := fileConfig(sh, name)
	if err != nil {
		return err
	}
	if err := checkOutput(*out, c.data); err != nil {
		return err
	}
	s, _, err := loadStore(c.data)
	if err != nil {
		return err
	}
	if *out == "" {
		return writeExport(sh.stdout, s, sh.now(), *secrets)
	}
	var document bytes.Buffer
	if err := writeExport(&document, s, sh.now(), *secrets); err != nil {
		return err
	}
	return writeFileDurably(*out, document.Bytes())
}

// checkOutput fails if an export may not take the place of what is at out: the
// data file and its key by whatever name, and what is no file.
func checkOutput(out, data string) error {
	info, err := os.Stat(out)
	if err != nil { // most likely there is nothing, and what else it is, writing finds out
		return nil
	}
	for _, precious := range []string{data, keyPath(data)} {
		if other, err := os.Stat(precious); err == nil && os.SameFile(info, other) {
			return fmt.Errorf("-o %s: an export doesn't replace %s", out, precious)
		}
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("-o %s is no file", out)
	}
	return nil
}

// importCommand is the command shelf import, for a server that is stopped.
func importCommand(_ context.Context, sh shell, args []string) error {
	const usage = "usage: shelf import FILE.json [-data FILE]"
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	data := flags.String("data", "", "")
	name, err := nameArgument(flags, usage, args)
	if err == nil && name == "" {
		err = errors.New(usage)
	}
	if err != nil {
		return err
	}
	c, err := fileConfig(sh, *data)
	if err != nil {
		return err
	}
	document, err := readDocument(name)
	if err != nil {
		return err
	}
	s, err := openStore(osDisk{}, c.data, newLog(c, sh.stderr), sh.now)
	if err != nil {
		return err
	}
	done, err := importDocument(s, document)
	if err = errors.Join(err, s.close()); err != nil {
		return fmt.Errorf("%s: %w; nothing was imported", name, err)
	}
	fmt.Fprintf(sh.stdout, "%s: %s\n", c.data, done)
	return nil
}

// seedStore imports the file name into a store that holds nothing; one that
// does was seeded at an earlier start, or never wanted it.
func seedStore(s *store, name string) error {
	if !s.empty() {
		return nil
	}
	document, err := readDocument(name)
	if err != nil {
		return fmt.Errorf("-seed: %w", err)
	}
	if _, err := importDocument(s, document); err != nil {
		return fmt.Errorf("-seed %s: %w", name, err)
	}
	return nil
}

// readDocument reads a file, without the byte order mark that editors on Windows
// put in front (RFC 8259 §8.1 lets a reader ignore it).
func readDocument(name string) ([]byte, error) {
	document, err := os.ReadFile(name)
	return bytes.TrimPrefix(document, []byte("\ufeff")), err
}

// writeExport writes the state of s. Password hashes are left out unless
// secrets is set: then the document is as precious as the data file.
func writeExport(w io.Writer, s *store, now time.Time, secrets bool) error {
	img := s.image()
	if !secrets {
		for i, u := range img.users {
			bare := *u
			bare.Hash = ""
			img.users[i] = &bare
		}
	}
	b := fmt.Appendf(nil, `{"format":%q,"version":%d,"exported":%q,"last_ids":`, exportFormat, exportVersion, now.UTC().Format(time.RFC3339))
	b = append(b, strictjson.Encode(img.ids)...)
	b = appendRows(b, "users", img.users)
	b = appendRows(b, "tokens", img.tokens)
	b = appendRows(b, "items", img.items)
	b = appendRows(b, "books", img.books)
	_, err := w.Write(append(b, "}\n"...))
	return err
}

func appendRows[R any](b []byte, name string, rows []R) []byte {
	b = fmt.Appendf(b, ",\n%q:[", name)
	for i, row := range rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, '\n'), strictjson.Encode(row)...)
	}
	return append(b, ']')
}

// importDocument adds a JSON document to s, all of it or nothing. What
// writeExport wrote goes into a store that has never held anything, with its
// ids; accounts without a hash can't sign in until they get a password. A plain
// {"items":[…],"books":[…]}, such as json-server's db.json, is added with new
// ids, created by nobody. An error names the element that offends. It returns
// a sentence on what was done.
func importDocument(s *store, data []byte) (string, error) {
	members, err := strictjson.Decode(data)
	if err != nil {
		return "", err
	}
	parts := map[string]json.RawMessage{}
	for _, m := range members {
		parts[m.Name] = m.Value
	}
	if format, ok := parts["format"]; ok {
		if string(format) != `"`+exportFormat+`"` || string(parts["version"]) != fmt.Sprint(exportVersion) {
			return "", fmt.Errorf("format %s, version %s: this shelf reads %q, version %d", format, parts["version"], exportFormat, exportVersion)
		}
		return importExport(s, parts)
	}
	return importPlain(s, parts)
}

// importExport rehearses in a store of its own, where each element has to keep
// the rules that a line of the data file has to keep.
func importExport(s *store, parts map[string]json.RawMessage) (string, error) {
	rehearsal := newStore(s.log, s.now)
	var changes []change
	var ids lastIDs
	if err := strictjson.Unmarshal(parts["last_ids"], &ids); err != nil {
		return "", fmt.Errorf("last_ids, the highest id of each kind: %w", err)
	}
	changes = append(changes, change{Op: opNext, Next: &ids})
	if err := rehearsal.admit(changes[0], true); err != nil {
		return "", fmt.Errorf("last_ids: %w", err)
	}
	for _, part := range []struct {
		name string
		row  func(json.RawMessage) (change, error)
	}{
		{"users", func(row json.RawMessage) (change, error) {
			c := change{Op: opPut, User: new(user)}
			return c, errors.Join(strictjson.Unmarshal(row, c.User), validUser(c.User))
		}},
		{"tokens", func(row json.RawMessage) (change, error) {
			c := change{Op: opPut, Token: new(tokenRecord)}
			return c, strictjson.Unmarshal(row, c.Token)
		}},
		{"items", func(row json.RawMessage) (change, error) {
			c := change{Op: opPut, Item: new(item)}
			return c, errors.Join(strictjson.Unmarshal(row, c.Item), c.Item.validate())
		}},
		{"books", func(row json.RawMessage) (change, error) {
			c := change{Op: opPut, Book: new(book)}
			return c, errors.Join(strictjson.Unmarshal(row, c.Book), c.Book.validate())
		}},
	} {
		rows, err := elements(part.name, parts[part.name])
		if err != nil {
			return "", err
		}
		for i, row := range rows {
			c, err := part.row(row)
			if err == nil {
				c.render()
				err = rehearsal.admitNew(c)
			}
			if err != nil {
				return "", fmt.Errorf("%s[%d]: %w", part.name, i, err)
			}
			rehearsal.applyLocked(c)
			changes = append(changes, c)
		}
	}
	err := s.write(func() ([]change, error) {
		if !s.emptyLocked() {
			return nil, errNotEmpty
		}
		return changes, nil
	})
	users, items, books := rehearsal.counts()
	return fmt.Sprintf("imported %s, %s, %s", count(users, "user"), count(items, "item"), count(books, "book")), err
}

var errNotEmpty = errors.New("an export goes into an empty store only, so that its ids stay what they are")

// admitNew is admit for a row that must not be there yet.
func (s *store) admitNew(c change) error {
	if err := s.admit(c, true); err != nil {
		return err
	}
	kind, id := c.row()
	if s.has(kind, id) {
		return fmt.Errorf("id %d is another %s's too", id, kind)
	}
	return nil
}

func validUser(u *user) error {
	switch {
	case u.Email != "" && !validEmail(u.Email):
		return errors.New("not an e-mail address")
	case u.Email == "" && strings.Contains(u.Username, "@"):
		return errors.New("a username with an @ is a catalog account's, which has an e-mail")
	}
	return validNames(u)
}

// importPlain adds rows that say nothing but what a client would send.
func importPlain(s *store, parts map[string]json.RawMessage) (string, error) {
	var items []*item
	rows, err := elements("items", parts["items"])
	if err != nil {
		return "", err
	}
	for i, row := range rows {
		it := new(item)
		if err := plainRow(row, fields{"itemname": &it.Itemname, "category": &it.Category, "description": &it.Description}); err != nil {
			return "", fmt.Errorf("items[%d]: %w", i, err)
		}
		if err := it.validate(); err != nil {
			return "", fmt.Errorf("items[%d]: %w", i, err)
		}
		items = append(items, it)
	}
	var books []*book
	if rows, err = elements("books", parts["books"]); err != nil {
		return "", err
	}
	for i, row := range rows {
		b := new(book)
		if err := plainRow(row, fields{"title": &b.Title, "author": &b.Author}); err != nil {
			return "", fmt.Errorf("books[%d]: %w", i, err)
		}
		if err := b.validate(); err != nil {
			return "", fmt.Errorf("books[%d]: %w", i, err)
		}
		books = append(books, b)
	}
	delete(parts, "items")
	delete(parts, "books")
	if len(items)+len(books) == 0 {
		return "", errors.New(`nothing to import: want an export of shelf, or {"items":[…],"books":[…]}`)
	}
	if err := s.addAll(items, books); err != nil {
		return "", err
	}
	done := fmt.Sprintf("imported %s, %s", count(len(items), "item"), count(len(books), "book"))
	if len(parts) > 0 {
		done += "; left out what shelf has no place for: " + strings.Join(slices.Sorted(maps.Keys(parts)), ", ")
	}
	return done, nil
}

// addAll adds items and books made by nobody, in one batch. It fails with
// errTitleTaken, wrapped in the book's place.
func (s *store) addAll(items []*item, books []*book) error {
	return s.write(func() ([]change, error) {
		var changes []change
		for _, it := range items {
			it.ID, it.Created = s.items.next(), s.now().UTC().Truncate(time.Second)
			it.render()
			changes = append(changes, change{Op: opPut, Item: it})
		}
		titles := map[string]bool{}
		for i, b := range books {
			if titles[b.Title] || s.titleTakenLocked(b.Title, 0) {
				return nil, fmt.Errorf("books[%d]: %w", i, errTitleTaken)
			}
			titles[b.Title] = true
			b.ID = s.books.next()
			b.render()
			changes = append(changes, change{Op: opPut, Book: b})
		}
		return changes, nil
	})
}

// plainRow reads one object of a plain document. Members that shelf has no
// field for are left out, as in a request.
func plainRow(row json.RawMessage, f fields) error {
	members, err := strictjson.Decode(row)
	if err != nil {
		return err
	}
	_, err = f.set(members, false)
	return err
}

func elements(name string, list json.RawMessage) ([]json.RawMessage, error) {
	var rows []json.RawMessage
	if list == nil {
		return nil, nil
	}
	if err := json.Unmarshal(list, &rows); err != nil {
		return nil, fmt.Errorf("%s: must be a list", name)
	}
	return rows, nil
}

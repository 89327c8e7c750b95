package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/term"
)

// files are the data files, for shelf export and shelf check.
func (sh shell) files() operator.Files {
	return operator.Files{
		Streams: sh.streams(),
		Path: func(name string) (string, error) {
			c, err := fileConfig(sh, name)
			return c.data, err
		},
		Load: func(path string) (*db.DB, journal.Found, error) {
			s, found, err := loadStore(path)
			return s.DB, found, err
		},
	}
}

// importCommand is the command shelf import, for a server that is stopped.
func importCommand(_ context.Context, sh shell, args []string) error {
	const usage = "usage: shelf import FILE.json [-data FILE] [-keep-tokens]"
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	data := flags.String("data", "", "")
	keepTokens := flags.Bool("keep-tokens", false, "")
	name, err := config.FileArgument(flags, usage, args)
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
	document, err := durable.ReadText(name)
	if err != nil {
		return err
	}
	s, err := openStoreForCommand(c, sh)
	if err != nil {
		return err
	}
	done, err := importDocument(s, document, *keepTokens, func() {
		sh.interrupt.Keeps(c.data + " holds all of " + name + ", or nothing of it")
	})
	if err = errors.Join(err, s.Close()); err != nil {
		return inDocument(name, err, "; nothing was imported")
	}
	fmt.Fprintf(sh.stdout, "%s: %s\n", c.data, done)
	return nil
}

// seedStore imports the file name into a store that holds nothing; one that
// does was seeded at an earlier start, or never wanted it.
func seedStore(s *store, name string, interrupt *config.Interrupt, log *slog.Logger) error {
	var empty bool
	if s.View(func(tx *db.Tx) { empty = tx.Empty() }); !empty {
		log.Warn("-seed has no effect: the store holds something already", "file", name, "holds", s.contents())
		return nil
	}
	document, err := durable.ReadText(name)
	if err != nil {
		return fmt.Errorf("-seed: %w", err)
	}
	commit := func() { interrupt.Keeps("the store holds all of " + name + ", or nothing of it") }
	if _, err := importDocument(s, document, false, commit); err != nil {
		return inDocument("-seed "+name, err, "")
	}
	return nil
}

// inDocument words an error in a file that a person wrote. If that is no JSON, the
// line is shown.
func inDocument(name string, err error, tail string) error {
	if slip, ok := errors.AsType[*strictjson.Slip](err); ok {
		return fmt.Errorf("%s, %w%s%s", name, slip, tail, strings.TrimSuffix("\n"+slip.Show(), "\n"))
	}
	return fmt.Errorf("%s: %w%s", name, err, tail)
}

// importDocument adds a JSON document to s, all of it or nothing. What shelf
// export wrote goes into a store that has never held anything, with its
// ids; accounts without a hash can't sign in until they get a password. A plain
// {"items":[…],"books":[…]}, such as json-server's db.json, is added with new
// ids, created by nobody. An error names the element that offends. It returns
// a sentence on what was done. commit is called before the rows are written.
//
// An export may be older than a log-out, so the tokens in it end unless keepTokens is
// set.
func importDocument(s *store, data []byte, keepTokens bool, commit func()) (string, error) {
	if slip := strictjson.FindSlip(data); slip != nil {
		return "", slip
	}
	members, err := strictjson.Decode(data)
	if err != nil {
		return "", err
	}
	if members.Has("format") {
		return importExport(s, members.Map(), keepTokens, commit)
	}
	return importPlain(s, members.Map(), commit)
}

// importExport rehearses in a store of its own, where each element has to keep
// the rules that a line of the data file has to keep.
func importExport(s *store, parts map[string]json.RawMessage, keepTokens bool, commit func()) (string, error) {
	rehearsal := newStore(slog.New(slog.DiscardHandler), s.now)
	if err := rehearsal.Import(parts); err != nil {
		return "", err
	}
	done := "imported " + rehearsal.contents()
	if !keepTokens {
		ended, err := rehearsal.endAllTokens(endedByImport)
		if err != nil {
			return "", err
		}
		if ended > 0 {
			done += "; ended " + term.Count(ended, "token") + ", so all sign in anew (-keep-tokens keeps them)"
		}
	}
	commit()
	return done, s.Fill(rehearsal.Snapshot())
}

// validUser checks the fields of an imported account.
func validUser(u *user) error {
	switch {
	case u.Email != "" && !form.Email(u.Email, maxEmail):
		return errors.New("not an e-mail address")
	case u.Email == "" && strings.Contains(u.Username, "@"):
		return errors.New("a username with an @ is a catalog account's, which has an e-mail")
	}
	return validNames(u)
}

// importPlain adds rows that say nothing but what a client would send.
func importPlain(s *store, parts map[string]json.RawMessage, commit func()) (string, error) {
	items, itemChanges, err := form.Rows(parts, "items", (*item).fields, (*item).lengths)
	if err != nil {
		return "", err
	}
	books, bookChanges, err := form.Rows(parts, "books", (*book).fields, (*book).lengths)
	if err != nil {
		return "", err
	}
	if len(items)+len(books) == 0 {
		return "", errors.New(`nothing to import: want an export of shelf, or {"items":[…],"books":[…]}`)
	}
	commit()
	if err := s.addAll(items, books); err != nil {
		return "", err
	}
	done := fmt.Sprintf("imported %s, %s", term.Count(len(items), "item"), term.Count(len(books), "book"))
	done += itemChanges.Words(func(i int) int { return items[i].ID }) + bookChanges.Words(func(i int) int { return books[i].ID })
	if len(parts) > 0 {
		done += "; left out what shelf has no place for: " + strings.Join(slices.Sorted(maps.Keys(parts)), ", ")
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
		err = errors.New("-data memory has no file")
	}
	return c, err
}

// addAll adds items and books made by nobody, in one batch. It fails with
// errTitleTaken, wrapped in the book's place.
func (s *store) addAll(items []*item, books []*book) error {
	return s.Update(func(tx *db.Tx) error {
		s.putNewItems(tx, items)
		for i, b := range books {
			if err := s.putNewBook(tx, b); err != nil {
				return fmt.Errorf("books[%d]: %w: %.200q", i, err, b.Title)
			}
		}
		return nil
	})
}

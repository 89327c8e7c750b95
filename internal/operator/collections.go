package operator

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/rows"
)

// Collections load a file of collections and of accounts into a store. U is the
// program's type of an account.
type Collections[U any] struct {
	File string
	New  bool   // a missing file is made
	Data string // the data file, "" for a store in memory: then the file is never written
	rows.FileOptions

	BcryptCost int
	Log        *slog.Logger
	Progress   history.Progress

	DB   *db.DB
	Rows *rows.Store
	// Users returns the accounts of a file, and the indexes of those whose hash is still
	// a clear password.
	Users func(f *rows.File) (users []*U, clear []int, err error)
	Hash  func(*U) *string
	// Add adds a file and its accounts, all or nothing, and notes sent, the SHA-256 of
	// the file as it was.
	Add func(f *rows.File, users []*U, sent string) error
}

// manyClear is how many clear passwords are hashed at a cost that takes long.
const manyClear, longCost = 500, 10

// Load loads the file into a store that has no collections yet. Clear passwords become
// hashes. What has changed in the file since is package livefile's.
func (c *Collections[U]) Load(ctx context.Context) error {
	empty := false
	c.DB.View(func(tx *db.Tx) { empty = c.Rows.Empty(tx) })
	if err := c.make(empty); err != nil || !empty {
		return err
	}
	if err := c.CheckSize(c.File); err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	text, err := durable.ReadText(c.File)
	if c.New && errors.Is(err, fs.ErrNotExist) { // a store in memory makes no file
		text, err = nil, nil
	}
	if err != nil {
		return err
	}
	defer durable.FreeMemory(len(text))
	checking, end := c.Progress.Bytes("checking "+c.File, int64(len(text)))
	defer end()
	checking(0)
	if _, err := c.Import(ctx, text); err != nil {
		return InDocument(c.File, text, err, "")
	}
	return nil
}

// make makes a missing file, if the owner wants that.
func (c *Collections[U]) make(empty bool) error {
	_, err := os.Stat(c.File)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return err
	case !c.New:
		return fmt.Errorf("%w; -new makes the file", noDocument(c.File, err))
	case c.Data == "":
		return nil
	}
	text := []byte("{}\n")
	if !empty { // noted as an old version, so that it gets what the store has
		sum := sha256.Sum256(text)
		err := c.DB.Update(func(tx *db.Tx) error {
			c.Rows.NoteSource(tx, hex.EncodeToString(sum[:]), "")
			return nil
		})
		if err != nil {
			return err
		}
	}
	return durable.WriteFile(c.File, text)
}

// Import adds what a file with that text holds. hashed is the text with a hash in the
// place of each clear password.
func (c *Collections[U]) Import(ctx context.Context, text []byte) (hashed []byte, err error) {
	f, err := rows.ParseFile(text, c.FileOptions)
	if err != nil {
		return nil, err
	}
	sent := f.SHA256
	users, clear, err := c.Users(f)
	if err != nil {
		return nil, err
	}
	if len(clear) > 0 {
		values, err := c.hash(ctx, users, clear)
		if err != nil {
			return nil, err
		}
		text = rows.SetUserMember(text, "password", values)
		if f, err = rows.ParseFile(text, c.FileOptions); err != nil {
			return nil, err
		}
	}
	return text, c.Add(f, users, sent)
}

// hash hashes the clear passwords of the users with these indexes.
func (c *Collections[U]) hash(ctx context.Context, users []*U, clear []int) (values map[int]string, err error) {
	if len(clear) > manyClear && c.BcryptCost > longCost {
		return nil, fmt.Errorf("%d users have a clear password, which would take long to hash: start once with -bcrypt-cost %d or less", len(clear), longCost)
	}
	c.Log.Warn("the file holds clear passwords: shelf hashes them now", "file", c.File, "users", len(clear))
	texts := make([]string, len(clear))
	for n, i := range clear {
		texts[n] = *c.Hash(users[i])
	}
	tell := c.Progress
	if tell == nil {
		tell = func(string, int64, int64, string) {}
	}
	defer tell("hashing", 0, 0, "passwords")
	hashes, err := password.HashAll(ctx, c.BcryptCost, texts, func(done int) {
		tell("hashing", int64(done), int64(len(texts)), "passwords")
	})
	values = map[int]string{}
	for n, i := range clear {
		*c.Hash(users[i]), values[i] = hashes[n], rows.Quote(hashes[n])
	}
	return values, err
}

// ReadGuards collects the guards in a file of rules, in a file of guards, and in pairs
// such as posts=640, which go before the files. "" is no file. names are those that a
// guard may be for.
func ReadGuards(names []string, routesFile, guardsFile string, pairs []string) (guards rows.Guards, rules rows.Routes, err error) {
	for _, file := range slices.Compact([]string{routesFile, guardsFile}) {
		if file == "" {
			continue
		}
		text, err := durable.ReadText(file)
		if err != nil {
			return guards, nil, noDocument(file, err)
		}
		more, err := guards.Read(text, names, file == routesFile)
		if err != nil {
			return guards, nil, InDocument(file, text, err, "")
		}
		rules = append(rules, more...)
	}
	for _, pair := range pairs {
		if err := guards.Set(pair, names); err != nil {
			return guards, nil, config.Misused(fmt.Errorf("flag -guard %s: %w", pair, err))
		}
	}
	return guards, rules, nil
}

package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/token"
)

// Files implements the commands that read a data file, even one of a running
// server.
type Files struct {
	Streams
	// Path returns the path of the data file name, or of the one in the
	// settings if name is "".
	Path func(name string) (string, error)
	// Load calls journal.LoadFor with the tables of the program.
	Load func(path string) (*db.DB, journal.Found, error)
	// Collections returns the collections in a data file as the file that they can be
	// loaded from.
	Collections func(path string, secrets bool) ([]byte, error)
}

// Export is the command that writes the content of a data file as one JSON
// document.
func (f Files) Export(ctx context.Context, args []string, now time.Time) error {
	flags := flag.NewFlagSet("export", flag.ContinueOnError)
	out := flags.String("o", "", "")
	secrets := flags.Bool("secrets", false, "")
	collections := flags.Bool("collections", false, "")
	sure := flags.Bool("y", false, "")
	name, err := config.FileArgument(flags, "usage: shelf export [FILE] [-o OUT [-y]] [-secrets] [-collections]", args)
	if err != nil {
		return err
	}
	path, err := f.Path(name)
	if err != nil {
		return err
	}
	if *out != "" {
		if err := durable.CheckReplace(*out, path, token.KeyPath(path)); err != nil {
			return config.Misused(fmt.Errorf("-o %w", err))
		}
		if info, err := os.Stat(*out); err == nil && info.Size() > 0 {
			if err := f.confirm(ctx, *sure, "%s is there already (%d bytes, of %s). The export replaces it.", *out, info.Size(), info.ModTime().Format(time.DateTime)); err != nil {
				return err
			}
		}
	}
	write, err := f.document(path, now, *secrets, *collections)
	if err != nil {
		return err
	}
	if *out == "" {
		f.Interrupt.Keeps("what was written is not whole")
		return write(f.Out)
	}
	return durable.WriteTo(*out, write)
}

// document returns what writes the document.
func (f Files) document(path string, now time.Time, secrets, collections bool) (write func(io.Writer) error, err error) {
	if collections {
		text, err := f.Collections(path, secrets)
		return func(w io.Writer) error { _, err := w.Write(text); return err }, err
	}
	tables, _, err := f.Load(path)
	if err != nil {
		return nil, err
	}
	return func(w io.Writer) error { return tables.Snapshot().ExportTo(w, now, secrets) }, nil
}

// Check is the command that reports on a data file. Exit status 0: sound; 1:
// damaged; 2: unreadable, or not a data file.
func (f Files) Check(args []string) error {
	name, err := config.FileArgument(flag.NewFlagSet("check", flag.ContinueOnError), "usage: shelf check [FILE]", args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	var path string
	if err == nil {
		path, err = f.Path(name)
	}
	if err != nil {
		return config.Failed(2, err)
	}
	tables, found, err := f.Load(path)
	damage, _ := errors.AsType[*history.Damage](err)
	if err != nil && damage == nil {
		return config.Failed(2, err)
	}
	counts := tables.Counts()
	found.Print(f.Out, path, counts.Words(), counts.Rows(), damage)
	if damage != nil {
		return config.Failed(1, errors.New("nothing was changed; the counts cover only the changes before the damage"))
	}
	return nil
}

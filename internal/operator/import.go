package operator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/rows"
)

// Import is the command that takes in a document, while no server runs.
type Import struct {
	Streams
	Path func(name string) (string, error) // as that of Files
	Open func() (*Target, error)           // the data file that Path has found
}

// A Target is the open store that a document goes into.
type Target struct {
	// Document imports a document, and returns a sentence on what was done. It calls
	// commit before it writes.
	Document func(document []byte, keepTokens bool, commit func()) (done string, err error)
	// Collections imports the file of collections called name.
	Collections func(name string, document []byte) error
	Holds       func() string // what is in the store, in words
	Unused      func() bool   // the store has never held anything
	Close       func() error
}

// Run reads the arguments and imports what they name, all of it or nothing.
func (im Import) Run(ctx context.Context, args []string) error {
	const usage = "usage: shelf import FILE.json [-data FILE] [-keep-tokens] [-y], or shelf import -collections FILE.json [-data FILE] [-y]"
	flags := flag.NewFlagSet("import", flag.ContinueOnError)
	data := flags.String("data", "", "")
	keepTokens := flags.Bool("keep-tokens", false, "")
	collections := flags.String("collections", "", "")
	sure := flags.Bool("y", false, "")
	name, err := config.FileArgument(flags, usage, args)
	if err == nil && (name == "") == (*collections == "") {
		err = config.Misused(errors.New(usage))
	}
	if err != nil {
		return err
	}
	path, err := im.Path(*data)
	if err != nil {
		return err
	}
	if *collections != "" {
		if err := (rows.FileOptions{}).CheckSize(*collections); err != nil {
			return noDocument(*collections, fmt.Errorf("%s: %w", *collections, err))
		}
	}
	document, err := durable.ReadText(cmp.Or(name, *collections))
	if err != nil {
		return noDocument(cmp.Or(name, *collections), err)
	}
	to, err := im.Open()
	if errors.Is(err, journal.ErrLocked) {
		err = fmt.Errorf("%w; stop the server, import, start it again", err)
	}
	if err != nil {
		return err
	}
	if !to.Unused() && !isExport(document) { // which goes into an unused store only
		err := im.confirm(ctx, *sure, "%s holds %s. The import adds to them, and nothing takes that away again but a backup.", path, to.Holds())
		if err != nil {
			return errors.Join(err, to.Close())
		}
	}
	checking, end := im.Progress.Bytes("checking "+cmp.Or(name, *collections), int64(len(document)))
	defer end()
	checking(0)
	var done string
	if *collections == "" {
		done, err = to.Document(document, *keepTokens, func() {
			im.Interrupt.Keeps(path + " holds all of " + name + ", or nothing of it")
		})
	} else {
		err = to.Collections(*collections, document)
		done = fmt.Sprintf("imported %s; the data file now holds %s", *collections, to.Holds())
	}
	if err = errors.Join(err, to.Close()); err != nil {
		return InDocument(cmp.Or(name, *collections), document, err, "; nothing was imported")
	}
	fmt.Fprintf(im.Out, "%s: %s\n", path, done)
	return nil
}

// isExport reports whether a document begins as exports do.
func isExport(document []byte) bool {
	return bytes.Contains(document[:min(len(document), 100)], []byte(`"format"`))
}

package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/strictjson"
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
	// commit before it writes. Only Close may follow.
	Document func(from *strictjson.Document, keepTokens bool, commit func()) (done string, err error)
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
		return im.collections(ctx, path, *collections, *sure)
	}
	return im.document(ctx, path, name, *keepTokens, *sure)
}

// document imports the document in the file called name.
func (im Import) document(ctx context.Context, path, name string, keepTokens, sure bool) error {
	const tail = "; nothing was imported"
	from, err := openDocument(name, im.Progress, tail)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := im.open(ctx, path, sure || from.Has("format")) // an export goes into an unused store only
	if err != nil {
		return err
	}
	done, err := to.Document(from.Document, keepTokens, func() {
		im.Interrupt.Keeps(path + " holds all of " + name + ", or nothing of it")
	})
	if err = errors.Join(err, to.Close()); err != nil {
		return inFile(name, err, tail)
	}
	fmt.Fprintf(im.Out, "%s: %s\n", path, done)
	return nil
}

// collections imports the file of collections called name.
func (im Import) collections(ctx context.Context, path, name string, sure bool) error {
	if err := (rows.FileOptions{}).CheckSize(name); err != nil {
		return noDocument(name, fmt.Errorf("%s: %w", name, err))
	}
	text, err := durable.ReadText(name)
	if err != nil {
		return noDocument(name, err)
	}
	to, err := im.open(ctx, path, sure)
	if err != nil {
		return err
	}
	checking, end := im.Progress.Bytes("checking "+name, int64(len(text)))
	defer end()
	checking(0)
	err = to.Collections(name, text)
	done := fmt.Sprintf("imported %s; the data file now holds %s", name, to.Holds())
	if err = errors.Join(err, to.Close()); err != nil {
		return InDocument(name, text, err, "; nothing was imported")
	}
	fmt.Fprintf(im.Out, "%s: %s\n", path, done)
	return nil
}

// open opens the store at path. If the store was used and nothing is said to be sure,
// the person is asked.
func (im Import) open(ctx context.Context, path string, sure bool) (*Target, error) {
	to, err := im.Open()
	if errors.Is(err, journal.ErrLocked) {
		err = fmt.Errorf("%w; stop the server, import, start it again", err)
	}
	if err != nil {
		return nil, err
	}
	if !to.Unused() {
		err := im.confirm(ctx, sure, "%s holds %s. The import adds to them, and nothing takes that away again but a backup.", path, to.Holds())
		if err != nil {
			return nil, errors.Join(err, to.Close())
		}
	}
	return to, nil
}

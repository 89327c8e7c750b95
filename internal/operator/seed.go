package operator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/strictjson"
)

// A Seed is a document that an empty store begins with.
type Seed struct {
	File   string
	Data   string // the data file's path; "" for a store that keeps nothing
	Empty  func() bool
	Holds  func() string                                            // what is in the store, in words
	Import func(from *strictjson.Document) (done string, err error) // done is a sentence, with what was changed behind "; "
	Log    *slog.Logger
	Shared bool // other servers may seed the store at the same time

	Progress history.Progress
}

// Sow imports the document into a store that holds nothing. A store that holds
// something was seeded at an earlier start, or never wanted it: then the log says
// so, unless the document is the one that it was seeded with. What tells is the
// document's hash in a file beside the data.
func (s Seed) Sow() error {
	hash, err := hashOf(s.File)
	if !s.Empty() {
		was, unknown := durable.ReadFile(s.mark())
		switch {
		case s.Shared: // each start of a replica has it
		case s.Data == "" || unknown != nil || err != nil:
			s.Log.Warn("-seed has no effect: the store already has data", "file", s.File, "holds", s.Holds())
		case !bytes.Equal(was, hash):
			s.Log.Warn("-seed has no effect: the file has changed since the store was seeded with it, and the store holds something already", "file", s.File, "holds", s.Holds())
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("-seed: %w", noDocument(s.File, err))
	}
	from, err := openDocument(s.File, s.Progress, "")
	if err != nil {
		return fmt.Errorf("-seed %w", err)
	}
	defer from.Close()
	done, err := s.Import(from.Document)
	if s.Shared && errors.Is(err, db.ErrNotEmpty) {
		s.Log.Info("another replica was faster: -seed has no effect here", "file", s.File)
		return nil
	}
	if err != nil {
		return fmt.Errorf("-seed %w", inFile(s.File, err, ""))
	}
	level := slog.LevelInfo
	if strings.Contains(done, "; ") {
		level = slog.LevelWarn // not all of it is as the file has it
	}
	s.Log.Log(context.Background(), level, "seeded", "file", s.File, "done", done)
	if s.Data == "" {
		return nil
	}
	if err := durable.WriteFile(s.mark(), hash); err != nil {
		s.Log.Warn("the seed is in, but a later start can't tell whether its file has changed", "error", err)
	}
	return nil
}

// hashOf returns a line with the hash of a file.
func hashOf(name string) ([]byte, error) {
	f, text, err := openText(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, text)
	return append(hex.AppendEncode(nil, sum.Sum(nil)), '\n'), err
}

// mark is the file that holds the hash of what the store was seeded with.
func (s Seed) mark() string { return s.Data + ".seeded" }

// InDocument words an error in a file that a person wrote. It names the line. If the
// file is no JSON, the line is shown too.
func InDocument(name string, document []byte, err error, tail string) error {
	if slip, ok := errors.AsType[*strictjson.Slip](err); ok {
		return fmt.Errorf("%s, %w%s%s", name, slip, tail, strings.TrimSuffix("\n"+slip.Show(), "\n"))
	}
	if at, ok := errors.AsType[*strictjson.ElementError](err); ok {
		if line := at.Line(document); line > 0 {
			name = fmt.Sprintf("%s, line %d", name, line)
		}
	}
	return fmt.Errorf("%s: %w%s", name, err, tail)
}

package operator

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/strictjson"
)

// A Seed is a document that an empty store begins with.
type Seed struct {
	File   string
	Data   string // the data file's path; "" for a store that keeps nothing
	Empty  func() bool
	Holds  func() string                                  // what is in the store, in words
	Import func(document []byte) (done string, err error) // done is a sentence, with what was changed behind "; "
	Log    *slog.Logger
	Shared bool // other servers may seed the store at the same time
}

// Sow imports the document into a store that holds nothing. A store that holds
// something was seeded at an earlier start, or never wanted it: then the log says
// so, unless the document is the one that it was seeded with. What tells is the
// document's hash in a file beside the data.
func (s Seed) Sow() error {
	document, err := durable.ReadText(s.File)
	print := sha256.Sum256(document)
	hash := append(hex.AppendEncode(nil, print[:]), '\n')
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
	done, err := s.Import(document)
	if s.Shared && errors.Is(err, db.ErrNotEmpty) {
		s.Log.Info("another replica was faster: -seed has no effect here", "file", s.File)
		return nil
	}
	if err != nil {
		return InDocument("-seed "+s.File, document, err, "")
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

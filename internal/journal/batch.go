package journal

import (
	"bytes"
	"fmt"
	"time"

	"example.com/shelf/internal/history"
)

// FirstVersion is the version of the format that every shelf reads.
const FirstVersion = firstVersion

// CheckVersion returns an error for a version of the format that this program
// can't read.
func CheckVersion(version int) error {
	if version < firstVersion || version > latestVersion {
		return fmt.Errorf("data format %d: written by a newer shelf; this shelf reads %d to %d, so use a newer shelf", version, firstVersion, latestVersion)
	}
	return nil
}

// AppendHeader appends the first line of a journal. after is the number before
// the first line that follows. Lines up to snapshot are a snapshot.
func AppendHeader(to []byte, version int, after, snapshot int64) []byte {
	return header{Version: version, After: after, Snapshot: snapshot}.appendTo(to)
}

// AppendBatch appends the lines of one batch, numbered from first on.
func AppendBatch(to []byte, first int64, at time.Time, bodies [][]byte) []byte {
	return appendBatch(to, first, at, bodies, func() {})
}

// appendBatch is AppendBatch, and calls next for each line.
func appendBatch(to []byte, first int64, at time.Time, bodies [][]byte, next func()) []byte {
	for i, body := range bodies {
		closes := 0
		if i == len(bodies)-1 {
			closes = len(bodies)
		}
		to = appendLine(to, first+int64(i), at, body, closes)
		next()
	}
	return to
}

// ParseBatch reads the lines of one batch that [AppendBatch] wrote, numbered from
// first on. The bodies are parts of text. ParseBatch fails with a *history.Damage
// that names the number of the line.
func ParseBatch(text []byte, first int64) ([]history.Record, error) {
	batch := make([]history.Record, 0, bytes.Count(text, []byte("\n")))
	closed := 0
	for line := range bytes.Lines(text) {
		seq := first + int64(len(batch))
		damaged := func(format string, args ...any) error {
			return &history.Damage{Line: int(seq), What: fmt.Sprintf(format, args...)}
		}
		line, whole := bytes.CutSuffix(line, []byte("\n"))
		rec, closes, err := parseLine(line)
		switch {
		case err != nil:
			return nil, damaged("%v", err)
		case !whole:
			return nil, damaged("the line has no end")
		case rec.Manual:
			return nil, damaged("the line has no checksum: change rows with shelf itself")
		case rec.Seq != seq:
			return nil, damaged("seq is %d where %d should follow", rec.Seq, seq)
		case closed > 0:
			return nil, damaged("the line follows the end of its batch")
		}
		batch, closed = append(batch, rec), closes
	}
	if closed != len(batch) || closed == 0 {
		return nil, &history.Damage{Line: int(first) + max(0, len(batch)-1), What: fmt.Sprintf("closes %d lines where %d are open", closed, len(batch))}
	}
	return batch, nil
}

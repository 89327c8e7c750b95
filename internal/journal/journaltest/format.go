package journaltest

import (
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// The file format, implemented a second time as simply as possible. Tests can
// thus compare package journal with its documentation.
const (
	// RefusedMark ends the rest of a failed write.
	RefusedMark = " #refused"
	// Sector is the number of bytes that a disk writes or loses at once.
	Sector = 512
	// CRCLength is the length of the end of a line, from `,"crc":` to the
	// brace.
	CRCLength = len(`,"crc":"00000000"}`)
)

// Noon is the time of the lines of File.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Header returns the header of a file. Its first line has the number after+1,
// and its snapshot ends at number snapshot.
func Header(after, snapshot int64) string {
	return HeaderOf(1, after, snapshot)
}

// HeaderOf is Header for a version of the format.
func HeaderOf(version int, after, snapshot int64) string {
	return Seal(fmt.Sprintf(`{"format":"shelf","version":%d,"after":%d,"snapshot":%d`, version, after, snapshot))
}

// Line returns a body with its frame. closes is above 0 only for the last line
// of a batch.
func Line(seq int64, at time.Time, body string, closes int) string {
	line := fmt.Sprintf(`{"seq":%d,"time":"%s",%s`, seq, at.UTC().Format("2006-01-02T15:04:05.000Z"), body)
	if closes > 0 {
		line += fmt.Sprintf(`,"closes":%d`, closes)
	}
	return Seal(line)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal appends the checksum and the closing brace to line.
func Seal(line string) string {
	return line + fmt.Sprintf(`,"crc":"%08x"}`, crc32.Checksum([]byte(line), castagnoli)) + "\n"
}

// File returns a whole file. Each argument is a batch: one body per line. A
// body that starts with a brace becomes a hand-written line, without a frame.
func File(batches ...string) string {
	var b strings.Builder
	b.WriteString(Header(0, 0))
	var seq int64
	for _, batch := range batches {
		bodies := strings.Split(batch, "\n")
		for i, body := range bodies {
			seq++
			closes := 0
			if i == len(bodies)-1 {
				closes = len(bodies)
			}
			if strings.HasPrefix(body, "{") {
				b.WriteString(body + "\n")
				continue
			}
			b.WriteString(Line(seq, Noon, body, closes))
		}
	}
	return b.String()
}

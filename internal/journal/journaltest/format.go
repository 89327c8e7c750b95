package journaltest

import (
	"fmt"
	"hash/crc32"
	"strings"
	"time"
)

// The format, written a second time and in the plainest way, so that tests hold
// package journal against its manual and not against itself.
const (
	// RefusedMark ends a line that a failed write left behind.
	RefusedMark = " #refused"
	// Sector is the least that a disk writes or loses at once, in bytes.
	Sector = 512
	// CRCLength is the length of a line's end, from `,"crc":` to the brace.
	CRCLength = len(`,"crc":"00000000"}`)
)

// Noon is the time that the lines of File have.
var Noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// Header is the first line of a file whose lines begin behind number after, and
// are a snapshot up to number snapshot.
func Header(after, snapshot int64) string {
	return Seal(fmt.Sprintf(`{"format":"shelf","version":1,"after":%d,"snapshot":%d`, after, snapshot))
}

// Line is a body in its frame. closes is 0 for all lines of a batch but the last.
func Line(seq int64, at time.Time, body string, closes int) string {
	line := fmt.Sprintf(`{"seq":%d,"time":"%s",%s`, seq, at.UTC().Format("2006-01-02T15:04:05.000Z"), body)
	if closes > 0 {
		line += fmt.Sprintf(`,"closes":%d`, closes)
	}
	return Seal(line)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Seal ends a line with its checksum. line lacks the closing brace.
func Seal(line string) string {
	return line + fmt.Sprintf(`,"crc":"%08x"}`, crc32.Checksum([]byte(line), castagnoli)) + "\n"
}

// File is a whole file. Each batch is one string, of bodies that newlines
// separate. A body that starts with a brace stands as it is, as a line that a
// person wrote.
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

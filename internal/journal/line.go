package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"
	"strings"
	"time"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/strictjson"
)

const (
	formatName = "shelf"
	// A file begins with firstVersion, and stays so until Need raises it.
	firstVersion  = 1
	latestVersion = 2

	crcLength   = len(`,"crc":"00000000"}`)
	refusedMark = " #refused"

	// sector is the number of bytes that a disk writes, or loses, at once.
	sector = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A header is the first line of the file.
type header struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	After    int64  `json:"after"`    // the seq before the first line
	Snapshot int64  `json:"snapshot"` // lines up to this seq are a snapshot
	CRC      string `json:"crc,omitempty"`
}

// appendTo appends the line.
func (h header) appendTo(to []byte) []byte {
	start := len(to)
	to = fmt.Appendf(to, `{"format":%q,"version":%d,"after":%d,"snapshot":%d`, formatName, h.Version, h.After, h.Snapshot)
	return append(appendCRC(to, to[start:]), '\n')
}

// appendLine appends body with its frame. closes is above 0 only for the last
// line of a batch.
func appendLine(to []byte, seq int64, now time.Time, body []byte, closes int) []byte {
	start := len(to)
	to = append(to, `{"seq":`...)
	to = strconv.AppendInt(to, seq, 10)
	to = append(to, `,"time":"`...)
	to = now.UTC().AppendFormat(to, "2006-01-02T15:04:05.000Z")
	to = append(to, `",`...)
	to = append(to, body...)
	if closes > 0 {
		to = append(to, `,"closes":`...)
		to = strconv.AppendInt(to, int64(closes), 10)
	}
	return append(appendCRC(to, to[start:]), '\n')
}

// appendCRC appends the checksum of line and the line's end.
func appendCRC(to, line []byte) []byte {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(line, castagnoli))
	return append(hex.AppendEncode(append(to, `,"crc":"`...), sum[:]), `"}`...)
}

func hasCRC(line []byte) bool {
	return len(line) > crcLength && bytes.HasPrefix(line[len(line)-crcLength:], []byte(`,"crc":"`)) && bytes.HasSuffix(line, []byte(`"}`))
}

func goodCRC(line []byte) bool {
	if !hasCRC(line) {
		return false
	}
	before := line[:len(line)-crcLength]
	return string(line[len(before):]) == string(appendCRC(make([]byte, 0, crcLength), before))
}

// parseLine reads the frame of a line: seq, closes (0: none) and the checksum.
// For a hand-written line the Body is the whole line; manualBody extracts its
// body. parseLine allocates no memory for a line with a checksum. With
// encoding/json in its place a start takes five to nine times as long
// (BenchmarkRead).
func parseLine(line []byte) (rec history.Record, closes int, err error) {
	if !hasCRC(line) {
		return parseManual(line)
	}
	if !goodCRC(line) {
		return rec, 0, errors.New("the checksum does not match: the line was damaged, or edited (a line that you edit needs no crc: remove it)")
	}
	// A line with a valid checksum was written by appendLine, so its frame has
	// fixed positions.
	seq, body, ok := bytes.Cut(bytes.TrimPrefix(line[:len(line)-crcLength], []byte(`{"seq":`)), []byte(","))
	rec.Seq, err = strconv.ParseInt(string(seq), 10, 64)
	if !ok || err != nil {
		return rec, 0, errors.New("the line does not begin with seq")
	}
	if rest, ok := bytes.CutPrefix(body, []byte(`"time":"`)); ok {
		end := bytes.IndexByte(rest, '"') + 1
		body = bytes.TrimPrefix(rest[end:], []byte(","))
	}
	tail := body[max(0, len(body)-32):]
	if bytes.HasSuffix(tail, []byte("}")) { // a row, as on most lines
		tail = nil
	}
	if i := bytes.LastIndex(tail, []byte(`,"closes":`)); i >= 0 {
		if n, err := strconv.Atoi(string(tail[i+len(`,"closes":`):])); err == nil {
			closes, body = n, body[:len(body)-len(tail)+i]
		}
	}
	rec.Body = body[:len(body):len(body)]
	return rec, closes, nil
}

// parseManual reads a hand-written or edited line, which has no checksum.
func parseManual(line []byte) (rec history.Record, closes int, err error) {
	var frame struct {
		Seq    int64   `json:"seq"`
		Closes int     `json:"closes"`
		CRC    *string `json:"crc"`
	}
	if slip := strictjson.FindSlip(line); slip != nil {
		return rec, 0, &notJSON{slip}
	}
	if err := json.Unmarshal(line, &frame); err != nil {
		return rec, 0, fmt.Errorf("not a JSON object: %v", err)
	}
	switch {
	case frame.CRC != nil:
		return rec, 0, errors.New("crc is not the last member (a line that you edit needs no crc: remove it)")
	case frame.Closes < 0:
		return rec, 0, errors.New("closes is below 0")
	case frame.Seq < 1:
		return rec, 0, errors.New("seq is missing or below 1")
	}
	return history.Record{Seq: frame.Seq, Manual: true, Body: line}, frame.Closes, nil
}

// A notJSON is a syntax error in a line. The caller adds the line number.
type notJSON struct{ slip *strictjson.Slip }

func (n *notJSON) Error() string {
	return fmt.Sprintf("not a JSON object: column %d: %s", n.slip.Column, n.slip.What)
}

func (n *notJSON) Unwrap() error { return n.slip }

// manualBody removes the frame from a line that parseManual accepted. It
// returns the other members, in order, as they are written. It fails if "time"
// is no time. Names match in any case, as in encoding/json.
func manualBody(line []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(line))
	if _, err := d.Token(); err != nil { // the opening brace
		return nil, err
	}
	var body []byte
	for d.More() {
		from := d.InputOffset()
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		switch name, _ := key.(string); {
		case strings.EqualFold(name, "time"):
			var t time.Time
			if err := json.Unmarshal(value, &t); err != nil {
				return nil, err
			}
		case strings.EqualFold(name, "seq"), strings.EqualFold(name, "closes"), strings.EqualFold(name, "crc"):
		default:
			if len(body) > 0 {
				body = append(body, ',')
			}
			body = append(body, bytes.TrimLeft(line[from:d.InputOffset()], ", \t\r\n")...)
		}
	}
	return body, nil
}

// unborn reports whether rest, the whole content of a file, is left from a
// crash during its creation: nothing, part of a header, or zeros.
func unborn(rest []byte) bool {
	header := header{Version: firstVersion}.appendTo(nil)
	return bytes.HasPrefix(header, rest) || len(rest) <= len(header) && len(bytes.Trim(rest, "\x00")) == 0
}

// lostPage reports whether a page that never reached the disk explains the
// unreadable line at offset pos. The file had grown over that page, so it reads
// as zeros, up to the end of a sector or of the file. No valid line contains a
// zero byte.
//
// The zeros begin at the start of a sector, or where a write began: at the start of
// a line, or after the rest of a failed write. A single zero elsewhere is counted as
// damage, but see lostMark.
func lostPage(line []byte, pos int64) bool {
	for i, c := range line {
		at := pos + int64(i)
		if c == 0 && (i+1 == len(line) || (at+1)%sector == 0) &&
			(i == 0 || line[i-1] == 0 || at%sector == 0) {
			return true
		}
	}
	return false
}

// lostMark reports whether line, at offset pos, is the rest of a failed write and a
// refused mark whose first byte alone was lost: it was the last one of its sector, or
// of the file. atEnd: line is what follows the file's last newline.
func lostMark(line []byte, pos int64, atEnd bool) bool {
	rest, mark, zero := bytes.Cut(line, []byte{0})
	if !zero || endsBatch(rest) || !cutShort(rest) {
		return false
	}
	if len(mark) == 0 {
		return atEnd
	}
	want := refusedMark[1:]
	if atEnd && len(mark) < len(want) {
		want = want[:len(mark)]
	}
	return string(mark) == want && (pos+int64(len(rest))+1)%sector == 0
}

// endsBatch reports whether line, without its newline, is a valid last line of a
// batch.
func endsBatch(line []byte) bool {
	rec, closes, err := parseLine(line)
	return err == nil && (rec.Manual || closes > 0)
}

// cutShort reports whether rest is the beginning of a valid line, perhaps
// followed by the beginning of a refused mark.
func cutShort(rest []byte) bool {
	for n := len(refusedMark); n > 0; n-- {
		if bytes.HasSuffix(rest, []byte(refusedMark[:n])) {
			rest = rest[:len(rest)-n]
			break
		}
	}
	if hasCRC(rest) {
		return goodCRC(rest) // only the newline is missing
	}
	var v any
	err := json.NewDecoder(bytes.NewReader(rest)).Decode(&v)
	return err == io.EOF || err == io.ErrUnexpectedEOF
}

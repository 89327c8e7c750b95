package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/strictjson"
)

// Found is the result of reading a journal. After a *history.Damage it covers
// the part that was read.
type Found struct {
	Version  int   // of the format; 0: no header
	Size     int64 // of the file in bytes, including a newline that Start adds to the last line
	Lines    int   // in closed batches
	Seq      int64 // of the last closed batch
	Snapshot int64 // lines up to this seq are a snapshot; 0: never compacted
	Refused  int   // failed writes that were skipped; never acknowledged
	Torn     int64 // bytes after the last closed batch; never acknowledged

	// Start sets these if Torn is above 0 and the file has a header.

	TornFile  string // the file to which Start moved the torn tail
	TornStays error  // why Start left the torn tail in the file, for example a full disk
}

// Read reads the first size bytes of r as a journal, and calls emit with the
// lines of each closed batch, in order. A long batch comes in several calls. The
// slice and the bodies are valid only until emit returns. Read takes no lock and changes nothing. If another process
// appends to the file meanwhile, Read sees a state that the file had.
//
// Read fails with a *history.Damage, with emit's error, with r's error, or
// because r is no journal.
func Read(r io.ReaderAt, size int64, emit func([]history.Record) error) (Found, error) {
	return read(r, size, emit, nil, "")
}

// read is Read, and tells how much of what is done.
func read(r io.ReaderAt, size int64, emit func([]history.Record) error, tell history.Progress, what string) (Found, error) {
	s, err := scanFile(r, size, emit, tell, what)
	return s.found(), err
}

// ReadStream is [Read] for a text of size bytes that can be read only once.
// Unlike a file, the text has no torn tail and no failed write.
func ReadStream(r io.Reader, size int64, emit func([]history.Record) error) (Found, error) {
	s, err := scanText(wholeText{r}, size, emit, nil, "")
	found := s.found()
	if err == nil && (found.Torn > 0 || found.Refused > 0) {
		err = &history.Damage{Line: s.line, What: fmt.Sprintf("%d bytes follow the last whole batch", found.Torn)}
	}
	return found, err
}

// wholeText is a reader whose end is an error.
type wholeText struct{ io.Reader }

func (w wholeText) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n == 0 && (err == io.EOF || err == io.ErrUnexpectedEOF) {
		err = errors.New("the text is cut short")
	} else if n > 0 {
		err = nil // comes again, if it stays
	}
	return n, err
}

// ReadFile is [Read] for the file at path.
func ReadFile(path string, emit func([]history.Record) error) (found Found, err error) {
	return readFile(path, emit, nil)
}

func readFile(path string, emit func([]history.Record) error, tell history.Progress) (found Found, err error) {
	f, err := durable.Open(path)
	if err != nil {
		return found, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return found, err
	}
	return read(f, info.Size(), emit, tell, "reading "+path)
}

// A scan is the state of reading a journal.
type scan struct {
	header
	emit func([]history.Record) error

	begin   int64 // the offset behind the header
	seq     int64 // of the last closed batch
	last    int64 // offset of the last closed batch, or of failed writes before it
	closing int64 // offset of that batch's last line
	bytes   int64 // size of that batch
	end     int64 // offset after the last closed batch
	size    int64 // of the file; the bytes from end to size are a torn tail
	lines   int   // number of lines in closed batches
	refused int   // number of failed writes that were skipped
	newline bool  // the last line has no newline

	line     int              // number of lines read
	open     int              // number of lines of the batch that is not closed yet
	from     int64            // offset of the first of them
	fromLine int              // its number in the file
	byHand   int              // number of the first hand-written line among them, 0 for none
	fault    *history.Damage  // the first of those that has no body
	pending  []history.Record // those lines, unless skipped
	skipped  bool             // they are read again once the batch is closed: see skipLong
	file     io.ReaderAt      // nil: the text can be read only once
	edited   int              // number of hand-written lines directly before the open ones
	bad      *history.Damage  // the first unreadable line after end
	lost     bool             // a page that never reached the disk explains bad
	over     bool             // a closing line came after a lost page; no further line may follow
}

func scanFile(r io.ReaderAt, size int64, emit func([]history.Record) error, tell history.Progress, what string) (*scan, error) {
	s := &scan{size: size, emit: emit, file: r}
	return s, s.readAll(io.NewSectionReader(r, 0, size), tell, what)
}

func scanText(r io.Reader, size int64, emit func([]history.Record) error, tell history.Progress, what string) (*scan, error) {
	s := &scan{size: size, emit: emit}
	return s, s.readAll(r, tell, what)
}

// readAll reads the text in pieces.
func (s *scan) readAll(r io.Reader, tell history.Progress, what string) error {
	const pieceLength = 1 << 20
	told, end := tell.Bytes(what, s.size)
	defer end()
	var (
		buf  []byte
		rest []byte // the beginning of a line, from the previous piece
		pos  int64
	)
	for at := int64(0); at < s.size; {
		need := len(rest) + int(min(pieceLength, s.size-at))
		if s.skipLong(pos); len(s.pending) > 0 || len(buf) < need {
			buf = make([]byte, need+len(rest)) // the bodies of pending lines are in the old one
		}
		n := copy(buf, rest)
		piece := buf[:need]
		if _, err := io.ReadFull(r, piece[n:]); err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return err
		}
		at += int64(len(piece) - n)
		told(at)
		for {
			i := bytes.IndexByte(piece, '\n')
			if i < 0 {
				break
			}
			if err := s.take(piece[:i], pos); err != nil {
				return err
			}
			piece, pos = piece[i+1:], pos+int64(i)+1
		}
		rest = piece
	}
	err := s.finish(rest, pos)
	s.pending = nil // it has the capacity of the largest batch
	return err
}

func (s *scan) found() Found {
	return Found{
		Version: s.Version, Size: s.size, Lines: s.lines, Seq: s.seq, Snapshot: s.Snapshot,
		Refused: s.refused, Torn: s.torn(),
	}
}

// torn is the number of bytes after the last closed batch.
func (s *scan) torn() int64 { return s.size - s.end }

// take reads one whole line that starts at offset pos.
func (s *scan) take(line []byte, pos int64) error {
	s.line++
	next := pos + int64(len(line)) + 1
	line = bytes.TrimSuffix(line, []byte("\r")) // some editors write \r\n
	if s.line == 1 {
		s.begin, s.end = next, next
		return s.takeHeader(line)
	}
	if len(bytes.TrimSpace(line)) == 0 {
		if s.open == 0 && s.bad == nil {
			s.end = next // an empty line from an editor, not a torn tail
		}
		return nil
	}
	if bytes.HasSuffix(line, []byte(refusedMark)) {
		s.refused++
		s.drop()
		return nil
	}
	rec, closes, err := parseLine(line)
	if err != nil {
		if s.bad == nil {
			s.bad = &history.Damage{Line: s.line, What: err.Error()}
			if slip, ok := errors.AsType[*strictjson.Slip](err); ok {
				s.bad.Show = slip.Show()
			}
		}
		s.lost = s.lost || lostPage(line, pos) || lostMark(line, pos, false)
		return nil
	}
	rec.Line = s.line
	return s.takeRecord(rec, closes, pos, next)
}

func (s *scan) takeHeader(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.header); err != nil || s.Format != formatName {
		return errNotOurs
	}
	if err := CheckVersion(s.Version); err != nil {
		return err
	}
	if s.CRC != "" && !goodCRC(line) {
		return &history.Damage{Line: 1, What: "the checksum does not match"}
	}
	s.seq = s.After
	return nil
}

var errNotOurs = errors.New("not a data file of shelf: its first line should say {\"format\":\"shelf\",…}")

// takeRecord takes a readable line that starts at offset pos and ends at offset
// next.
func (s *scan) takeRecord(rec history.Record, closes int, pos, next int64) error {
	first := s.seq + 1
	switch {
	case s.over:
		return s.bad
	case rec.Seq == first+int64(s.open) && s.bad == nil:
		s.add(rec, pos)
	case rec.Seq == first:
		// The numbers continue, so the lines in between are a failed write.
		s.refused++
		s.drop()
		s.bad, s.lost = nil, false
		s.add(rec, pos)
	case s.lost && rec.Seq > first && !rec.Manual:
		// This is the rest of a batch with pages that never reached the disk. The
		// batch was never synced, so nothing can have been written after it.
		if closes > 0 {
			if rec.Seq-int64(closes) != s.seq {
				return s.bad
			}
			s.over = true
		}
		return nil
	case s.bad != nil:
		return s.bad
	default:
		return &history.Damage{Line: s.line, What: fmt.Sprintf("seq is %d where %d should follow", rec.Seq, first+int64(s.open))}
	}
	if rec.Manual && closes == 0 && s.open == 1 {
		closes = 1
		s.edited++
	} else if closes > 0 {
		// If a person removed the crc of a batch's first lines, those lines
		// were read as batches of their own.
		if missing := closes - s.open; missing < 0 || missing > s.edited {
			return &history.Damage{Line: s.line, What: fmt.Sprintf("closes %d lines where %d are open", closes, s.open)}
		}
		s.edited = 0
	}
	if closes == 0 {
		return nil
	}
	return s.closeBatch(pos, next)
}

// add adds a line to the open batch. It starts at offset pos.
func (s *scan) add(rec history.Record, pos int64) {
	if s.open++; s.open == 1 {
		s.from, s.fromLine = pos, rec.Line
	}
	if rec.Manual {
		if s.byHand == 0 {
			s.byHand = rec.Line
		}
		body, err := manualBody(rec.Body)
		if err != nil && s.fault == nil {
			s.fault = &history.Damage{Line: rec.Line, What: err.Error()}
		}
		rec.Body = body
	}
	if !s.skipped {
		s.pending = append(s.pending, rec)
	}
}

// drop forgets the open batch.
func (s *scan) drop() {
	s.open, s.byHand, s.fault, s.pending, s.skipped = 0, 0, nil, s.pending[:0], false
}

// longBatch is the size in bytes from which the lines of an open batch are skipped.
const longBatch = 4 << 20

// skipLong skips the lines of a long batch, such as an import. Only its last line
// shows that the batch is closed. Until then all of them would have to be in memory.
// So they are read twice: until the batch is closed, and again to emit them. pos is
// the offset that the scan has reached.
func (s *scan) skipLong(pos int64) {
	if s.file != nil && s.open > 0 && pos-s.from > longBatch {
		s.skipped, s.pending = true, nil
	}
}

// closeBatch emits the open lines. The last of them starts at offset pos and ends
// at offset next.
func (s *scan) closeBatch(pos, next int64) error {
	if s.fault != nil {
		s.end = s.size // the frames of the following lines may be valid, so nothing is a torn tail
		return s.fault
	}
	var err error
	if s.skipped {
		err = s.emitSkipped(next)
	} else {
		err = s.emit(s.pending)
	}
	if err != nil {
		return err
	}
	s.lines += s.open
	s.last, s.closing, s.bytes = s.end, pos, next-s.from
	s.seq, s.end = s.seq+int64(s.open), next
	s.drop()
	return nil
}

// emitSkipped reads the open lines again and emits them. They end at offset next.
func (s *scan) emitSkipped(next int64) error {
	again := bufio.NewReaderSize(io.NewSectionReader(s.file, s.from, next-s.from), 1<<20)
	one := make([]history.Record, 1)
	for number := s.fromLine; ; number++ {
		line, readErr := readLine(again)
		if readErr != nil && readErr != io.EOF {
			return readErr
		}
		if line = bytes.TrimRight(line, "\r\n"); len(bytes.TrimSpace(line)) > 0 {
			rec, _, err := parseLine(line)
			if err == nil && rec.Manual {
				rec.Body, err = manualBody(rec.Body)
			}
			if err != nil {
				return &history.Damage{Line: number, What: err.Error()}
			}
			rec.Line = number
			one[0] = rec
			if err := s.emit(one); err != nil {
				return err
			}
		}
		if readErr == io.EOF {
			return nil
		}
	}
}

// readLine reads a line, which may be longer than r's buffer. It is valid until the
// next call.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if line == nil && err != bufio.ErrBufferFull {
			return part, err
		}
		if line = append(line, part...); err != bufio.ErrBufferFull {
			return line, err
		}
	}
}

// finish checks the bytes after the last newline, and the tail as a whole.
func (s *scan) finish(rest []byte, pos int64) error {
	if s.line == 0 {
		if unborn(rest) {
			return nil
		}
		return errNotOurs
	}
	// An editor may have removed the last newline. A failed write can't look
	// the same: see writeFailed.
	if line := bytes.TrimSuffix(rest, []byte{0}); endsBatch(line) { // a zero: a crash while Start added the newline
		if err := s.take(line, pos); err != nil {
			return err
		}
		if s.end >= s.size { // the line is valid; Start adds its newline
			s.newline, s.size = true, s.end
		}
		rest = nil
	}
	if s.seq < s.Snapshot {
		// a snapshot was complete and synced before the file got its name
		return &history.Damage{Line: s.line, What: "the file is cut short inside its snapshot"}
	}
	if len(rest) > 0 && s.bad == nil && !cutShort(rest) {
		s.line++
		s.bad = &history.Damage{Line: s.line, What: "not a whole line, and not the beginning of one"}
	}
	s.lost = s.lost || lostPage(rest, pos) || lostMark(rest, pos, true)
	if s.bad != nil && !s.lost {
		return s.bad
	}
	if s.byHand > 0 {
		return &history.Damage{Line: s.byHand, What: "an edited line inside a batch that is not closed (the batch's last line needs its closes)"}
	}
	return nil
}

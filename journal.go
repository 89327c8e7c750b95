package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"path/filepath"
	"strconv"
	"time"

	"example.com/shelf/internal/clock"
)

// The data file is JSON Lines: a header, then one change a line.
//
//		{"format":"shelf","version":1,"after":0,"snapshot":0,"crc":"…"}
//		{"seq":1,"time":"2026-11-22T14:05:00.123Z","op":"put","user":{…},"crc":"…"}
//		{"seq":2,"time":"2026-11-22T14:05:00.123Z","op":"put","token":{…},"closes":2,"crc":"…"}
//
//	  - seq counts the changes; the header's "after" is the number before the
//	    first line's. Lines up to the header's "snapshot" are what compaction
//	    found alive, not what happened.
//	  - A batch is written with one write and one fsync and counts as a whole:
//	    its last line "closes" that many lines, itself included.
//	  - crc is the CRC-32C (RFC 3720 §12.1) of the line's bytes before `,"crc":`,
//	    in lower-case hex. A line that a person adds or edits has none; outside a
//	    batch it is one of its own.
//	  - A line that ends in " #refused" is what a failed write left behind.
//	    Nobody was ever told that it worked; replay passes over it.
//
// While a server runs the file only grows or is replaced whole, so a copy of
// it, made at any moment with any tool, is a store.
const (
	journalFormat  = "shelf"
	journalVersion = 1

	crcLength   = len(`,"crc":"00000000"}`)
	refusedMark = " #refused"

	// sector is the least that a disk writes or loses at once, in bytes.
	sector = 512
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// What a write to the store can come to but success.
var (
	// errStoreFull: the disk is full. Nothing was changed, and writes work
	// again as soon as there is room.
	errStoreFull = errors.New("disk full")
	// errReadOnly: the store can't be written. Nothing was changed.
	errReadOnly = errors.New("store is read-only")
	// errOutcomeUnknown: the disk failed in a way that leaves open whether the
	// change was kept; only a restart can tell.
	errOutcomeUnknown = errors.New("outcome unknown until a restart")
)

// A damage is a fault in the data file that no crash explains. It stops the
// start: what follows the fault was acknowledged to somebody.
type damage struct {
	line int // from 1
	what string
}

func (d *damage) Error() string { return fmt.Sprintf("line %d: %s", d.line, d.what) }

// A header is the first line of the file.
type header struct {
	Format   string `json:"format"`
	Version  int    `json:"version"`
	After    int64  `json:"after"`    // the seq before the first line's
	Snapshot int64  `json:"snapshot"` // lines up to this seq are a snapshot
	CRC      string `json:"crc,omitempty"`
}

// A record is one line of the file, read but not understood: what a change
// means is the store's business.
type record struct {
	seq    int64
	closes int // how many lines this one closes, 0 for none
	line   int // its place in the file, from 1
	manual bool
	text   []byte // the whole line; nobody writes to it
}

// A scan is what reading a journal found.
type scan struct {
	header
	seq     int64 // of the last closed batch
	last    int64 // the offset behind the one before, or that of the header
	end     int64 // the offset behind it
	size    int64 // of the file; what lies between end and size is a torn tail
	lines   int   // in closed batches
	refused int   // failed writes passed over
	newline bool  // the last line, a person's, lacks its newline

	line    int      // the number of lines read
	pending []record // of the batch that is still open
	edited  int      // the lines without a crc right before pending
	bad     *damage  // the first unreadable line since end
	lost    bool     // … and a page that never reached the disk explains it
	over    bool     // a closing line was met after a lost page: that must be the end
}

// scanJournal reads the first size bytes of r and calls emit with each closed
// batch, in order. The records' texts stay valid, the slice is emit's only until
// it returns. It fails with a *damage, with emit's error, or with one that says
// that this is no data file of ours.
func scanJournal(r io.ReaderAt, size int64, emit func([]record) error) (*scan, error) {
	s := &scan{size: size}
	var (
		rest []byte // a line's beginning, from the piece before
		pos  int64
	)
	for at := int64(0); at < size; {
		// A piece is never used again, as the records keep pointing into it.
		piece := make([]byte, len(rest)+int(min(1<<20, size-at)))
		n := copy(piece, rest)
		if _, err := r.ReadAt(piece[n:], at); err != nil && err != io.EOF {
			return s, err
		}
		at += int64(len(piece) - n)
		for {
			i := bytes.IndexByte(piece, '\n')
			if i < 0 {
				break
			}
			if err := s.take(piece[:i], pos, emit); err != nil {
				return s, err
			}
			piece, pos = piece[i+1:], pos+int64(i)+1
		}
		rest = piece
	}
	err := s.finish(rest, pos, emit)
	s.pending = nil // there was room for the largest batch
	return s, err
}

// take reads one whole line that starts at offset pos.
func (s *scan) take(line []byte, pos int64, emit func([]record) error) error {
	s.line++
	next := pos + int64(len(line)) + 1
	line = bytes.TrimSuffix(line, []byte("\r")) // an editor's
	if s.line == 1 {
		s.end = next
		return s.takeHeader(line)
	}
	if len(bytes.TrimSpace(line)) == 0 {
		if len(s.pending) == 0 && s.bad == nil {
			s.end = next // an editor's, no torn tail
		}
		return nil
	}
	if bytes.HasSuffix(line, []byte(refusedMark)) {
		s.refused++
		s.pending = s.pending[:0]
		return nil
	}
	rec, err := parseRecord(line)
	if err != nil {
		if s.bad == nil {
			s.bad = &damage{s.line, err.Error()}
		}
		s.lost = s.lost || lostPage(line, pos)
		return nil
	}
	rec.line = s.line
	first := s.seq + 1
	switch {
	case s.over:
		return s.bad
	case rec.seq == first+int64(len(s.pending)) && s.bad == nil:
		s.pending = append(s.pending, rec)
	case rec.seq == first:
		// The numbers go on, so what stands in between was never acknowledged.
		s.refused++
		s.pending, s.bad, s.lost = append(s.pending[:0], rec), nil, false
	case s.lost && rec.seq > first && !rec.manual:
		// The rest of a batch of which some pages never reached the disk; so
		// it was never synced, and nothing can have been written after it.
		if rec.closes > 0 {
			if rec.seq-int64(rec.closes) != s.seq {
				return s.bad
			}
			s.over = true
		}
		return nil
	case s.bad != nil:
		return s.bad
	default:
		return &damage{s.line, fmt.Sprintf("seq is %d where %d should follow", rec.seq, first+int64(len(s.pending)))}
	}
	if rec.manual && rec.closes == 0 && len(s.pending) == 1 {
		rec.closes = 1
		s.edited++
	} else if rec.closes > 0 {
		// A person may have taken the crc from the first lines of a batch, which
		// then were batches of their own.
		if missing := rec.closes - len(s.pending); missing < 0 || missing > s.edited {
			return &damage{s.line, fmt.Sprintf("closes %d lines where %d are open", rec.closes, len(s.pending))}
		}
		s.edited = 0
	}
	if rec.closes == 0 {
		return nil
	}
	if err := emit(s.pending); err != nil {
		return err
	}
	s.lines += len(s.pending)
	s.seq, s.last, s.end, s.pending = rec.seq, s.end, next, s.pending[:0]
	return nil
}

func (s *scan) takeHeader(line []byte) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&s.header); err != nil || s.Format != journalFormat {
		return errors.New("not a data file of shelf: its first line should say {\"format\":\"shelf\",…}")
	}
	if s.Version != journalVersion {
		return fmt.Errorf("data format %d: this shelf reads %d; use a newer shelf", s.Version, journalVersion)
	}
	if s.CRC != "" && !goodCRC(line) {
		return &damage{1, "the checksum does not match"}
	}
	s.seq = s.After
	return nil
}

// finish judges what follows the last newline, and with it the whole tail.
func (s *scan) finish(rest []byte, pos int64, emit func([]record) error) error {
	if s.line == 0 {
		if unborn(rest) {
			return nil
		}
		return errors.New("not a data file of shelf: its first line should say {\"format\":\"shelf\",…}")
	}
	if rec, err := parseRecord(rest); err == nil && rec.manual {
		if err := s.take(rest, pos, emit); err != nil {
			return err
		}
		if s.end > s.size { // the line counts, and is to get its newline
			s.newline, s.size = true, s.end
		}
		rest = nil
	}
	if s.seq < s.Snapshot {
		// A snapshot was whole and synced before it got its name.
		return &damage{s.line, "the file is cut short inside its snapshot"}
	}
	if len(rest) > 0 && s.bad == nil && !cutShort(rest) {
		s.line++
		s.bad, s.lost = &damage{s.line, "not a whole line, and not the beginning of one"}, lostPage(rest, pos)
	} else if len(rest) > 0 {
		s.lost = s.lost || lostPage(rest, pos)
	}
	if s.bad != nil && !s.lost {
		return s.bad
	}
	for _, rec := range s.pending {
		if rec.manual {
			return &damage{rec.line, "an edited line inside a batch that is not closed (the batch's last line needs its closes)"}
		}
	}
	return nil
}

// unborn reports whether a file that holds no more than rest is one whose
// creation a crash ended: empty, the beginning of a header, or zeros.
func unborn(rest []byte) bool {
	header := appendHeader(nil, 0, 0)
	return bytes.HasPrefix(header, rest) || len(rest) <= len(header) && len(bytes.Trim(rest, "\x00")) == 0
}

// torn is the number of bytes after the last closed batch.
func (s *scan) torn() int64 { return s.size - s.end }

// parseRecord reads the frame of a line: seq, closes and the checksum.
func parseRecord(line []byte) (record, error) {
	if !hasCRC(line) {
		return parseManual(line)
	}
	if !goodCRC(line) {
		return record{}, errors.New("the checksum does not match: the line was damaged, or edited (a line that you edit needs no crc: remove it)")
	}
	// The checksum says that we wrote this line, so its frame is where we put it.
	rec := record{text: line}
	seq, _, ok := bytes.Cut(bytes.TrimPrefix(line, []byte(`{"seq":`)), []byte(","))
	n, err := strconv.ParseInt(string(seq), 10, 64)
	if !ok || err != nil {
		return record{}, errors.New("no seq in front")
	}
	rec.seq = n
	body := line[:len(line)-crcLength]
	if i := bytes.LastIndex(body[max(0, len(body)-32):], []byte(`,"closes":`)); i >= 0 {
		digits := body[max(0, len(body)-32)+i+len(`,"closes":`):]
		if c, err := strconv.Atoi(string(digits)); err == nil {
			rec.closes = c
		}
	}
	return rec, nil
}

// parseManual reads a line that a person wrote or edited: it carries no checksum.
func parseManual(line []byte) (record, error) {
	var frame struct {
		Seq    int64   `json:"seq"`
		Closes int     `json:"closes"`
		CRC    *string `json:"crc"`
	}
	if err := json.Unmarshal(line, &frame); err != nil {
		return record{}, fmt.Errorf("not a JSON object: %v", err)
	}
	switch {
	case frame.CRC != nil:
		return record{}, errors.New("crc is not the last member (a line that you edit needs no crc: remove it)")
	case frame.Closes < 0:
		return record{}, errors.New("closes is below 0")
	case frame.Seq < 1:
		return record{}, errors.New("no seq, or one below 1")
	}
	return record{seq: frame.Seq, closes: frame.Closes, manual: true, text: line}, nil
}

func hasCRC(line []byte) bool {
	return len(line) > crcLength && bytes.HasPrefix(line[len(line)-crcLength:], []byte(`,"crc":"`)) && bytes.HasSuffix(line, []byte(`"}`))
}

func goodCRC(line []byte) bool {
	if !hasCRC(line) {
		return false
	}
	body := line[:len(line)-crcLength]
	return string(line[len(body):]) == string(appendCRC(make([]byte, 0, crcLength), body))
}

// appendCRC appends the end of a line whose bytes so far are body.
func appendCRC(to, body []byte) []byte {
	const digits = "0123456789abcdef"
	sum := crc32.Checksum(body, castagnoli)
	to = append(to, `,"crc":"`...)
	for shift := 28; shift >= 0; shift -= 4 {
		to = append(to, digits[sum>>shift&15])
	}
	return append(to, `"}`...)
}

// lostPage reports whether a page that never reached the disk explains an
// unreadable line at offset pos: the file had grown over it, so it reads as
// zeros up to a sector's end or the file's. No line of ours holds a zero byte.
func lostPage(line []byte, pos int64) bool {
	for i, c := range line {
		if c == 0 && (i+1 == len(line) || (pos+int64(i)+1)%sector == 0) {
			return true
		}
	}
	return false
}

// cutShort reports whether rest is the beginning of a line of ours, with
// perhaps the beginning of a mark of refusal behind it.
func cutShort(rest []byte) bool {
	for n := len(refusedMark); n > 0; n-- {
		if bytes.HasSuffix(rest, []byte(refusedMark[:n])) {
			rest = rest[:len(rest)-n]
			break
		}
	}
	if hasCRC(rest) {
		return goodCRC(rest) // nothing but its newline is missing
	}
	var v any
	err := json.NewDecoder(bytes.NewReader(rest)).Decode(&v)
	return err == io.EOF || err == io.ErrUnexpectedEOF
}

// A disk is what the journal asks of the operating system. There are two: the
// real one, and the one of the tests, which fails and tears at every call.
type disk interface {
	// open opens name for reading and writing. With create set it makes the
	// file, with mode 0600, and fails with fs.ErrExist if it is there already.
	open(name string, create bool) (diskFile, error)
	// realPath is where the file called name is, if that is a symbolic link to it.
	realPath(name string) (string, error)
	// names reports whether name still is f, and f's size.
	names(name string, f diskFile) (size int64, same bool, err error)
	// replace gives f, open as from, the name to, and closes old, which had it
	// so far. It answers with what has the name now, open and locked, which may
	// have been opened anew: f, or after an error old, or nil if that can't be
	// had any more.
	replace(f diskFile, from, to string, old diskFile) (diskFile, error)
	remove(name string) error
	syncDir(name string) error
}

type diskFile interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
	size() (int64, error)
	lock() error // fails at once with errLocked if another process has it
}

var errLocked = errors.New("in use by another shelf")

// A journal is the data file, open for writing, and locked: it has one writer.
// Its methods are called one at a time; who calls sees to that.
type journal struct {
	disk disk
	path string // as the settings have it
	real string // the same, or what it is a symbolic link to: what compaction replaces
	f    diskFile
	scan *scan

	seq   int64  // of the last closed batch
	size  int64  // of the file, as we left it
	lines int    // after the header: changes alive or overtaken
	junk  bool   // the last write failed half-way and left something
	dead  error  // why nothing can be written any more, nil while it can
	buf   []byte // a batch's bytes, kept for the next

	fsyncs histogram // those of batches; may be read at any time
}

// openJournal locks the file at path, creating it if there is none, and calls
// emit with each batch in it. It fails with errLocked, a *damage or what emit or
// the disk said. It changes nothing in the file; before the first append, ready
// does.
func openJournal(d disk, path string, emit func([]record) error) (*journal, error) {
	real, err := d.realPath(path)
	if err != nil {
		return nil, err
	}
	f, err := lockFile(d, real)
	if err != nil {
		return nil, err
	}
	j := &journal{disk: d, path: path, real: real, f: f}
	if err := j.replay(emit); err != nil {
		f.Close()
		return nil, err
	}
	return j, nil
}

// lockPatience is how long a start waits for the file, so that one that follows
// a stop at once finds it free.
const lockPatience = 300 * time.Millisecond

// lockFile opens path and locks it. The file may have been replaced between
// the two (by a compaction just ended), so it looks again afterwards.
func lockFile(d disk, path string) (diskFile, error) {
	const pause = 10 * time.Millisecond
	for waited := time.Duration(0); waited < lockPatience; waited += pause {
		f, err := d.open(path, false)
		if errors.Is(err, fs.ErrNotExist) {
			f, err = d.open(path, true)
			if errors.Is(err, fs.ErrExist) {
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if err := f.lock(); errors.Is(err, errLocked) {
			f.Close()
			time.Sleep(pause)
			continue
		} else if err != nil {
			f.Close()
			return nil, err
		}
		if _, same, err := d.names(path, f); err == nil && same {
			return f, nil
		}
		f.Close()
	}
	return nil, errLocked
}

func (j *journal) replay(emit func([]record) error) error {
	size, err := j.f.size()
	if err != nil {
		return err
	}
	if j.scan, err = scanJournal(j.f, size, emit); err != nil {
		return err
	}
	j.seq, j.lines, j.size = j.scan.seq, j.scan.lines, size
	return nil
}

// ready prepares the file for the first append, once what openJournal emitted is
// accepted. What follows the last closed batch was never acknowledged: it moves
// to path.torn. What is there is on disk afterwards.
func (j *journal) ready() error {
	// A compaction that a crash ended leaves its unfinished file.
	if err := j.disk.remove(j.real + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s := j.scan
	if s.line == 0 {
		return j.create()
	}
	j.size = s.end
	if s.torn() > 0 && !s.newline {
		switch err := j.setTornAside(); {
		case diskFull(err): // reads need no room, so it stays, and the next write marks it
			j.size, j.junk = s.size, true
		case err != nil:
			return err
		}
	}
	// The last batch may be in the system's memory only, if the process that
	// wrote it was killed before its fsync; and after a failed fsync the system
	// may take it for written, so that the next one does nothing. Readers are
	// about to see it, so it is written once more, as it is, and synced.
	end := s.end
	if s.newline {
		end--
	}
	_, err := io.Copy(io.NewOffsetWriter(j.f, s.last), io.NewSectionReader(j.f, s.last, end-s.last))
	if err == nil && s.newline {
		_, err = j.f.WriteAt([]byte("\n"), end)
	}
	if err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	// The same goes for the file's name: it may have been created, copied or
	// renamed just before a process was killed.
	return j.disk.syncDir(filepath.Dir(j.real))
}

// create begins the file.
func (j *journal) create() error {
	line := appendHeader(nil, 0, 0)
	if err := j.f.Truncate(0); err != nil {
		return err
	}
	if _, err := j.f.WriteAt(line, 0); err != nil {
		return err
	}
	if err := j.f.Sync(); err != nil {
		return err
	}
	j.size = int64(len(line))
	return j.disk.syncDir(filepath.Dir(j.real))
}

// setTornAside moves the torn tail behind what path.torn holds already: it was
// never acknowledged, but somebody may want to look at it.
func (j *journal) setTornAside() error {
	tail := make([]byte, j.scan.torn())
	if _, err := j.f.ReadAt(tail, j.scan.end); err != nil && err != io.EOF {
		return err
	}
	name := j.path + ".torn"
	f, err := j.disk.open(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = j.disk.open(name, true)
	}
	if err != nil {
		return err
	}
	end, err := f.size()
	if err == nil {
		if _, err = f.WriteAt(tail, end); err != nil {
			err = errors.Join(err, f.Truncate(end))
		}
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = j.disk.syncDir(filepath.Dir(name))
	}
	if err == nil {
		err = j.f.Truncate(j.scan.end)
	}
	if err == nil {
		err = j.f.Sync()
	}
	if err != nil {
		return fmt.Errorf("moving a torn tail to %s: %w", name, err)
	}
	return nil
}

// append writes changes as one batch: one write, one fsync. A change is the
// members of a JSON object without its braces. When it returns nil the batch
// survives a crash. Otherwise it fails with errStoreFull or errReadOnly, and
// nothing of it is there or ever will be, or with errOutcomeUnknown, after
// which every further append fails with errReadOnly.
func (j *journal) append(now time.Time, changes [][]byte) error {
	if err := j.stillOurs(); err != nil {
		return fmt.Errorf("%w: %v", errReadOnly, err)
	}
	buf := j.buf[:0]
	if j.junk {
		buf = append(append(buf, refusedMark...), '\n')
	}
	for i, c := range changes {
		closes := 0
		if i == len(changes)-1 {
			closes = len(changes)
		}
		buf = appendLine(buf, j.seq+int64(i)+1, now, c, closes)
	}
	j.buf = buf[:0]
	if cap(buf) > 1<<20 {
		j.buf = nil
	}
	if _, err := j.f.WriteAt(buf, j.size); err != nil {
		return j.writeFailed(err, int64(len(buf)))
	}
	start := clock.Real()
	err := j.f.Sync()
	j.fsyncs.observe(clock.Since(start))
	if err != nil {
		// The kernel may have dropped the pages and forgotten the error, so a
		// second fsync that succeeds proves nothing: see "Can Applications
		// Recover from fsync Failures?", USENIX ATC 2020.
		j.dead = fmt.Errorf("an fsync failed: %w", err)
		return fmt.Errorf("%w: %v", errOutcomeUnknown, err)
	}
	j.junk = false
	j.size += int64(len(buf))
	j.seq += int64(len(changes))
	j.lines += len(changes)
	return nil
}

// writeFailed finds out how much of a failed write of n bytes arrived.
func (j *journal) writeFailed(err error, n int64) error {
	size, sizeErr := j.f.size()
	if sizeErr != nil || size < j.size || size >= j.size+n {
		j.dead = fmt.Errorf("a write failed and may have arrived all the same: %w", err)
		return fmt.Errorf("%w: %v", errOutcomeUnknown, err)
	}
	j.junk = j.junk || size > j.size
	j.size = size
	if diskFull(err) {
		return fmt.Errorf("%w: %v", errStoreFull, err)
	}
	return fmt.Errorf("%w: %v", errReadOnly, err)
}

// stillOurs fails when the path has stopped naming our file, or somebody else
// has written to it: then our lines would go where nobody finds them, or
// behind ones that we don't know. Either is the end of writing.
func (j *journal) stillOurs() error {
	if j.dead != nil {
		return j.dead
	}
	size, same, err := j.disk.names(j.path, j.f)
	switch {
	case err != nil:
		return err // perhaps not for ever
	case !same:
		j.dead = fmt.Errorf("%s was removed or replaced by another program: save what only this process still has, then restart to use what is there", j.path)
	case size != j.size:
		j.dead = fmt.Errorf("%s was changed by another program; restart to use the changed file", j.path)
	}
	return j.dead
}

// close gives the file back. Everything acknowledged is on disk already.
func (j *journal) close() error { return j.f.Close() }

func appendHeader(to []byte, after, snapshot int64) []byte {
	start := len(to)
	to = fmt.Appendf(to, `{"format":%q,"version":%d,"after":%d,"snapshot":%d`, journalFormat, journalVersion, after, snapshot)
	return append(appendCRC(to, to[start:]), '\n')
}

func appendLine(to []byte, seq int64, now time.Time, change []byte, closes int) []byte {
	start := len(to)
	to = append(to, `{"seq":`...)
	to = strconv.AppendInt(to, seq, 10)
	to = append(to, `,"time":"`...)
	to = now.UTC().AppendFormat(to, "2006-01-02T15:04:05.000Z")
	to = append(to, `",`...)
	to = append(to, change...)
	if closes > 0 {
		to = append(to, `,"closes":`...)
		to = strconv.AppendInt(to, int64(closes), 10)
	}
	return append(appendCRC(to, to[start:]), '\n')
}

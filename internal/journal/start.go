package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"example.com/shelf/internal/durable"
)

// Start prepares the file for the first Append, once what Replay emitted is
// accepted. What follows the last closed batch was never acknowledged: it moves
// to path.torn, or stays if the disk is full. When Start returns nil, all that
// Replay emitted survives a crash. After an error only Found and Close are of
// use, and the next start finds the same batches.
func (j *Journal) Start() error {
	j.mu.Lock()
	defer j.unlock()
	if err := j.startLocked(); err != nil {
		return err
	}
	j.dropUnused = j.options.DropUnused
	j.findReserve()
	return nil
}

func (j *Journal) startLocked() error {
	// A compaction that a crash ended leaves its unfinished file.
	if err := j.disk.Remove(j.real + newFile); denied(err) {
		j.missing("the unfinished file %s of a compaction can't be removed, so none can be made: %w", j.real+newFile, err)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s := j.scan
	if s.line == 0 {
		return j.create()
	}
	j.size = s.end
	if s.torn() > 0 && !s.newline {
		switch err := j.setTornAside(); {
		case durable.Full(err), denied(err): // reads need no second file, so it stays, and the next write marks it
			j.size, j.partialWrite = s.size, true
			j.found.TornStays = err
		case err != nil:
			return err
		default:
			j.found.TornFile = j.path + tornFile
		}
	}
	return j.syncLastBatch()
}

// denied reports whether a call failed because the folder or its file system
// doesn't allow it, or because something else is in the place of the file. A disk
// that fails is another matter.
func denied(err error) bool {
	return err != nil && (durable.Lacks(err) || durable.Denied(err))
}

// Missing is what Start has done without, a sentence each: calls that the file
// system lacks, or the folder doesn't allow, and that only make the file safer.
func (j *Journal) Missing() []string { return j.missed }

// missing remembers what Start has done without.
func (j *Journal) missing(format string, args ...any) {
	j.missed = append(j.missed, fmt.Errorf(format, args...).Error())
}

// syncDir syncs the folder of the file called name. A file system that can't sync
// folders has its own way to keep their names, or none; there is nothing to do
// about it, so that is no error. lacking is what it said then.
func (j *Journal) syncDir(name string) (lacking, err error) {
	err = j.disk.SyncDir(filepath.Dir(name))
	if denied(err) {
		return err, nil
	}
	return nil, err
}

// syncName makes the file's name durable, at a start.
func (j *Journal) syncName() error {
	lacking, err := j.syncDir(j.real)
	if lacking != nil {
		j.missing("the folder %s can't be synced, so after a power cut its files may have lost their names: %w", filepath.Dir(j.real), lacking)
	}
	return err
}

// syncFile syncs the file, at a start.
func (j *Journal) syncFile() error {
	return lacks("sync a file", "a power cut could lose a change that was acknowledged", j.f.Sync())
}

// The names of the files beside a journal end in these.
const (
	newFile  = ".new"  // what a compaction writes
	tornFile = ".torn" // the torn tails that starts have moved aside
)

// create begins the file.
func (j *Journal) create() error {
	line := appendHeader(nil, 0, 0)
	if j.scan.size > 0 {
		if err := j.f.Truncate(0); err != nil {
			return err
		}
	}
	if _, err := j.f.WriteAt(line, 0); err != nil {
		return err
	}
	if err := j.syncFile(); err != nil {
		return err
	}
	j.size = int64(len(line))
	return j.syncName()
}

// syncLastBatch makes the last batch durable, and the file's name. The batch may
// be in the system's memory only, if the process that wrote it was killed before
// its fsync. And after a failed fsync the system may take the batch for written,
// so that the next fsync does nothing. Readers are about to see it, so it is
// written once more, as it is, and synced.
func (j *Journal) syncLastBatch() error {
	s := j.scan
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
	if err := j.syncFile(); err != nil {
		return err
	}
	// The same goes for the file's name: it may have been created, copied or
	// renamed just before a process was killed.
	return j.syncName()
}

// setTornAside moves the torn tail behind what path.torn holds already: it was
// never acknowledged, but a person may want to look at it.
func (j *Journal) setTornAside() error {
	tail := make([]byte, j.scan.torn())
	if _, err := j.f.ReadAt(tail, j.scan.end); err != nil && err != io.EOF {
		return err
	}
	name := j.path + tornFile
	f, err := j.disk.Open(name, false)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = j.disk.Open(name, true)
	}
	if err != nil {
		return err
	}
	end, err := f.Size()
	if err == nil {
		if _, err = f.WriteAt(tail, end); err != nil {
			err = errors.Join(err, f.Truncate(end))
		}
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		_, err = j.syncDir(name)
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

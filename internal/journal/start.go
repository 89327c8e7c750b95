package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"example.com/shelf/internal/durable"
)

// Start prepares the file for the first Append, after the caller has accepted
// what Replay emitted. A torn tail moves to path.torn, or stays if the disk is
// full. When Start returns nil, everything that Replay emitted survives a
// crash. After an error only Found and Close may be called, and the next start
// finds the same batches.
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
	// the unfinished file of a compaction that a crash interrupted
	if err := j.disk.Remove(j.real + newFile); denied(err) {
		j.missing("the unfinished file %s of a compaction can't be removed, so compaction is off: %w", j.real+newFile, err)
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
		case durable.Full(err), denied(err): // reading needs no second file, so the tail stays, and the next write marks it
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

// denied reports whether the folder or its file system doesn't allow a call, or
// another kind of file has the name. It is false for a failing disk.
func denied(err error) bool {
	return err != nil && (durable.Lacks(err) || durable.Denied(err))
}

// Missing lists the safety calls that Start could not make, one sentence each:
// the file system lacks them, or the folder doesn't allow them.
func (j *Journal) Missing() []string { return j.missed }

// missing records a call that Start could not make.
func (j *Journal) missing(format string, args ...any) {
	j.missed = append(j.missed, fmt.Errorf(format, args...).Error())
}

// syncDir syncs the folder of file name. Some file systems can't sync folders,
// and shelf can't change that. syncDir then returns their error as lacking, and
// err is nil.
func (j *Journal) syncDir(name string) (lacking, err error) {
	err = j.disk.SyncDir(filepath.Dir(name))
	if denied(err) {
		return err, nil
	}
	return nil, err
}

// syncName makes the name of the file durable.
func (j *Journal) syncName() error {
	lacking, err := j.syncDir(j.real)
	if lacking != nil {
		j.missing("the folder %s can't be synced, so after a power cut its files may have lost their names: %w", filepath.Dir(j.real), lacking)
	}
	return err
}

// syncFile makes the content of the file durable.
func (j *Journal) syncFile() error {
	return lacks("sync a file", "a power cut could lose a change that was acknowledged", j.f.Sync())
}

// Suffixes of the files beside a journal.
const (
	newFile  = ".new"  // written by a compaction
	tornFile = ".torn" // torn tails that starts have moved
)

// create writes the header of a new file.
func (j *Journal) create() error {
	j.header = header{Version: firstVersion}
	line := j.header.appendTo(nil)
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
	j.begin = j.size
	return j.syncName()
}

// syncLastBatch makes the last batch and the file's name durable, before
// readers see them. After a kill, the batch may be in the system's memory only.
// After a failed fsync, the system may wrongly treat it as written, and the
// next fsync does nothing. syncLastBatch therefore writes the same bytes again
// and syncs them. Of a large batch only the last line is written again: it was
// written once the other lines were on disk.
func (j *Journal) syncLastBatch() error {
	s := j.scan
	from, end := s.last, s.end
	if j.options.large(s.bytes) {
		from = s.closing
	}
	if s.newline {
		end--
	}
	_, err := io.Copy(io.NewOffsetWriter(j.f, from), io.NewSectionReader(j.f, from, end-from))
	if err == nil && s.newline {
		_, err = j.f.WriteAt([]byte("\n"), end)
	}
	if err != nil {
		return err
	}
	if err := j.syncFile(); err != nil {
		return err
	}
	// The file may have been created, copied or renamed just before a process
	// was killed.
	return j.syncName()
}

// setTornAside appends the torn tail to path.torn, and cuts it off the file, which the
// caller syncs. It was never acknowledged, but a person may want to read it.
func (j *Journal) setTornAside() error {
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
		tail := io.NewSectionReader(j.f, j.scan.end, j.scan.torn()) // of an import it may be large
		if _, err = io.Copy(io.NewOffsetWriter(f, end), tail); err != nil {
			err = errors.Join(err, f.Truncate(end))
		}
	}
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		_, err = j.syncDir(name)
	}
	if err == nil {
		err = j.f.Truncate(j.scan.end) // the last step: after an error the tail is still there
	}
	if err != nil {
		return fmt.Errorf("moving a torn tail to %s: %w", name, err)
	}
	return nil
}

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
	// A compaction that a crash ended leaves its unfinished file.
	if err := j.disk.Remove(j.real + newFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s := j.scan
	if s.line == 0 {
		return j.create()
	}
	j.size = s.end
	if s.torn() > 0 && !s.newline {
		switch err := j.setTornAside(); {
		case durable.Full(err): // reads need no room, so it stays, and the next write marks it
			j.size, j.partialWrite = s.size, true
			j.found.TornStays = true
		case err != nil:
			return err
		default:
			j.found.TornFile = j.path + tornFile
		}
	}
	return j.syncLastBatch()
}

// The names of the files beside a journal end in these.
const (
	newFile  = ".new"  // what a compaction writes
	tornFile = ".torn" // the torn tails that starts have moved aside
)

// create begins the file.
func (j *Journal) create() error {
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
	return j.disk.SyncDir(filepath.Dir(j.real))
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
	if err := j.f.Sync(); err != nil {
		return err
	}
	// The same goes for the file's name: it may have been created, copied or
	// renamed just before a process was killed.
	return j.disk.SyncDir(filepath.Dir(j.real))
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
		err = j.disk.SyncDir(filepath.Dir(name))
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

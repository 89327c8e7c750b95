package journal

import (
	"log/slog"

	"example.com/shelf/internal/history"
)

// Tables are what the changes in a journal are about, as *db.DB has them.
type Tables interface {
	// Open applies the changes of a log, and writes to it from then on.
	Open(log history.Log) error
	// Read applies the changes that replay emits, and returns how many those were.
	Read(replay func(emit func([]history.Record) error) error) (lines int, err error)
	// LastSeq is the number of the last change.
	LastSeq() int64
}

// OpenFor opens the file at path for tables, and creates it if there is none. The
// log hears what was odd about the file. OpenFor fails with one clear line; then
// the file is free.
func OpenFor(tables Tables, disk Disk, path string, options Options, log *slog.Logger) error {
	j, err := Open(disk, path, options)
	if err == nil {
		if err = tables.Open(j); err != nil {
			j.Close()
		}
	}
	if err != nil {
		return Explain(path, err)
	}
	j.Warn(log)
	j.Found().FreeMemory()
	return nil
}

// LoadFor reads the file at path into tables that keep to memory. It takes no lock
// and changes nothing, so it works beside a program that writes to the file: it sees
// what was on disk at one moment. It fails with one clear line. After a
// *history.Damage the tables hold what stood before it, and found says how far that
// came.
func LoadFor(tables Tables, path string) (found Found, err error) {
	applied, err := tables.Read(func(emit func([]history.Record) error) (err error) {
		found, err = ReadFile(path, emit)
		return err
	})
	if err != nil {
		err = Explain(path, err)
	}
	if applied < found.Lines { // the scan was ahead of what is wrong
		found.Lines, found.Seq, found.Torn = applied, tables.LastSeq(), 0
	}
	return found, err
}

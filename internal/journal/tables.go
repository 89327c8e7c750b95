package journal

import (
	"log/slog"

	"example.com/shelf/internal/history"
)

// Tables are the tables whose changes a journal holds, such as a *db.DB.
type Tables interface {
	// Open applies the changes of a log, and then writes to it.
	Open(log history.Log) error
	// Read applies the changes that replay emits, and returns their number.
	Read(replay func(emit func([]history.Record) error) error) (lines int, err error)
	// LastSeq is the number of the last change.
	LastSeq() int64
}

// OpenFor opens or creates the file at path for tables. Unusual findings in the
// file are logged. If OpenFor fails, its error is one line for a person, and
// the file is released.
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

// LoadFor reads the file at path into tables in memory. It takes no lock and
// changes nothing, so it works while another program writes to the file; it
// sees the state of one moment. Its error is one line for a person. After a
// *history.Damage the tables hold the changes before the damage, and found
// describes that part. tell is told how much of the file is read.
func LoadFor(tables Tables, path string, tell history.Progress) (found Found, err error) {
	applied, err := tables.Read(func(emit func([]history.Record) error) (err error) {
		found, err = readFile(path, emit, tell)
		return err
	})
	if err != nil {
		err = Explain(path, err)
	}
	if applied < found.Lines { // the scan had read further than the tables accepted
		found.Lines, found.Seq, found.Torn = applied, tables.LastSeq(), 0
	}
	return found, err
}

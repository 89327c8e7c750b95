package operator

import (
	"errors"
	"fmt"
	"io/fs"

	"example.com/shelf/internal/config"
)

// A missing is fs.ErrNotExist in words that say what to do.
type missing struct {
	text string
	err  error
}

func (m *missing) Error() string { return m.text }
func (m *missing) Unwrap() error { return m.err }

// NoDataFile words the error of a command that finds no data file at path. It leaves any
// other error as it is.
func NoDataFile(path string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return &missing{fmt.Sprintf("there is no data file %s%s: shelf makes it at its first start, and -data FILE names another", path, like(path, ".jsonl")), err}
}

// noDocument words the error of a document that is not there, as NoDataFile does.
func noDocument(name string, err error) error {
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return config.Misused(&missing{fmt.Sprintf("there is no file %s%s", name, like(name, ".json")), err})
}

// like names a file that may have been meant.
func like(path, ending string) string {
	if best := config.ClosestFile(path, ending); best != "" {
		return " (did you mean " + best + "?)"
	}
	return ""
}

package main

import (
	"log/slog"
	"os"
	"time"
)

// loadStore reads the data file at path without a lock, so it works beside a
// running server: what it sees is the state at some moment. The file is left as
// it is, a torn tail too, and what is done to the store stays in memory. It
// fails with one clear line; the scan then tells how far it came, if it began.
func loadStore(path string) (*store, *scan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, explainOpen(path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, explainOpen(path, err)
	}
	s := newStore(slog.New(slog.DiscardHandler), time.Now)
	r := newReplay(s)
	found, err := scanJournal(f, info.Size(), r.emit)
	if err = r.finish(err); err != nil {
		return nil, found, explainOpen(path, err)
	}
	return s, found, nil
}

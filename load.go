package main

import (
	"os"

	"log/slog"
	"time"
)

// loadStore reads the data file at path into a store that keeps to memory. It
// takes no lock and changes nothing, so it works beside a server that runs on
// the file: it sees what was on disk at one moment. The scan is what was found,
// also when it fails with a *damage; then the store holds what stood before.
func loadStore(path string) (*store, *scan, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	s := newStore(slog.New(slog.DiscardHandler), time.Now)
	r := newReplay(s)
	found, err := scanJournal(f, info.Size(), r.emit)
	return s, found, r.finish(err)
}

package main

import (
	"log/slog"
	"os"
	"time"
)

// loadStore reads the data file at path into a store that keeps to memory. It
// takes no lock and changes nothing, so it works beside a server that runs on
// the file: it sees what was on disk at one moment. It fails with one clear
// line. After a *damage the store holds what stood before it, and the scan says
// how far that came.
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
		err = explainOpen(path, err)
	}
	return s, found, err
}

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"

	"example.com/shelf/internal/clock"
)

// nameArgument reads the arguments of a command that works on files: its flags,
// and one name at most, in any order. It returns "" for no name.
func nameArgument(flags *flag.FlagSet, usage string, args []string) (name string, err error) {
	flags.SetOutput(io.Discard) // main reports the error, once
	for len(args) > 0 {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return "", err
		} else if err != nil {
			return "", fmt.Errorf("%w (%s)", err, usage)
		}
		if args = flags.Args(); len(args) > 0 {
			if name != "" {
				return "", errors.New(usage)
			}
			name, args = args[0], args[1:]
		}
	}
	return name, nil
}

// fileConfig is the settings for a command on the data file called name, "" for
// the one that the settings name.
func fileConfig(sh shell, name string) (settings, error) {
	c, err := sh.parse(nil)
	if name != "" {
		c.data = name
	}
	if err == nil && c.data == inMemory {
		err = errors.New("-data memory has no file")
	}
	return c, err
}

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
	s := newStore(slog.New(slog.DiscardHandler), clock.Real)
	r := newReplay(s)
	found, err := scanJournal(f, info.Size(), r.emit)
	if err = r.finish(err); err != nil {
		err = explainOpen(path, err)
	}
	if r.err != nil { // the scan was ahead of what is wrong
		found.lines, found.seq, found.end = r.applied, s.seq, found.size
	}
	return s, found, err
}

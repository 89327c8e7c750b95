package serve

import (
	"io"
	"log/slog"
	"sync"

	"example.com/shelf/internal/term"
)

// NewLog returns a log on w. format is text (logfmt), json or [People]; "" is People if w
// is a terminal, else text. what is requests, problems or off; "" is requests if w is a
// terminal, else problems.
// The log must never contain passwords, tokens, keys, Authorization headers or
// query strings.
func NewLog(w io.Writer, what, format string) *slog.Logger {
	level := slog.LevelWarn
	switch {
	case what == "off":
		return slog.New(slog.DiscardHandler)
	case what == "requests", what == "" && term.IsTerminal(w):
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level}
	switch {
	case format == People, format == "" && term.IsTerminal(w):
		return slog.New(&peopleHandler{level: level, lock: new(sync.Mutex), to: w})
	case format == "json":
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

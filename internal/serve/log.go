package serve

import (
	"io"
	"log/slog"

	"example.com/shelf/internal/term"
)

// NewLog is the log on w, as text or, in the format json, as JSON. what is
// requests, problems or off; "" is requests where w is a terminal, else problems.
// What a log must never hold: passwords, tokens, keys, Authorization headers,
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
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

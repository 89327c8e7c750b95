package serve

import (
	"io"
	"log/slog"
	"runtime/debug"

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

// PaceCollector bounds how much garbage may wait to be collected: half of what is
// alive and 16 MB, rather than as much again, which is too much beside a million
// rows, and too little beside a few, where collections would come hundreds a
// second. The 16 MB are half of what it returns, which counts as alive for as
// long as it is kept, but is never touched and so takes up no memory. A GOGC, ""
// for none, is left to rule as package runtime has it.
func PaceCollector(gogc string) (ballast []byte) {
	if gogc == "" {
		debug.SetGCPercent(50)
		ballast = make([]byte, 32<<20)
	}
	return ballast
}

package serve

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
)

// quiet is how long the log says nothing more about a thing that clients can
// repeat as often as they like (CWE-779).
const quiet = time.Minute

// A Seldom is for a line that is written at most once in [quiet].
type Seldom struct {
	mu   sync.Mutex
	last time.Time
	left int // how many were left out since
}

// Due reports whether the line is due, and how many were left out since the last.
func (o *Seldom) Due() (due bool, left int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := clock.Real()
	if !o.last.IsZero() && now.Sub(o.last) < quiet {
		o.left++
		return false, 0
	}
	left, o.last, o.left = o.left, now, 0
	return true, left
}

// An errorLog takes what package net/http has to say. Any scanner can have it
// complain of a TLS handshake, so such lines are sampled.
type errorLog struct {
	log       *slog.Logger
	handshake Seldom
}

func (l *errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	if !strings.Contains(text, "TLS handshake error") {
		l.log.Warn(text)
	} else if due, left := l.handshake.Due(); due {
		l.log.Warn(text, "left_out", left)
	}
	return len(line), nil
}

package serve

import (
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
)

// quiet is the time in which repeated log lines are left out, if clients can
// cause them as often as they like (CWE-779).
const quiet = time.Minute

// A Seldom limits a log line to one per [quiet].
type Seldom struct {
	mu   sync.Mutex
	last time.Time
	left int // lines left out since the last
}

// Due reports whether the line may be written, and how many were left out since
// the last.
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

// An errorLog receives the errors of package net/http. Any scanner can cause
// TLS handshake errors, so these are limited.
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

// A Trail is the log of security events (CWE-778): one line per event, with the
// client's address. Clients can cause some events as often as they like. So at
// most [trailLines] of a kind are written per minute, and the next line says
// how many were left out (CWE-779).
type Trail struct {
	mu    sync.Mutex
	kinds map[string]*kindOfEvent
}

type kindOfEvent struct {
	since      time.Time
	lines, out int
}

const trailLines = 10

// Note writes an event to log. The event is one of a few constant texts. The zero
// client is a command on this machine. attrs are as in [slog.Logger.Warn]. They
// must not contain anything that a client typed, because it may be a password in the wrong field.
func (t *Trail) Note(log *slog.Logger, client netip.Addr, event string, attrs ...any) {
	if out, due := t.due(event, clock.Real()); due {
		from := "local"
		if client.IsValid() {
			from = client.String()
		}
		line := append([]any{"event", event, "client", from}, attrs...)
		if out > 0 {
			line = append(line, "left_out", out)
		}
		log.Warn("security", line...)
	}
}

func (t *Trail) due(event string, now time.Time) (out int, due bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.kinds[event]
	if k == nil {
		if t.kinds == nil {
			t.kinds = map[string]*kindOfEvent{}
		}
		k = new(kindOfEvent)
		t.kinds[event] = k
	}
	if now.Sub(k.since) >= quiet || now.Before(k.since) {
		k.since, k.lines = now, 0
	}
	if k.lines == trailLines {
		k.out++
		return 0, false
	}
	k.lines++
	out, k.out = k.out, 0
	return out, true
}

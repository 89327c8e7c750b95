package serve

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/term"
)

// People is the format of a log that a person reads: a request is one line of at most
// [PeopleWidth] characters.
//
//	07:12:03 GET    /posts/12                            404    1.2ms  Not found
const People = "people"

// PeopleWidth is how many characters wide the line of a request is at most.
const PeopleWidth = 100

// A peopleHandler writes the log for people.
type peopleHandler struct {
	level slog.Level
	attrs []slog.Attr
	lock  *sync.Mutex
	to    io.Writer
}

func (h *peopleHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= h.level }

func (h *peopleHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *h
	more.attrs = append(append([]slog.Attr(nil), h.attrs...), attrs...)
	return &more
}

// WithGroup returns h: nothing here has groups.
func (h *peopleHandler) WithGroup(string) slog.Handler { return h }

// Handle writes a line: the time, a warning or an error by its name, the message, and
// what belongs to it.
func (h *peopleHandler) Handle(_ context.Context, r slog.Record) error {
	var b bytes.Buffer
	b.WriteString(r.Time.Format(time.TimeOnly))
	switch {
	case r.Level >= slog.LevelError:
		b.WriteString(" " + term.Paint(h.to, term.Red, "error:"))
	case r.Level >= slog.LevelWarn:
		b.WriteString(" " + term.Paint(h.to, term.Yellow, "warning:"))
	}
	b.WriteString(" " + term.Printable(r.Message))
	add := func(a slog.Attr) bool {
		text := term.Printable(a.Value.Resolve().String())
		if strings.ContainsAny(text, ` "=`) || text == "" {
			text = fmt.Sprintf("%q", text)
		}
		fmt.Fprintf(&b, " %s=%s", a.Key, text)
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	return h.write(b.Bytes())
}

func (h *peopleHandler) write(line []byte) error {
	h.lock.Lock()
	defer h.lock.Unlock()
	_, err := h.to.Write(append(line, '\n'))
	return err
}

// request writes the line of a request. The query is left out: it may hold a secret.
func (h *peopleHandler) request(began time.Time, r *http.Request, status int, took time.Duration, reason string) {
	path := term.Clip(term.Printable(r.URL.EscapedPath()), 47)
	line := fmt.Sprintf("%s %-6s %-36s ", began.Format(time.TimeOnly), term.Clip(term.Printable(r.Method), 7), path)
	code, rest := fmt.Sprintf("%3d", status), fmt.Sprintf(" %8s", shortly(took))
	if left := PeopleWidth - utf8.RuneCountInString(line+code+rest) - 2; reason != "" && left > 0 {
		rest += "  " + term.Clip(term.Printable(reason), left)
	}
	h.write([]byte(line + term.Paint(h.to, colourOf(status), code) + rest))
}

// colourOf is the colour of a status: that of its class.
func colourOf(status int) term.Colour {
	switch status / 100 {
	case 2:
		return term.Green
	case 3:
		return term.Cyan
	case 4:
		return term.Yellow
	}
	return term.Red
}

// shortly is a duration in at most three digits.
func shortly(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(10 * time.Microsecond).String()
}

// Because notes why the request that w answers is refused, for a log that people read.
func Because(w http.ResponseWriter, reason string) {
	for {
		switch at := w.(type) {
		case *Recorder:
			at.reason = reason
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = at.Unwrap()
		default:
			return
		}
	}
}

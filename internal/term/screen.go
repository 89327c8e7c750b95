package term

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// A Screen is standard error as a person sees it: texts may have colours, and the last
// line may tell how far something is. What is written to a Screen goes above that line.
type Screen struct {
	to       io.Writer
	terminal bool
	plain    bool // no colours by themselves: NO_COLOR is set, or this terminal has none

	mu    sync.Mutex
	style Style
	step  step        // what is told now, the zero value for nothing
	turn  int         // counts the steps
	timer *time.Timer // draws it
	width int         // of the line that is on the terminal now
}

// A Style is how a Screen shows things.
type Style struct {
	Colour string // [Auto], [Always] or [Never]; "" is Auto
	Format string // of the log; with json or text, progress is for a machine too
	Silent bool   // progress isn't told
}

// When there are colours. Auto is on a terminal, unless the environment has NO_COLOR.
const (
	Auto   = "auto"
	Always = "always"
	Never  = "never"
)

// NewScreen returns a Screen on w. env returns a variable of the environment, or "".
func NewScreen(w io.Writer, env func(name string) string) *Screen {
	terminal := IsTerminal(w)
	return &Screen{
		to: w, terminal: terminal,
		plain: env("NO_COLOR") != "" || env("TERM") == "dumb" || !terminal || !showsColours(w), // https://no-color.org
	}
}

// Use sets the style from now on.
func (s *Screen) Use(style Style) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.style = style
}

// Write writes above the line that tells how far something is.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eraseLocked()
	return s.to.Write(p)
}

// A Colour is a colour of a text, as the number of ECMA-48 §8.3.117.
type Colour string

// The colours.
const (
	Red    Colour = "31"
	Green  Colour = "32"
	Yellow Colour = "33"
	Cyan   Colour = "36"
)

// Paint returns text in a colour if it is for a Screen with colours, else text as it is.
func Paint(w io.Writer, c Colour, text string) string {
	s, ok := w.(*Screen)
	if !ok || !s.coloured() {
		return text
	}
	return "\x1b[" + string(c) + "m" + text + "\x1b[0m"
}

func (s *Screen) coloured() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.style.Colour == Always || s.style.Colour != Never && !s.plain
}

// A step is something that may take long.
type step struct {
	what, unit  string
	done, total int64
}

// When a step is told: on a terminal after firstDraw and then every redraw, elsewhere
// every otherLine.
const (
	firstDraw = time.Second
	redraw    = 200 * time.Millisecond
	otherLine = 10 * time.Second
)

// Tell says how much of a step is done. what is what is being done, such as "reading
// shelf.jsonl", and unit what done and total count, such as "bytes" or "rows". A step
// ends when all of it is done, or when another one begins. A call costs about as much as
// a lock, so it is for a batch of rows, not for each row. A nil Screen tells nothing.
//
// A step of less than a second is never seen. On a terminal a longer one has a line that
// changes. Elsewhere there is a line every ten seconds.
func (s *Screen) Tell(what string, done, total int64, unit string) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	begins := s.step.what == ""
	switch {
	case s.style.Silent:
	case done < total:
		s.step = step{what, unit, done, total}
		if begins {
			s.turn++
			first := otherLine
			if s.changesLocked() {
				first = firstDraw
			}
			s.drawAfterLocked(first)
		}
	case s.step.what == what:
		s.step = step{}
		s.timer.Stop()
		s.eraseLocked()
	}
}

// changesLocked reports whether one line changes, rather than that there are several.
func (s *Screen) changesLocked() bool {
	return s.terminal && s.style.Format != "json" && s.style.Format != "text"
}

func (s *Screen) drawAfterLocked(pause time.Duration) {
	turn := s.turn
	s.timer = time.AfterFunc(pause, func() { s.draw(turn) })
}

// draw shows the step of that turn, and comes again.
func (s *Screen) draw(turn int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.step
	if now.what == "" || turn != s.turn {
		return // it has ended meanwhile
	}
	pause := otherLine
	switch {
	case s.changesLocked():
		s.eraseLocked()
		line := Clip("shelf: "+now.String(), Width)
		s.width = utf8.RuneCountInString(line)
		io.WriteString(s.to, line)
		pause = redraw
	case s.style.Format == "json":
		now.log(slog.NewJSONHandler(s.to, nil))
	case s.style.Format == "text":
		now.log(slog.NewTextHandler(s.to, nil))
	default:
		fmt.Fprintf(s.to, "shelf: %s\n", now)
	}
	s.drawAfterLocked(pause)
}

// log writes the step for a machine.
func (t step) log(h slog.Handler) {
	slog.New(h).Info("progress", "what", t.what, "done", t.done, "total", t.total, "unit", t.unit)
}

// eraseLocked removes the line from the terminal. It does without the codes of a
// terminal, which a console of Windows may not know.
func (s *Screen) eraseLocked() {
	if s.width > 0 {
		fmt.Fprintf(s.to, "\r%s\r", strings.Repeat(" ", s.width))
		s.width = 0
	}
}

// String is the step in words: "reading shelf.jsonl: 34% (120 of 353 MB)".
func (t step) String() string {
	done, total, unit := t.done, t.total, t.unit
	if unit == "bytes" {
		done, total, unit = done>>20, total>>20, "MiB"
	}
	return fmt.Sprintf("%s: %d%% (%d of %d %s)", Printable(t.what), 100*t.done/t.total, done, total, unit)
}

package term_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/term"
)

// Colours are for a terminal, unless the owner or the environment says otherwise.
func TestPaint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		terminal bool
		colour   string
		env      map[string]string
		want     bool
	}{
		{terminal: true, want: true},
		{terminal: true, colour: term.Auto, want: true},
		{terminal: true, colour: term.Never},
		{terminal: true, env: map[string]string{"NO_COLOR": "1"}},
		{terminal: true, env: map[string]string{"NO_COLOR": ""}, want: true},
		{terminal: true, env: map[string]string{"TERM": "dumb"}},
		{terminal: true, colour: term.Always, env: map[string]string{"NO_COLOR": "1"}, want: true},
		{terminal: false},
		{terminal: false, colour: term.Always, want: true},
	} {
		var out bytes.Buffer
		s := term.NewTerminal(&out, tt.env)
		if !tt.terminal {
			s = term.NewScreen(&out, func(name string) string { return tt.env[name] })
		}
		s.Use(term.Style{Colour: tt.colour})
		want := "no"
		if tt.want {
			want = "\x1b[31mno\x1b[0m"
		}
		if got := term.Paint(s, term.Red, "no"); got != want {
			t.Errorf("%+v: Paint = %q; want %q", tt, got, want)
		}
	}
	if got := term.Paint(&bytes.Buffer{}, term.Red, "no"); got != "no" {
		t.Errorf("Paint for another writer = %q; want it plain", got)
	}
}

// What takes a second has a line that changes, on a terminal. Elsewhere there is a line
// every ten seconds.
func TestTell(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		terminal bool
		style    term.Style
		lasts    time.Duration
		want     string
	}{
		{"on a terminal, half a second", true, term.Style{}, time.Second / 2, ""},
		{"on a terminal, a second and a half", true, term.Style{}, time.Second * 3 / 2,
			"shelf: reading x: 9% (100 of 1001 rows)\r" + strings.Repeat(" ", 39) + "\r" +
				"shelf: reading x: 11% (120 of 1001 rows)\r" + strings.Repeat(" ", 40) + "\r" +
				"shelf: reading x: 13% (140 of 1001 rows)\r" + strings.Repeat(" ", 40) + "\r"},
		{"in a pipe, nine seconds", false, term.Style{}, 9 * time.Second, ""},
		{"in a pipe, twenty-five seconds", false, term.Style{}, 25 * time.Second,
			"shelf: reading x: 99% (1000 of 1001 rows)\nshelf: reading x: 99% (1000 of 1001 rows)\n"},
		{"off", true, term.Style{Silent: true}, 25 * time.Second, ""},
		{"as JSON, on a terminal too", true, term.Style{Format: "json"}, 11 * time.Second,
			`{"time":"2000-01-01T00:00:10Z","level":"INFO","msg":"progress","what":"reading x","done":1000,"total":1001,"unit":"rows"}` + "\n"},
		{"as logfmt", true, term.Style{Format: "text"}, 11 * time.Second,
			"time=2000-01-01T00:00:10.000Z level=INFO msg=progress what=\"reading x\" done=1000 total=1001 unit=rows\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				s := term.NewTerminal(&out, nil)
				if !tt.terminal {
					s = term.NewScreen(&out, func(string) string { return "" })
				}
				s.Use(tt.style)
				total := int64(1001)
				s.Tell("reading x", 0, total, "rows")
				<-time.After(5 * time.Millisecond)
				for n := range int64(tt.lasts / (10 * time.Millisecond)) {
					s.Tell("reading x", min(1000, n+1), total, "rows")
					<-time.After(10 * time.Millisecond)
				}
				s.Tell("reading x", total, total, "rows")
				<-time.After(time.Minute) // nothing comes after the end
				synctest.Wait()
				if got := out.String(); got != tt.want {
					t.Errorf("it says\n%q\nwant\n%q", got, tt.want)
				}
			})
		})
	}
}

// What is written meanwhile stands above the line.
func TestTellAndWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		s := term.NewTerminal(&out, nil)
		s.Tell("copying", 1<<20, 4<<20, "bytes")
		<-time.After(1100 * time.Millisecond)
		fmt.Fprintln(s, "a warning")
		<-time.After(200 * time.Millisecond)
		s.Tell("copying", 0, 0, "bytes") // it has failed
		line := "shelf: copying: 25% (1 of 4 MiB)"
		blank := "\r" + strings.Repeat(" ", len(line)) + "\r"
		if want := line + blank + "a warning\n" + line + blank; out.String() != want {
			t.Errorf("the terminal got %q; want %q", out.String(), want)
		}
	})
}

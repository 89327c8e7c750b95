package serve_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/term"
)

// The log for people says what was asked, what came of it, and why it was refused, in
// 100 columns. A query stays out of it.
func TestLogForPeople(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		target string
		status int
		reason string
		want   string // a pattern of the line
	}{
		{"/posts/1?token=hush", 200, "", `^\d\d:\d\d:\d\d GET    /posts/1 +200 +[\d.]+[µm]?s$`},
		{"/posts/9", 404, "Not found", `^\d\d:\d\d:\d\d GET    /posts/9 +404 +[\d.]+[µm]?s  Not found$`},
		{"/a%0ab", 400, "no\nline\x1b[31m", `GET    /a%0ab .*  no\\u000aline\\u001b\[31m$`},
		{"/" + strings.Repeat("long", 30), 400, strings.Repeat("a reason that has no end ", 10), `GET    /long.*… 400 .*  a reason that .*…$`},
	} {
		var out strings.Builder
		log := serve.NewLog(&out, "requests", serve.People)
		w := serve.Begin(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, tt.target, nil), log)
		if tt.reason != "" {
			serve.Because(w, tt.reason)
		}
		w.WriteHeader(tt.status)
		w.End(func(string, int, time.Duration) {})
		line := strings.TrimSuffix(out.String(), "\n")
		if !regexp.MustCompile(tt.want).MatchString(line) || utf8.RuneCountInString(line) > serve.PeopleWidth || strings.Contains(line, "hush") {
			t.Errorf("%s is logged as\n%s\nwant %s", tt.target, line, tt.want)
		}
	}
	for status, want := range map[int]term.Colour{200: term.Green, 304: term.Cyan, 404: term.Yellow, 500: term.Red} {
		var out strings.Builder
		screen := term.NewScreen(&out, func(string) string { return "" })
		screen.Use(term.Style{Colour: term.Always})
		w := serve.Begin(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/posts", nil), serve.NewLog(screen, "requests", serve.People))
		w.WriteHeader(status)
		w.End(func(string, int, time.Duration) {})
		if !strings.Contains(out.String(), " "+term.Paint(screen, want, fmt.Sprint(status))+" ") {
			t.Errorf("a status %d is logged as %q", status, out.String())
		}
		out.Reset()
		serve.NewLog(screen, "requests", "json").Warn("a warning")
		if strings.Contains(out.String(), "\\u001b") || strings.Contains(out.String(), "\x1b") {
			t.Errorf("JSON has colours: %s", out.String())
		}
	}
	var out strings.Builder
	log := serve.NewLog(&out, "problems", serve.People)
	log.Info("nothing")
	log.With("user", 7).Warn("sign-in failed", slog.String("why", `a "word"`))
	if got := out.String()[9:]; got != "warning: sign-in failed user=7 why=\"a \\\"word\\\"\"\n" {
		t.Errorf("a warning is logged as %q", got)
	}
}

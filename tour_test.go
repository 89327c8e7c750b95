package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The tour leads nowhere that isn't there, in the order in which a request goes.
func TestTour(t *testing.T) {
	t.Parallel()
	printed, err := runArgs(t, "tour")
	if err != nil {
		t.Fatal(err)
	}
	functions := functionsOf(t)
	for _, s := range tour {
		for function := range strings.SplitSeq(s.functions, "\n") {
			if !slices.Contains(functions, function) {
				t.Errorf("%s: there is no %s", s.heading, function)
			}
			wantText(t, printed, "     "+function+"\n")
		}
		if n := len(regexp.MustCompile(`[.?] [A-Z"s]|\.$`).FindAllString(s.why, -1)); n < 2 || n > 3 {
			t.Errorf("%s: %d sentences; want two or three", s.heading, n)
		}
		if want := address(s.source); s.url != want {
			t.Errorf("%s: %s is read at %s, not at %s", s.heading, s.source, want, s.url)
		}
		wantText(t, printed, ". "+s.heading+"\n", "\n   "+s.source+"\n   "+s.url+"\n")
	}
	for line := range strings.Lines(printed) {
		if !strings.HasPrefix(line, "   https://") { // which must stay whole
			wantNarrow(t, line)
		}
	}
	rest := printed
	for _, heading := range []string{"Sign-up", "The hash", "The token", "The middleware", "The item", "The journal"} {
		var found bool
		if _, rest, found = strings.Cut(rest, ". "+heading+"\n"); !found {
			t.Errorf("%q is not there, or too early", heading)
		}
	}
}

func TestTourUsage(t *testing.T) {
	t.Parallel()
	if printed, err := runArgs(t, "tour", "-fast"); printed != "" || errorText(err) != "usage: shelf tour" {
		t.Errorf("shelf tour -fast = %q, %v; want its usage", printed, err)
	}
}

package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// runArgs runs a command as main would, in a folder of its own.
func runArgs(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var out strings.Builder
	none := func(string) (string, bool) { return "", false }
	err = run(context.Background(), args, none, strings.NewReader(""), &out, io.Discard)
	return out.String(), err
}

// The usage text names every command with its example, every flag with its
// variable and default, and fits a terminal.
func TestUsage(t *testing.T) {
	t.Parallel()
	wanted := []string{"SECRET_KEY ", "SECRET_KEY_FALLBACKS", "PORT", "Exit status"}
	for _, c := range commands() {
		wanted = append(wanted, "  "+c.usage(), " $ shelf "+c.example+"\n")
	}
	table := new(settings).table()
	for _, s := range table.Settings {
		wanted = append(wanted, "  -"+s.Name+" ", table.Variable(s.Name), s.Default)
	}
	for _, args := range []string{"-h", "-help", "--help", "help", "-log off -h"} {
		usage, err := runArgs(t, strings.Fields(args)...)
		if err != nil && !errors.Is(err, flag.ErrHelp) {
			t.Errorf("shelf %s: %v", args, err)
		}
		wantText(t, usage, wanted...)
		wantNarrow(t, usage)
	}
}

// wantNarrow checks that a text fits a terminal of 80 columns.
func wantNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if len(line) > 81 {
			t.Errorf("wider than a terminal of 80 columns: %s", line)
		}
	}
}

// Each command has its own help, in every spelling, and does nothing else then.
func TestCommandHelp(t *testing.T) {
	t.Parallel()
	for _, c := range commands()[1:] {
		first, _, _ := strings.Cut(c.name, " ")
		spellings := [][]string{{"help", first}, {first, "-h"}, {first, "-help"}, {first, "--help"}}
		if first != c.name {
			spellings = append(spellings, append(strings.Fields(c.name), "-h"))
		}
		for _, args := range spellings {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				usage, err := runArgs(t, args...)
				if err != nil && !errors.Is(err, flag.ErrHelp) {
					t.Fatalf("%v; want the usage", err)
				}
				wantText(t, usage, "  shelf "+c.name, "$ shelf "+c.example+"\n")
				if other := "shelf check"; first != "check" {
					rejectText(t, usage, other)
				}
				wantNarrow(t, usage)
			})
		}
	}
}

// What can't be understood is told in one line.
func TestCommandUnknown(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"serve":          `unknown command "serve" (shelf help lists the commands)`,
		"help serve":     `unknown command "serve" (shelf help lists the commands)`,
		"Check":          `unknown command "Check" (shelf help lists the commands)`,
		"-serve":         "flag provided but not defined: -serve (shelf -h lists the flags)",
		"check -serve":   "flag provided but not defined: -serve (usage: shelf check [FILE])",
		"key -serve":     "usage: shelf key rotate [-now] [-data FILE] [-alg ALG], or shelf key list [-data FILE]",
		"version -serve": "usage: shelf version",
	} {
		stdout, err := runArgs(t, strings.Fields(args)...)
		if err == nil || err.Error() != want || stdout != "" {
			t.Errorf("shelf %s = %q, %v; want %s", args, stdout, err, want)
		}
	}
}

// Where a line of the table repeats a name, only the first could ever run.
func TestCommandNames(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range commands() {
		if c.help == "" || c.example == "" || c.run == nil || slices.Contains(names, c.name) {
			t.Errorf("%q: want one line with a purpose and an example", c.name)
		}
		names = append(names, c.name)
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"version", "-version", "--version"} {
		got, err := runArgs(t, arg)
		if err != nil || !strings.HasPrefix(got, "shelf "+thisBuild().version+"\n") {
			t.Errorf("shelf %s = %q, %v", arg, got, err)
		}
		wantText(t, got, runtime.Version(), runtime.GOOS+"/"+runtime.GOARCH, "commit")
	}
}

func TestBuildPrint(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		build build
		want  string
	}{
		{"of a commit", build{version: "v1.2.0", commit: "abc", time: "2026-11-23T00:00:00Z", goes: "go1.26", system: "linux/arm64"},
			"shelf v1.2.0\n  commit  abc of 2026-11-23T00:00:00Z\n  go      go1.26\n  system  linux/arm64\n"},
		{"of a commit and more", build{version: "v1.2.0", commit: "abc", time: "2026-11-23T00:00:00Z", modified: true, goes: "go1.26", system: "linux/arm64"},
			"shelf v1.2.0\n  commit  abc of 2026-11-23T00:00:00Z, modified\n  go      go1.26\n  system  linux/arm64\n"},
		{"outside of a checkout", build{version: "(devel)", goes: "go1.26", system: "linux/arm64"},
			"shelf (devel)\n  commit  unknown\n  go      go1.26\n  system  linux/arm64\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			tt.build.print(&got)
			if got.String() != tt.want {
				t.Errorf("got %q, want %q", got.String(), tt.want)
			}
		})
	}
}

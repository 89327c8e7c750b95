package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
)

// checkCommand is the command shelf check.
func checkCommand(_ context.Context, sh shell, args []string) error {
	name, err := nameArgument(flag.NewFlagSet("check", flag.ContinueOnError), "usage: shelf check [FILE]", args)
	if errors.Is(err, flag.ErrHelp) {
		return err
	}
	var c settings
	if err == nil {
		c, err = fileConfig(sh, name)
	}
	if err != nil {
		return &statusError{2, err}
	}
	return checkFile(c.data, sh.stdout)
}

// checkFile reports on the data file at path and changes nothing. Exit status 0:
// sound; 1: damaged; 2: not readable, or no data file of ours.
func checkFile(path string, stdout io.Writer) error {
	s, found, err := loadStore(path)
	var d *damage
	if err != nil && !errors.As(err, &d) {
		return &statusError{2, err}
	}
	verdict := "sound"
	if d != nil {
		verdict = fmt.Sprintf("damaged at line %d: %s", d.line, d.what)
	}
	users, items, books := s.counts()
	tokens := s.tokens.rows.len()
	alive := users + tokens + items + books
	fmt.Fprintf(stdout, "%s: %s\n", path, verdict)
	fmt.Fprintf(stdout, "  format     %d\n", found.Version)
	fmt.Fprintf(stdout, "  size       %d bytes\n", found.size)
	fmt.Fprintf(stdout, "  changes    %d, up to seq %d\n", found.lines, found.seq)
	if found.Snapshot > 0 {
		fmt.Fprintf(stdout, "  compacted  at seq %d\n", found.Snapshot)
	}
	fmt.Fprintf(stdout, "  alive      %s, %s, %s, %s\n", count(users, "user"), count(tokens, "token"), count(items, "item"), count(books, "book"))
	fmt.Fprintf(stdout, "  history    %d%% of the changes\n", percent(found.lines-alive, found.lines))
	fmt.Fprintf(stdout, "  refused    %s, passed over\n", count(found.refused, "failed write"))
	if d != nil {
		if n := found.torn(); n > 0 {
			fmt.Fprintf(stdout, "  behind     %d bytes follow the last good batch\n", n)
		}
		return &statusError{1, errors.New("nothing was changed; the counts are of what stands before the damage")}
	}
	if n := found.torn(); n > 0 {
		fmt.Fprintf(stdout, "  torn tail  %d bytes, never acknowledged: the next start moves them aside\n", n)
	}
	return nil
}

func percent(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return max(0, part) * 100 / whole
}

// count is n things in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

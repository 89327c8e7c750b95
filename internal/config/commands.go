package config

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/shelf/internal/term"
)

// A Command is one row of a program's table of commands. S holds what a command
// needs: its streams, the clock, the settings.
type Command[S any] struct {
	Name    string // one word, or two if several commands share the first; "": the program without a command
	Args    string // in the usage, after the name
	Help    string // purpose; lines of at most 53 bytes
	Example string // an example, without the program's name
	Run     func(ctx context.Context, around S, args []string) error
}

// Do returns a command, as a row of a table.
func Do[S any](name, args, help, example string, run func(ctx context.Context, around S, args []string) error) Command[S] {
	return Command[S]{Name: name, Args: args, Help: help, Example: example, Run: run}
}

// Commands is a program's table of commands. Commands with the same first word
// have the same Run, which gets the second word as its first argument.
type Commands[S any] struct {
	Program string
	Intro   string // first line of the help
	All     []Command[S]
	Table   Table  // the flags
	Notes   string // at the end of the full help

	Everyday, Flags []string          // the commands and flags that the short help begins with
	Synonyms        map[string]string // words that people may try, and the command for each; "": the program without a command

	// The program without a command may take files. File reports whether an argument
	// is a file.
	File func(argument string) (is bool, err error)
}

// Run runs the command that args name. If args ask for help, Run prints it to w
// and returns flag.ErrHelp.
func (t Commands[S]) Run(ctx context.Context, around S, w io.Writer, args []string) error {
	name := "" // without a command, all arguments are flags
	switch {
	case len(args) == 0:
	case args[0] == "-version" || args[0] == "--version":
		name, args = "version", args[1:]
	default:
		_, rest := t.Table.Split(args)
		if len(rest) == 0 {
			break
		}
		_, unknown := t.named(rest[0])
		isFile, err := t.File(rest[0])
		switch {
		case unknown != nil && err != nil:
			return Failed(statusUsage, err)
		case unknown != nil && !isFile:
			return Failed(statusUsage, unknown)
		case unknown == nil && rest[0] != args[0]:
			return Failed(statusUsage, fmt.Errorf("the command comes first: %s %s [flags]", t.Program, rest[0]))
		case unknown == nil:
			name, args = rest[0], args[1:]
		}
	}
	found, err := t.named(name)
	if err != nil {
		return Misused(err)
	}
	if err := t.checkSecond(found, args); err != nil {
		return err
	}
	err = found[0].Run(ctx, around, args)
	if errors.Is(err, flag.ErrHelp) {
		t.print(w, found)
	}
	return err
}

// checkSecond fails if found are commands of two words, and the first of args is the
// second word of none of them.
func (t Commands[S]) checkSecond(found []Command[S], args []string) error {
	if len(found) < 2 || len(args) == 0 || strings.HasPrefix(args[0], "-") {
		return nil
	}
	var seconds []string
	for _, c := range found {
		_, second, _ := strings.Cut(c.Name, " ")
		seconds = append(seconds, second)
	}
	first, _, _ := strings.Cut(found[0].Name, " ")
	if slices.Contains(seconds, args[0]) {
		return nil
	}
	hint := fmt.Sprintf(": want %s %s %s", t.Program, first, strings.Join(seconds, ", "))
	if best := Closest(args[0], seconds); best != "" {
		hint = fmt.Sprintf(": did you mean %s %s %s?", t.Program, first, best)
	}
	return Misused(fmt.Errorf("unknown command %q%s (%s help %s says more)", first+" "+args[0], hint, t.Program, first))
}

// named returns the commands whose first word is name, or an error if there are
// none.
func (t Commands[S]) named(name string) (found []Command[S], err error) {
	for _, c := range t.All {
		if first, _, _ := strings.Cut(c.Name, " "); first == name {
			found = append(found, c)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("unknown command %q%s (%s help lists the commands)", name, t.suggestion(name), t.Program)
	}
	return found, nil
}

// statusUsage is the exit status for a wrong command line.
const statusUsage = 2

// WantsHelp reports whether args begin with a request for help.
func WantsHelp(args []string) bool {
	return len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help")
}

// Plain returns a Run that calls f and accepts no arguments. Its error for
// arguments is usage.
func Plain[S any](usage string, f func(around S)) func(context.Context, S, []string) error {
	return func(_ context.Context, around S, args []string) error {
		switch {
		case WantsHelp(args):
			return flag.ErrHelp
		case len(args) > 0:
			return Misused(errors.New(usage))
		}
		f(around)
		return nil
	}
}

// FileArgument reads the arguments of a command that works on a file: flags and
// at most one name, in any order. It returns "" if there is no name.
func FileArgument(flags *flag.FlagSet, usage string, args []string) (name string, err error) {
	flags.SetOutput(io.Discard) // the caller prints the error
	for len(args) > 0 {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return "", err
		} else if err != nil {
			var names []string
			flags.VisitAll(func(f *flag.Flag) { names = append(names, f.Name) })
			return "", flagFault(err, flags.Name(), names, func(string) string { return "VALUE" }, usage)
		}
		if args = flags.Args(); len(args) > 0 {
			if name != "" {
				return "", Misused(errors.New(usage))
			}
			name, args = args[0], args[1:]
		}
	}
	return name, nil
}

// A Status is an error with an exit status for the program.
type Status struct {
	Code int
	Err  error // nil: print nothing
}

// Failed returns a Status.
func Failed(code int, err error) error { return &Status{code, err} }

// Misused returns a Status for a wrong command line or setting, nil if err is nil.
func Misused(err error) error {
	if err == nil {
		return nil
	}
	return Failed(statusUsage, err)
}

func (s *Status) Error() string {
	if s.Err == nil {
		return fmt.Sprintf("exit status %d", s.Code)
	}
	return s.Err.Error()
}

func (s *Status) Unwrap() error { return s.Err }

// ExitStatus returns the exit status of a program that ends with err, and
// prints err to stderr. It prints nothing for a request for help, or for a
// [Status] without an error.
func ExitStatus(program string, err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	status, special := errors.AsType[*Status](err)
	if !special || status.Err != nil {
		fmt.Fprintf(stderr, "%s %v\n", term.Paint(stderr, term.Red, program+":"), plain(err))
	}
	if special {
		return status.Code
	}
	return 1
}

// TakeFlag removes the flag name, which takes no value, from args.
func TakeFlag(args []string, name string) (rest []string, given bool) {
	rest = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "-"+name || arg == "--"+name })
	return rest, len(rest) < len(args)
}

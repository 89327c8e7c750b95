package config

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A Command is one line of a program's table of commands. S is what a command
// finds around it: its streams, the time, the settings.
type Command[S any] struct {
	Name    string // one word, or two where a first word has several commands; "" is the program without one
	Args    string // what the usage shows behind the name
	Help    string // what it does; lines of at most 53 bytes
	Example string // what follows the program's name, as one would type it
	Run     func(ctx context.Context, around S, args []string) error
}

// Do makes a command, as a line of a table.
func Do[S any](name, args, help, example string, run func(ctx context.Context, around S, args []string) error) Command[S] {
	return Command[S]{Name: name, Args: args, Help: help, Example: example, Run: run}
}

// Commands is a program's table. Those with the same first word share a Run,
// which gets the second word as its first argument.
type Commands[S any] struct {
	Program string
	Intro   string // the first line of the help
	All     []Command[S]
	Flags   func(w io.Writer) // prints the flags, the last part of the help
}

// Run runs the command that args begin with. Where a person asks for help with
// it, the help goes to w, and the error is flag.ErrHelp.
func (t Commands[S]) Run(ctx context.Context, around S, w io.Writer, args []string) error {
	name := "" // the program without a command, whose arguments are flags
	switch {
	case len(args) == 0:
	case args[0] == "-version" || args[0] == "--version":
		name, args = "version", args[1:]
	case !strings.HasPrefix(args[0], "-"):
		name, args = args[0], args[1:]
	}
	found, err := t.named(name)
	if err != nil {
		return err
	}
	err = found[0].Run(ctx, around, args)
	if errors.Is(err, flag.ErrHelp) {
		t.print(w, found)
	}
	return err
}

// Help prints what -h shows behind a command's name; behind none it is
// everything. Of two words the first says it all.
func (t Commands[S]) Help(w io.Writer, names []string) error {
	if WantsHelp(names) {
		return flag.ErrHelp
	}
	name := ""
	if len(names) > 0 {
		name = names[0]
	}
	found, err := t.named(name)
	if err != nil {
		return err
	}
	t.print(w, found)
	return nil
}

// named are the commands whose first word is name: at least one, or an error.
func (t Commands[S]) named(name string) (found []Command[S], err error) {
	for _, c := range t.All {
		if first, _, _ := strings.Cut(c.Name, " "); first == name {
			found = append(found, c)
		}
	}
	if found == nil {
		return nil, fmt.Errorf("unknown command %q (%s help lists the commands)", name, t.Program)
	}
	return found, nil
}

// print writes what -h shows behind a command's first word.
func (t Commands[S]) print(w io.Writer, found []Command[S]) {
	if found[0].Name == "" {
		fmt.Fprint(w, t.Intro, "\n\n")
		t.printUsage(w, t.All)
		t.Flags(w)
		return
	}
	t.printUsage(w, found)
	if slices.ContainsFunc(found, func(c Command[S]) bool { return strings.Contains(c.Args, "[flags]") }) {
		fmt.Fprintf(w, "\nThe flags are those of the server, where they make sense: %s -h lists them.\n", t.Program)
	}
}

// Usage is what one types for c, in the usage's way of writing.
func (t Commands[S]) Usage(c Command[S]) string {
	return strings.Join(strings.Fields(t.Program+" "+c.Name+" "+c.Args), " ")
}

// printUsage writes the usage, the purpose and the example of each command.
func (t Commands[S]) printUsage(w io.Writer, all []Command[S]) {
	for _, c := range all {
		usage := t.Usage(c)
		lines := append(strings.Split(c.Help, "\n"), "$ "+t.Program+" "+c.Example)
		if len(usage) <= 24 {
			fmt.Fprintf(w, "  %-24s %s\n", usage, lines[0])
			lines = lines[1:]
		} else {
			fmt.Fprintf(w, "  %s\n", usage)
		}
		for _, line := range lines {
			fmt.Fprintf(w, "  %-24s %s\n", "", line)
		}
	}
}

// WantsHelp reports whether args begin with a request for help.
func WantsHelp(args []string) bool {
	return len(args) > 0 && (args[0] == "-h" || args[0] == "-help" || args[0] == "--help")
}

// Plain makes a command of f that takes no arguments. Where there are some, it
// fails with usage.
func Plain[S any](usage string, f func(around S)) func(context.Context, S, []string) error {
	return func(_ context.Context, around S, args []string) error {
		switch {
		case WantsHelp(args):
			return flag.ErrHelp
		case len(args) > 0:
			return errors.New(usage)
		}
		f(around)
		return nil
	}
}

// FileArgument reads the arguments of a command that works on a file: its flags,
// and one name at most, in any order. It returns "" for no name.
func FileArgument(flags *flag.FlagSet, usage string, args []string) (name string, err error) {
	flags.SetOutput(io.Discard) // the caller reports the error, once
	for len(args) > 0 {
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return "", err
		} else if err != nil {
			return "", fmt.Errorf("%w (%s)", err, usage)
		}
		if args = flags.Args(); len(args) > 0 {
			if name != "" {
				return "", errors.New(usage)
			}
			name, args = args[0], args[1:]
		}
	}
	return name, nil
}

// A Status is an error that ends the program with an exit status of its own.
type Status struct {
	Code int
	Err  error // nil: without a word
}

// Failed is a Status.
func Failed(code int, err error) error { return &Status{code, err} }

func (s *Status) Error() string {
	if s.Err == nil {
		return fmt.Sprintf("exit status %d", s.Code)
	}
	return s.Err.Error()
}

func (s *Status) Unwrap() error { return s.Err }

// ExitStatus is the exit status of a program that ends with err. It says on stderr
// what went wrong, unless help was asked for, or the error is a [Status] without a
// word.
func ExitStatus(program string, err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	status, special := errors.AsType[*Status](err)
	if !special || status.Err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
	}
	if special {
		return status.Code
	}
	return 1
}

// TakeFlag takes the flag of that name, which has no value, out of args.
func TakeFlag(args []string, name string) (rest []string, given bool) {
	rest = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "-"+name || arg == "--"+name })
	return rest, len(rest) < len(args)
}

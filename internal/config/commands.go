package config

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
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
	Flags   func(w io.Writer) // prints the flags, at the end of the help

	// The program without a command may take files. Split separates its flags
	// from the rest; see [Table.Split]. File reports whether an argument is a
	// file.
	Split func(args []string) (flags, rest []string)
	File  func(argument string) (is bool, err error)
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
		_, rest := t.Split(args)
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
		return err
	}
	err = found[0].Run(ctx, around, args)
	if errors.Is(err, flag.ErrHelp) {
		t.print(w, found)
	}
	return err
}

// Help prints the help of the command that names begin with, or of all
// commands.
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

// suggestion returns a hint at the command that a person may have meant.
func (t Commands[S]) suggestion(name string) string {
	if _, err := os.Stat(name + ".json"); err == nil && t.File != nil {
		return fmt.Sprintf(": did you mean the file? %s %s.json", t.Program, name)
	}
	best, least := "", 3 // three differences or more: another word
	for _, c := range t.All {
		first, _, _ := strings.Cut(c.Name, " ")
		if n := editDistance(strings.ToLower(name), first); first != "" && n < least && n < len(first)-1 {
			best, least = first, n
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s %s?", t.Program, best)
}

// editDistance is the number of letters to add, remove or replace to turn one
// word into the other (Levenshtein distance).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal, row[j+1] = row[j+1], min(row[j]+1, row[j+1]+1, replaced)
		}
	}
	return row[len(b)]
}

// print writes the help of the commands in found.
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

// Usage returns the usage line of c.
func (t Commands[S]) Usage(c Command[S]) string {
	return strings.Join(strings.Fields(t.Program+" "+c.Name+" "+c.Args), " ")
}

// printUsage writes the usage, purpose and example of each command.
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

// Plain returns a Run that calls f and accepts no arguments. Its error for
// arguments is usage.
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

// FileArgument reads the arguments of a command that works on a file: flags and
// at most one name, in any order. It returns "" if there is no name.
func FileArgument(flags *flag.FlagSet, usage string, args []string) (name string, err error) {
	flags.SetOutput(io.Discard) // the caller prints the error
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

// SplitCommand takes apart the arguments of a command that runs another one: flags,
// "--", then that command with its arguments. It fails with flag.ErrHelp, or with usage
// as the text of a [Status].
func SplitCommand(usage string, args []string) (flags, command []string, err error) {
	if WantsHelp(args) {
		return nil, nil, flag.ErrHelp
	}
	at := slices.Index(args, "--")
	if at < 0 || at == len(args)-1 {
		return nil, nil, Misused(errors.New(usage))
	}
	return args[:at], args[at+1:], nil
}

// A Status is an error with an exit status for the program.
type Status struct {
	Code int
	Err  error // nil: print nothing
}

// Failed returns a Status.
func Failed(code int, err error) error { return &Status{code, err} }

// Misused returns a Status for a wrong command line.
func Misused(err error) error { return Failed(statusUsage, err) }

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
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
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

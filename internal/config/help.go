package config

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/shelf/internal/term"
)

// Help prints the help that names ask for: of the commands that begin with them, of a
// flag, of everything for "all". Without names it prints the short help.
func (t Commands[S]) Help(w io.Writer, names []string) error {
	switch {
	case WantsHelp(names):
		return flag.ErrHelp
	case len(names) == 0:
		t.printShort(w)
		return nil
	case names[0] == "all":
		t.printAll(w)
		return nil
	case strings.HasPrefix(names[0], "-"):
		s, err := t.Table.find(strings.TrimLeft(names[0], "-"))
		if err == nil {
			t.Table.printSetting(w, s)
		}
		return err
	}
	found, err := t.named(names[0])
	if err != nil {
		return Misused(err)
	}
	if len(names) > 1 {
		name := strings.Join(names, " ")
		one := slices.DeleteFunc(slices.Clone(found), func(c Command[S]) bool { return c.Name != name })
		if len(one) == 0 {
			return Misused(fmt.Errorf("unknown command %q (%s help %s lists those that there are)", name, t.Program, names[0]))
		}
		found = one
	}
	t.print(w, found)
	return nil
}

// printAll writes all commands, all flags and the notes.
func (t Commands[S]) printAll(w io.Writer) {
	fmt.Fprint(w, t.Intro, "\n\n")
	t.printUsage(w, t.All)
	t.Table.Print(w)
	fmt.Fprint(w, t.Notes)
}

// The widths of the two columns of the help.
const nameWidth, helpWidth = 24, 53

// printShort writes the help for every day. It fits on a screen.
func (t Commands[S]) printShort(w io.Writer) {
	fmt.Fprint(w, t.Intro, "\n\nEvery day:\n")
	var rest []Command[S]
	for _, c := range t.All {
		if !slices.Contains(t.Everyday, c.Name) {
			rest = append(rest, c)
		}
	}
	for _, name := range t.Everyday {
		for _, c := range t.All {
			if c.Name == name {
				printRow(w, t.Usage(c), strings.Split(c.Help, "\n"))
			}
		}
	}
	fmt.Fprint(w, "\nNow and then:\n")
	for _, c := range rest {
		printRow(w, t.Program+" "+c.Name, clause(c.Help))
	}
	fmt.Fprint(w, "\nFlags:\n")
	for _, name := range t.Flags {
		if s, err := t.Table.find(name); err == nil {
			printRow(w, s.title(), clause(s.Help))
		}
	}
	fmt.Fprintf(w, "\n%[1]s help COMMAND shows a command, with an example; %[1]s help -FLAG a flag;\n%[1]s help all everything.\n", t.Program)
}

// clause returns the beginning of a help text, up to the first semicolon, colon or stop.
func clause(help string) []string {
	text := strings.ReplaceAll(help, "\n", " ")
	if at := strings.IndexAny(text, ";:"); at > 0 {
		text = text[:at]
	}
	text, _, _ = strings.Cut(text, ". ")
	if len(text) > helpWidth {
		text, _, _ = strings.Cut(text, ", ")
	}
	return term.Wrap(text, helpWidth)
}

// printRow writes a row of two columns. A first column that is too long has a line for
// itself.
func printRow(w io.Writer, name string, lines []string) {
	if len(name) > nameWidth {
		fmt.Fprintf(w, "  %s\n", name)
		name = ""
	}
	for _, line := range lines {
		fmt.Fprintf(w, "  %-*s %s\n", nameWidth, name, line)
		name = ""
	}
}

// print writes the help of the commands in found.
func (t Commands[S]) print(w io.Writer, found []Command[S]) {
	if found[0].Name == "" {
		t.printShort(w)
		return
	}
	t.printUsage(w, found)
	if slices.ContainsFunc(found, func(c Command[S]) bool { return strings.Contains(c.Args, "[flags]") }) {
		fmt.Fprintf(w, "\nThe flags are those of the server, where they make sense: %s help all.\n", t.Program)
	}
}

// Usage returns the usage line of c.
func (t Commands[S]) Usage(c Command[S]) string {
	return strings.Join(strings.Fields(t.Program+" "+c.Name+" "+c.Args), " ")
}

// printUsage writes the usage, purpose and example of each command.
func (t Commands[S]) printUsage(w io.Writer, all []Command[S]) {
	for _, c := range all {
		printRow(w, t.Usage(c), append(strings.Split(c.Help, "\n"), "$ "+t.Program+" "+c.Example))
	}
}

// find returns the setting of a flag, which may be an alias.
func (t Table) find(name string) (Setting, error) {
	for _, s := range t.Settings {
		if s.Instead == "" && (s.Name == name || slices.Contains(s.Aliases, name)) {
			return s, nil
		}
	}
	return Setting{}, unknownFlag(name, "", t.flagNames(), t.Program+" help all lists the flags")
}

// flagNames are the flags that the help shows, and their aliases.
func (t Table) flagNames() (names []string) {
	for _, s := range t.Settings {
		if s.Instead == "" {
			names = append(append(names, s.Name), s.Aliases...)
		}
	}
	return names
}

const usage = `
Flags. Below each flag stands a variable that does the same, in the environment
or in a file .env in the working folder. A flag goes before the environment, and
the environment before .env.
`

// Print writes the part of the help about flags.
func (t Table) Print(w io.Writer) {
	fmt.Fprint(w, usage)
	for i, s := range t.Settings {
		if s.Instead != "" {
			continue
		}
		if s.Group != "" {
			fmt.Fprintf(w, "\n%s:\n", s.Group)
		} else if i == 0 {
			fmt.Fprintln(w)
		}
		t.printSetting(w, s)
	}
}

// printSetting writes the help of one flag.
func (t Table) printSetting(w io.Writer, s Setting) {
	lines := strings.Split(s.Help, "\n")
	if source := s.sources(t); source != "" {
		lines = append(lines, source)
	}
	printRow(w, s.title(), lines)
}

// title is the flag, its value and its aliases.
func (s Setting) title() string {
	name := strings.TrimSpace("-" + s.Name + " " + s.Arg)
	if s.Aliases != nil {
		name += " (-" + strings.Join(s.Aliases, ", -") + ")"
	}
	return name
}

// sources are the variables of a setting and its default.
func (s Setting) sources(t Table) string {
	names := t.variables(s)
	if s.Default != "" {
		names = append(names, "default "+s.Default)
	}
	return strings.Join(names, ", ")
}

// Package config reads the settings of a program: from flags, the environment
// and a file called .env, in this order of precedence. A program declares a
// [Table] whose rows say what a setting is called and what it takes:
//
//	var addr string
//	table := config.Table{Program: "hello", Settings: []config.Setting{
//		config.Row("addr", "HOST:PORT", "127.0.0.1:8080", "where to listen", config.Address(&addr)),
//	}}
//	values, err := table.Read(os.Args[1:], os.LookupEnv, func() ([]byte, error) { return os.ReadFile(".env") })
//	…
//	err = values.Apply()
//
// Here -addr, HELLO_ADDR in the environment and HELLO_ADDR in .env all set
// addr. An error about a value names its source.
package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

// A Setting is one flag, its variable, and its lines in the help.
type Setting struct {
	Name    string
	Arg     string // placeholder of the value in the help; "" for a flag without a value
	Default string // "": leave the field unchanged
	Help    string
	Set     func(value string) error // its error says which values are valid

	Aliases  []string // other names of the flag; those of several letters have a variable too
	FlagOnly bool     // the flag has no variable
	Many     bool     // the flag may be repeated; the values are joined by commas
	Instead  string   // not "": the flag is rejected, with this advice
	Group    string   // heading above it in the help; "" for none
}

// Also adds other names to a setting.
func (s Setting) Also(aliases ...string) Setting { s.Aliases = aliases; return s }

// Alone leaves a setting without a variable, because another program uses that
// name.
func (s Setting) Alone() Setting { s.FlagOnly = true; return s }

// Repeated allows a flag to be repeated.
func (s Setting) Repeated() Setting { s.Many = true; return s }

// Under begins a group of the help with a setting.
func (s Setting) Under(heading string) Setting { s.Group = heading; return s }

// Refused returns a flag of another program that people may try. The help
// doesn't show it. arg is as in [Row].
func Refused(instead, arg, name string, aliases ...string) Setting {
	return Setting{Name: name, Arg: arg, Aliases: aliases, Instead: instead, FlagOnly: true}
}

// Row returns a setting, as a row of a table.
func Row(name, arg, value, help string, set func(value string) error) Setting {
	return Setting{Name: name, Arg: arg, Default: value, Help: help, Set: set}
}

// A Table holds all settings of a program.
type Table struct {
	Program   string // name of the command; in capitals, the prefix of its variables
	Settings  []Setting
	Variables []string // further variables that the program reads
}

// Variable returns the variable of a flag: HELLO_ACCESS_TTL for flag access-ttl
// of program hello.
func (t Table) Variable(flag string) string {
	return t.prefix() + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variables returns the names of a setting in the environment and in .env.
func (t Table) variables(s Setting) (names []string) {
	if s.FlagOnly {
		return nil
	}
	names = []string{t.Variable(s.Name)}
	for _, alias := range s.Aliases {
		if len(alias) > 1 {
			names = append(names, t.Variable(alias))
		}
	}
	return names
}

// allVariables returns the names of all variables that the table knows.
func (t Table) allVariables() []string {
	names := slices.Clone(t.Variables)
	for _, s := range t.Settings {
		names = append(names, t.variables(s)...)
	}
	return names
}

// variableIn returns the first of a setting's variables that is set, or else
// its first one, or "" if it has none.
func (t Table) variableIn(s Setting, set func(name string) bool) string {
	names := t.variables(s)
	if names == nil {
		return ""
	}
	return names[max(0, slices.IndexFunc(names, set))]
}

func (t Table) prefix() string { return strings.ToUpper(t.Program) + "_" }

// Values are the given values of a table's settings, not checked yet.
type Values struct {
	table   Table
	flags   map[string]string
	env     func(name string) string
	file    map[string]dotenvValue
	presets map[string]preset
	used    bool              // a value came from .env
	origins map[string]string // by setting: the source of its value
}

// A preset is a value that the program found elsewhere.
type preset struct{ value, origin string }

// Read collects the given values. An empty variable counts as unset. dotenv
// returns the content of .env, or an error that is fs.ErrNotExist. For -h the
// error is flag.ErrHelp, even if .env is unreadable.
func (t Table) Read(args []string, lookupEnv func(string) (string, bool), dotenv func() ([]byte, error)) (*Values, error) {
	given, err := t.parseFlags(args)
	if err != nil {
		return nil, err
	}
	file, err := readDotenv(dotenv, func() *regexp.Regexp { return ourLine(t.prefix(), t.Variables) })
	if err != nil {
		return nil, err
	}
	env := func(name string) string {
		value, _ := lookupEnv(name)
		return value
	}
	return &Values{table: t, flags: given, env: env, file: file, presets: map[string]preset{}, origins: map[string]string{}}, nil
}

// Preset sets a value that takes precedence over .env and the default, but not
// over the flag and the environment. Errors about the value begin with origin.
func (v *Values) Preset(name, value, origin string) { v.presets[name] = preset{value, origin} }

// Apply sets each setting of the table from the first source that has a value:
// flag, environment, preset, .env, default. Only that value is checked. An
// error names the source.
func (v *Values) Apply() error {
	for _, s := range v.table.Settings {
		name := v.table.variableIn(s, func(name string) bool { return v.env(name) != "" || v.file[name] != (dotenvValue{}) })
		value, isFlag := v.flags[s.Name]
		origin := "flag -" + s.Name
		switch {
		case isFlag:
		case v.env(name) != "":
			value, origin = v.env(name), "environment "+name
		case v.presets[s.Name].origin != "":
			value, origin = v.presets[s.Name].value, v.presets[s.Name].origin
		case v.file[name].fault != "":
			return v.Fault(name)
		case v.Dotenv(name) != "":
			value, origin = v.Dotenv(name), v.Origin(name)
		case s.Default != "":
			value, origin = s.Default, "default of -"+s.Name
		default:
			continue
		}
		v.origins[s.Name] = origin
		if !isFlag {
			value = strings.TrimSpace(value) // for example the \r of a file from Windows
		}
		if err := s.Set(value); err != nil {
			return Misused(fmt.Errorf("%s: %q: want %w", origin, value, err))
		}
	}
	return nil
}

// From returns the source of a setting's value after Apply: "flag -addr",
// "environment HELLO_ADDR".
func (v *Values) From(name string) string { return v.origins[name] }

// Env returns a variable of the environment, or "".
func (v *Values) Env(name string) string { return v.env(name) }

// Dotenv returns a variable of .env, or "".
func (v *Values) Dotenv(name string) string {
	value := v.file[name].value
	v.used = v.used || value != ""
	return value
}

// Variable returns a variable that has no flag, from the environment or else
// from .env. Secrets have no flag, because any user of the machine can read a
// program's arguments.
func (v *Values) Variable(name string) string {
	if value := v.env(name); value != "" {
		return value
	}
	return v.Dotenv(name)
}

// Origin returns the name of a variable that Variable has read, with its line
// if it comes from .env.
func (v *Values) Origin(name string) string {
	if at, ok := v.file[name]; ok && v.env(name) == "" {
		return fmt.Sprintf(".env line %d: %s", at.line, name)
	}
	return name
}

// Fault returns the reason why Variable can't read a line of .env, or nil.
func (v *Values) Fault(name string) error {
	if fault := v.file[name].fault; fault != "" && v.env(name) == "" {
		return Misused(fmt.Errorf("%s: %s", v.Origin(name), fault))
	}
	return nil
}

// DotenvUsed returns ".env" once a value came from it, else "".
func (v *Values) DotenvUsed() string {
	if v.used {
		return ".env"
	}
	return ""
}

// Stray returns a warning for each variable of the environment that has the
// program's prefix but is neither of the table nor known. It skips the variables
// that Kubernetes sets for a service of the same name: HELLO_SERVICE_HOST,
// HELLO_PORT_80_TCP, and what lookupEnv doesn't know.
func (t Table) Stray(lookupEnv func(string) (string, bool), known ...string) (warnings []string) {
	known = append(known, t.allVariables()...)
	for _, entry := range slices.Sorted(slices.Values(os.Environ())) {
		name, _, _ := strings.Cut(entry, "=")
		rest, ours := strings.CutPrefix(name, t.prefix())
		if value, _ := lookupEnv(name); ours && value != "" && !strings.HasPrefix(rest, "SERVICE_") && !strings.HasPrefix(rest, "PORT") && !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf("environment: %s is not a setting of %s", name, t.Program))
		}
	}
	return warnings
}

// Unknown returns a warning for each name in .env that has the program's prefix
// but is neither of the table nor known. Usually it is a typing error.
func (v *Values) Unknown(known ...string) (warnings []string) {
	known = append(known, v.table.allVariables()...)
	for _, name := range slices.Sorted(maps.Keys(v.file)) {
		if strings.HasPrefix(strings.ToUpper(name), v.table.prefix()) && !slices.Contains(known, name) {
			warnings = append(warnings, fmt.Sprintf(".env line %d: %s is not a setting of %s", v.file[name].line, name, v.table.Program))
		}
	}
	return warnings
}

// parseFlags returns the values of the flags in args, not checked yet.
func (t Table) parseFlags(args []string) (map[string]string, error) {
	given := map[string]string{}
	var refused error
	flags := flag.NewFlagSet(t.Program, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the caller prints the error
	flags.Usage = func() {}     // no full usage for a typing error
	for _, s := range t.Settings {
		for _, name := range append([]string{s.Name}, s.Aliases...) {
			keep := func(value string) error {
				if s.Instead != "" {
					refused = fmt.Errorf("-%s is not a flag of %s: %s", name, t.Program, s.Instead)
					return refused
				}
				if before, again := given[s.Name]; again && s.Many {
					value = before + "," + value
				}
				given[s.Name] = value
				return nil
			}
			if s.Arg == "" {
				flags.BoolFunc(name, s.Help, keep)
			} else {
				flags.Func(name, s.Help, keep)
			}
		}
	}
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return nil, err
	case refused != nil:
		return nil, Misused(refused)
	case err != nil:
		takes := func(flag string) string { s, _ := t.find(flag); return s.Arg }
		return nil, flagFault(err, "", t.flagNames(), takes, t.Program+" help all lists the flags")
	case flags.NArg() > 0:
		return nil, Misused(fmt.Errorf("unexpected argument %q (%s help shows the usage)", flags.Arg(0), t.Program))
	}
	return given, nil
}

// Leading returns the flags that args begin with, with their values, and the rest. It
// removes a "--" between the two. As in Split, an unknown flag takes all that follows.
func (t Table) Leading(args []string) (flags, rest []string) {
	at := 0
	for at < len(args) && args[at] != "--" {
		n := t.flagLen(args[at:])
		if n == 0 {
			return args[:at], args[at:]
		}
		at += n
	}
	return args[:at], args[min(at+1, len(args)):]
}

// Split separates arguments into flags, with their values, and the rest. It
// removes "--". Everything from the first unknown flag on counts as flags, for
// [Table.Read] to reject: whether the flag takes a value is not known.
func (t Table) Split(args []string) (flags, rest []string) {
	for len(args) > 0 && args[0] != "--" {
		n := t.flagLen(args)
		if n == 0 {
			rest, args = append(rest, args[0]), args[1:]
			continue
		}
		flags, args = append(flags, args[:n]...), args[n:]
	}
	return flags, rest
}

// flagLen is how many of args the flag takes that they begin with: 0 if that is no flag,
// all of them if it is an unknown one.
func (t Table) flagLen(args []string) int {
	name, isFlag := strings.CutPrefix(args[0], "-")
	if !isFlag || name == "" {
		return 0
	}
	name, _, given := strings.Cut(strings.TrimPrefix(name, "-"), "=")
	for _, s := range t.Settings {
		switch {
		case s.Name != name && !slices.Contains(s.Aliases, name):
		case s.Arg == "" || given:
			return 1
		default:
			return min(2, len(args))
		}
	}
	return len(args)
}

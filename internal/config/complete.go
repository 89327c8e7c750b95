package config

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Complete writes the script that completes the command line in a shell: bash or zsh.
func (t Commands[S]) Complete(w io.Writer, args []string) error {
	usage := fmt.Errorf("usage: %[1]s completion bash, or zsh: source <(%[1]s completion bash) completes from now on", t.Program)
	switch {
	case WantsHelp(args):
		return flag.ErrHelp
	case len(args) == 1 && args[0] == "zsh":
		fmt.Fprintf(w, "#compdef %s\n(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }\nautoload -Uz bashcompinit && bashcompinit\n", t.Program)
	case len(args) != 1 || args[0] != "bash":
		return Misused(usage)
	}
	var firsts []string
	seconds := map[string][]string{}
	for _, c := range t.All {
		first, second, _ := strings.Cut(c.Name, " ")
		if first != "" && !slices.Contains(firsts, first) {
			firsts = append(firsts, first)
		}
		if second != "" {
			seconds[first] = append(seconds[first], second)
		}
	}
	name := strings.ReplaceAll(t.Program, "-", "_")
	fmt.Fprintf(w, "# completion of %s: source it, or keep it where your shell looks for completions\n_%s() {\n", t.Program, name)
	fmt.Fprint(w, "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n  COMPREPLY=()\n")
	fmt.Fprintf(w, "  case $word in\n  -*) words='%s' ;;\n  *)\n    case $COMP_CWORD:$before in\n    1:*) words='%s' ;;\n", t.Table.completions(), strings.Join(firsts, " "))
	for _, first := range firsts {
		if seconds[first] != nil {
			fmt.Fprintf(w, "    2:%s) words='%s' ;;\n", first, strings.Join(seconds[first], " "))
		}
	}
	fmt.Fprintf(w, "    2:help) words='all %s' ;;\n    2:completion) words='bash zsh' ;;\n", strings.Join(firsts, " "))
	fmt.Fprintf(w, "    esac ;;\n  esac\n  [[ -n $words ]] && COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n  return 0\n}\ncomplete -o default -F _%s %s\n", name, t.Program)
	if args[0] == "zsh" { // the first time, zsh loads the file in order to complete
		fmt.Fprintf(w, "if [[ ${funcstack[1]} = _%[1]s ]]; then _bash_complete -o default -F _%[1]s; fi\n", name)
	}
	return nil
}

// completions are the flags of the table.
func (t Table) completions() string {
	var flags []string
	for _, s := range t.Settings {
		if s.Instead == "" {
			flags = append(flags, "-"+s.Name)
		}
	}
	return strings.Join(flags, " ")
}

// Man writes the manual page, in the macros of man(7).
func (t Commands[S]) Man(w io.Writer) {
	fmt.Fprintf(w, ".TH %s 1\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n", strings.ToUpper(t.Program), t.Program, roff(t.Intro))
	for _, c := range t.All {
		fmt.Fprintf(w, ".B %s\n.br\n", roff(t.Usage(c)))
	}
	fmt.Fprint(w, ".SH COMMANDS\n")
	for _, c := range t.All {
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n.br\nExample: %s\n", roff(t.Usage(c)), roff(c.Help), roff(t.Program+" "+c.Example))
	}
	fmt.Fprint(w, ".SH FLAGS\nA flag goes before the environment, and the environment before a file .env in the working folder.\n")
	for _, s := range t.Table.Settings {
		if s.Instead != "" {
			continue
		}
		if s.Group != "" {
			fmt.Fprintf(w, ".SS %s\n", roff(s.Group))
		}
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(s.title()), roff(s.Help))
		if source := s.sources(t.Table); source != "" {
			fmt.Fprintf(w, ".br\n%s\n", roff(source))
		}
	}
	fmt.Fprintf(w, ".SH NOTES\n.nf\n%s\n.fi\n", roff(strings.TrimSpace(t.Notes)))
}

// roff escapes a text for man(7).
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

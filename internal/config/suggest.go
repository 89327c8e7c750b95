package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Closest returns the candidate that a person who typed name most likely meant, or "".
func Closest(name string, candidates []string) (best string) {
	least := 3 // three differences or more: another word
	for _, c := range candidates {
		if n := editDistance(strings.ToLower(name), strings.ToLower(c)); n < least && n < len(c)-1 {
			best, least = c, n
		}
	}
	return best
}

// ClosestFile returns the file in the folder of path whose name is like that of path, or
// "". Only names that end like one of endings count.
func ClosestFile(path string, endings ...string) string {
	var names []string
	for _, ending := range endings {
		found, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "*"+ending))
		for _, name := range found {
			names = append(names, filepath.Base(name))
		}
	}
	if best := Closest(filepath.Base(path), names); best != "" && best != filepath.Base(path) {
		return filepath.Join(filepath.Dir(path), best)
	}
	return ""
}

// suggestion returns a hint at the command or the file that a person may have meant.
func (t Commands[S]) suggestion(name string) string {
	if instead, ok := t.Synonyms[strings.ToLower(name)]; ok {
		if instead == "" {
			return fmt.Sprintf(": without a command, %s starts the server", t.Program)
		}
		return fmt.Sprintf(": did you mean %s %s?", t.Program, instead)
	}
	if _, err := os.Stat(name + ".json"); err == nil && t.File != nil {
		return fmt.Sprintf(": did you mean the file? %s %s.json", t.Program, name)
	}
	var commands []string
	for _, c := range t.All {
		if first, _, _ := strings.Cut(c.Name, " "); first != "" {
			commands = append(commands, first)
		}
	}
	best := Closest(name, commands)
	if best == "" && t.File != nil {
		best = ClosestFile(name, ".json")
	}
	if info, err := os.Stat(name); best == "" && err == nil && info.Mode().IsRegular() {
		return ": the name of a file that it serves ends in .json"
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

// unknownFlag is the error for a flag that is none of flags. whose is the command that was
// called, "" for the program itself, and more tells where to read about its flags.
func unknownFlag(name, whose string, flags []string, more string) error {
	hint := ""
	if best := Closest(name, flags); best != "" {
		hint = fmt.Sprintf(": did you mean -%s?", best)
	}
	if whose == "" {
		return Misused(fmt.Errorf("there is no flag -%s%s (%s)", name, hint, more))
	}
	return Misused(fmt.Errorf("%s has no flag -%s%s (%s)", whose, name, hint, more))
}

// flagFault words an error of package flag: what is wrong, then what to do. takes tells
// what a flag takes; the rest is as for [unknownFlag].
func flagFault(err error, whose string, flags []string, takes func(flag string) string, more string) error {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return unknownFlag(name, whose, flags, more)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return Misused(fmt.Errorf("-%s needs a value behind it: -%s %s (%s)", name, name, takes(name), more))
	}
	if word, ok := strings.CutPrefix(text, "bad flag syntax: "); ok {
		return Misused(fmt.Errorf("%s is no flag (%s)", word, more))
	}
	return Misused(fmt.Errorf("%w (%s)", err, more))
}

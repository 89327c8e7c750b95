package config

import (
	"maps"
	"strings"
	"testing"
)

func TestDotenv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]dotenvValue
	}{
		{"an empty file holds nothing", "", nil},
		{"comments and blank lines hold nothing", "# A=1\n\n  \t\n  # B=2", nil},
		{"a pair a line", "A=1\nB=2\n", map[string]dotenvValue{"A": {"1", 1}, "B": {"2", 2}}},
		{"export is as in a shell", "export A=1\nexport=2", map[string]dotenvValue{"A": {"1", 1}, "export": {"2", 2}}},
		{"blanks around either side don't count", "  A \t=  1 2  ", map[string]dotenvValue{"A": {"1 2", 1}}},
		{"the last of two counts", "A=1\nA=2", map[string]dotenvValue{"A": {"2", 2}}},
		{"a value may hold an equals sign", "A=b=c==", map[string]dotenvValue{"A": {"b=c==", 1}}},
		{"a comment needs a blank before it", "A=1 # one\nB=#2\nC= # nothing", map[string]dotenvValue{"A": {"1", 1}, "B": {"#2", 2}, "C": {"", 3}}},
		{"single quotes take all as it is", `A='\n "$B" # ' # five`, map[string]dotenvValue{"A": {`\n "$B" # `, 1}}},
		{"double quotes have four escapes", `A="\n\"\\\$\t"`, map[string]dotenvValue{"A": {"\n\"\\$\\t", 1}}},
		{"quotes inside are part of a plain value", `A=it's "so"`, map[string]dotenvValue{"A": {`it's "so"`, 1}}},
		{"nothing is expanded", "A=$HOME ${HOME} `id`", map[string]dotenvValue{"A": {"$HOME ${HOME} `id`", 1}}},
		{"quotes may span lines", "A=\"1\n2\"\nB='3\n\n4'\nC=5", map[string]dotenvValue{"A": {"1\n2", 1}, "B": {"3\n\n4", 3}, "C": {"5", 6}}},
		{"line ends may be those of Windows", "A=1\r\n\r\nB='2'\r\nC=\"3\" # three\r\n", map[string]dotenvValue{"A": {"1", 1}, "B": {"2", 3}, "C": {"3", 4}}},
		{"a byte order mark is no part of the name", "\ufeffA=1", map[string]dotenvValue{"A": {"1", 1}}},
		{"names of other programs may have dots and dashes", "a.b-c=1", map[string]dotenvValue{"a.b-c": {"1", 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDotenv(tt.text)
			if err != nil || !maps.Equal(got, tt.want) {
				t.Errorf("parseDotenv(%q) = %v, %v; want %v", tt.text, got, err, tt.want)
			}
		})
	}
}

func TestDotenvRefused(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"no equals sign":                   "hush",
		"a shell's export without a value": "export HUSH",
		"no name":                          "=hush",
		"a blank in the name":              "TWO WORDS=hush",
		"a name that begins with a digit":  "1A=hush",
		"an open single quote":             "A='hush",
		"an open double quote":             `A="hush\"`,
		"text after the closing quote":     `A="hush" hush`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := parseDotenv("B=1\n" + text)
			if err == nil || !strings.HasPrefix(err.Error(), ".env line 2: ") || strings.Contains(strings.ToLower(err.Error()), "hush") {
				t.Errorf("parseDotenv(%q): %v; want an error that names line 2 and not the text", text, err)
			}
		})
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=1\nexport B='2' # two\r\nC=\"3\\n\"\n", "plain")
	f.Add("\ufeff# nothing\n=\n", "\"'\\\n$# \t\r")
	f.Add("A='\n", "a # b")
	f.Fuzz(func(t *testing.T, text, value string) {
		values, err := parseDotenv(text)
		if err != nil && !strings.HasPrefix(err.Error(), ".env line ") {
			t.Errorf("the error doesn't name the line: %v", err)
		}
		for name, v := range values {
			if lines := 1 + strings.Count(text, "\n"); name == "" || v.line < 1 || v.line > lines {
				t.Errorf("%q on line %d of %d", name, v.line, lines)
			}
		}

		// A value comes back as it was written, in each way that can write it.
		written := []string{`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, `$`, `\$`).Replace(value) + `"`}
		if !strings.Contains(value, "'") {
			written = append(written, "'"+value+"'")
		}
		if !strings.ContainsAny(value, "#'\"\n") && strings.TrimSpace(value) == value {
			written = append(written, value)
		}
		for _, w := range written {
			got, err := parseDotenv("A=1\nB=" + w + "\nC=3")
			if err != nil || got["B"] != (dotenvValue{value, 2}) || got["C"].value != "3" {
				t.Errorf("B=%s was read as %v, %v; want %q", w, got, err, value)
			}
		}
	})
}

package config

import (
	"encoding/binary"
	"fmt"
	"maps"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestDotenv(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       map[string]dotenvValue
	}{
		{"an empty file holds nothing", "", nil},
		{"comments and blank lines hold nothing", "# A=1\n\n  \t\n  # B=2", nil},
		{"a pair a line", "A=1\nB=2\n", map[string]dotenvValue{"A": {value: "1", line: 1}, "B": {value: "2", line: 2}}},
		{"export is as in a shell", "export A=1\nexport=2", map[string]dotenvValue{"A": {value: "1", line: 1}, "export": {value: "2", line: 2}}},
		{"blanks around either side don't count", "  A \t=  1 2  ", map[string]dotenvValue{"A": {value: "1 2", line: 1}}},
		{"the last of two counts", "A=1\nA=2", map[string]dotenvValue{"A": {value: "2", line: 2}}},
		{"a value may hold an equals sign", "A=b=c==", map[string]dotenvValue{"A": {value: "b=c==", line: 1}}},
		{"a comment needs a blank before it", "A=1 # one\nB=#2\nC= # nothing", map[string]dotenvValue{"A": {value: "1", line: 1}, "B": {value: "#2", line: 2}, "C": {value: "", line: 3}}},
		{"single quotes take all as it is", `A='\n "$B" # ' # five`, map[string]dotenvValue{"A": {value: `\n "$B" # `, line: 1}}},
		{"double quotes have four escapes", `A="\n\"\\\$\t"`, map[string]dotenvValue{"A": {value: "\n\"\\$\\t", line: 1}}},
		{"quotes inside are part of a plain value", `A=it's "so"`, map[string]dotenvValue{"A": {value: `it's "so"`, line: 1}}},
		{"nothing is expanded", "A=$HOME ${HOME} `id`", map[string]dotenvValue{"A": {value: "$HOME ${HOME} `id`", line: 1}}},
		{"quotes may span lines", "A=\"1\n2\"\nB='3\n\n4'\nC=5", map[string]dotenvValue{"A": {value: "1\n2", line: 1}, "B": {value: "3\n\n4", line: 3}, "C": {value: "5", line: 6}}},
		{"line ends may be those of Windows", "A=1\r\n\r\nB='2'\r\nC=\"3\" # three\r\n", map[string]dotenvValue{"A": {value: "1", line: 1}, "B": {value: "2", line: 3}, "C": {value: "3", line: 4}}},
		{"a byte order mark is no part of the name", "\ufeffA=1", map[string]dotenvValue{"A": {value: "1", line: 1}}},
		{"names of other programs may have dots and dashes", "a.b-c=1", map[string]dotenvValue{"a.b-c": {value: "1", line: 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := parseDotenv(dotenvText([]byte(tt.text)), helloLine); !maps.Equal(got, tt.want) {
				t.Errorf("%q was read as %v; want %v", tt.text, got, tt.want)
			}
		})
	}
}

var helloLine = ourLine("HELLO_", []string{"SECRET"})

// Lines of other programs are read if possible, and never cause an error.
func TestDotenvOfOthers(t *testing.T) {
	t.Parallel()
	for _, shape := range []string{
		"export FOO", "export FOO BAR", "; comment", "// comment", "[section]", "2CAPTCHA_KEY=x", "FOO: bar", "- FOO=bar", `FOO="x";`,
		`FOO="x" "y"`, `FOO='x`, `FOO="x`, `FOO="it's"x`, "FOO", "=x", "=", "FOO BAR=x", "FOO =x", "FOO= x", "FOO+=x", "FOO?=x", "FOO:=x",
		"set FOO=x", "setenv FOO x", `$env:FOO="x"`, "declare -x FOO=x", "FOO[0]=x", `"FOO"=x`, "'FOO'='x'", "FOO==", "{", `"FOO": "x",`, "}",
		"FOO=`date`", "FOO=$(date)", "FOO=${BAR:-x}", "source other.env", ". ./other.env", "if [ -f x ]; then", "fi", "unset FOO", "FOO=\xff",
		"F\xd6\xd6=x", "ÜBER=x", "🔑=x", "FOO=x\x00y", "-----BEGIN PRIVATE KEY-----\nMIIE+/==\n-----END PRIVATE KEY-----", "<<<<<<< HEAD", "\x00", "\f",
		"FOO=\"a\nb\"", "FOO='a\n\nb'", "FOO=\"{\n  \\\"HELLO_NAME\\\": 1\n}\"", "export FOO='a'; export BAR='b'", "MY_HELLO_NAME", "SECRETS", "SECRET_BASE x",
		"# HELLO_NAME", "; HELLO_NAME=commented", "// HELLO_NAME=commented", "export HELLO_NAME", "FOO=HELLO_NAME x",
	} {
		for _, end := range []string{"\n", "\r\n"} {
			text := "HELLO_NAME=ann" + end + strings.ReplaceAll(shape, "\n", end) + end + "SECRET='b c'" + end
			t.Run(fmt.Sprintf("%q", text), func(t *testing.T) {
				t.Parallel()
				got := parseDotenv(dotenvText([]byte(text)), helloLine)
				if n := got["HELLO_NAME"]; n.value != "ann" || n.fault != "" {
					t.Errorf("HELLO_NAME = %+v; want ann", n)
				}
				if s := got["SECRET"]; s.value != "b c" || s.fault != "" || s.line != strings.Count(text, "\n") {
					t.Errorf("SECRET = %+v; want b c on the last line", s)
				}
			})
		}
	}
}

// Editors and shells of Windows and old Macs write other encodings and line
// ends.
func TestDotenvEncodings(t *testing.T) {
	t.Parallel()
	const text = "HELLO_NAME=änn\r\nSECRET=\"x\"\r\n"
	utf16 := func(order binary.AppendByteOrder, text string) (b []byte) {
		for _, unit := range utf16.Encode([]rune(text)) {
			b = order.AppendUint16(b, unit)
		}
		return b
	}
	for name, file := range map[string][]byte{
		"UTF-8":                            []byte(text),
		"with a mark":                      []byte("\ufeff" + text),
		"old line ends":                    []byte(strings.ReplaceAll(text, "\r\n", "\r")),
		"no last line end":                 []byte(strings.TrimSpace(text)),
		"UTF-16, little-endian":            utf16(binary.LittleEndian, "\ufeff"+text),
		"UTF-16, little-endian, no mark":   utf16(binary.LittleEndian, text),
		"UTF-16, big-endian":               utf16(binary.BigEndian, "\ufeff"+text),
		"UTF-16, big-endian, without mark": utf16(binary.BigEndian, text),
		"half a character at its end":      append(utf16(binary.LittleEndian, "\ufeff"+text), 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := map[string]dotenvValue{"HELLO_NAME": {value: "änn", line: 1}, "SECRET": {value: "x", line: 2}}
			if got := parseDotenv(dotenvText(file), helloLine); !maps.Equal(got, want) {
				t.Errorf("read as %v; want %v", got, want)
			}
		})
	}
}

// An unreadable line that names a variable of ours is never ignored.
func TestDotenvFaults(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"HELLO_NAME", "export HELLO_NAME", "HELLO_NAME: hush", "- HELLO_NAME=hush", "set HELLO_NAME=hush", "setenv HELLO_NAME hush", `$env:HELLO_NAME="hush"`,
		"declare -x HELLO_NAME=hush", `"HELLO_NAME"="hush"`, `"HELLO_NAME": "hush",`, `HELLO_NAME="hush";`, `HELLO_NAME='hush`, `HELLO_NAME="hush\"`,
		`HELLO_NAME="hush" hush`, "HELLO_NAME+=hush", "HELLO_NAME hush=", "HELLO_NAME=hush\xff", "  HELLO_NAME:hush", "\xa0HELLO_NAME=hush",
	} {
		t.Run(line, func(t *testing.T) {
			t.Parallel()
			_, _, err := read("", "", "OTHER\n"+line)
			if err == nil || !strings.HasPrefix(err.Error(), ".env line 2: HELLO_NAME: ") || strings.Contains(err.Error(), "hush") {
				t.Errorf("%v; want an error that names line 2 and not the value", err)
			}
			if _, _, err := read("-name=bob", "", "OTHER\n"+line); err != nil {
				t.Errorf("%v; want none where a flag decides", err)
			}
		})
	}
	_, v, err := read("", "", "SECRET: hush")
	if err != nil || v.Fault("SECRET") == nil || v.Fault("SECRET").Error() != ".env line 1: SECRET: want KEY=VALUE" {
		t.Errorf("%v, %v; want the fault of a variable only for who asks for it", err, v.Fault("SECRET"))
	}
	if _, v, _ = read("", "SECRET=x", "SECRET: hush"); v.Fault("SECRET") != nil {
		t.Errorf("%v; want none where the environment decides", v.Fault("SECRET"))
	}
}

func FuzzDotenv(f *testing.F) {
	f.Add("A=1\nexport B='2' # two\r\nC=\"3\\n\"\n", "plain")
	f.Add("\ufeff# nothing\n=\n", "\"'\\\n$# \t\r")
	f.Add("A='\n", "a # b")
	f.Fuzz(func(t *testing.T, text, value string) {
		values := parseDotenv(text, helloLine)
		for name, v := range values {
			if lines := 1 + strings.Count(text, "\n"); name == "" || v.line < 1 || v.line > lines {
				t.Errorf("%q on line %d of %d", name, v.line, lines)
			}
		}

		// a value reads back as it was written, in each notation
		written := []string{`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, `$`, `\$`).Replace(value) + `"`}
		if !strings.Contains(value, "'") {
			written = append(written, "'"+value+"'")
		}
		if !strings.ContainsAny(value, "#'\"\n") && strings.TrimSpace(value) == value {
			written = append(written, value)
		}
		for _, w := range written {
			if !utf8.ValidString(w) {
				continue
			}
			got := parseDotenv("A=1\nB="+w+"\nC=3", helloLine)
			if got["B"] != (dotenvValue{value: value, line: 2}) || got["C"].value != "3" {
				t.Errorf("B=%s was read as %v; want %q", w, got, value)
			}
		}
	})
}

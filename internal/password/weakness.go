package password

import (
	_ "embed"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// minLength is the least number of characters (NIST SP 800-63B §5.1.1.2; OWASP
// ASVS 5, 6.2.1).
const minLength = 8

// common.txt lists passwords that attackers try first, of minLength or more, in
// lower case. It is a small part of the lists from leaks.
//
//go:embed common.txt
var commonText string

var common = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for word := range strings.FieldsSeq(commonText) {
		words[word] = true
	}
	return words
})

// The policies for new passwords, by the names that -password-policy takes.
const (
	Tutorial = "tutorial" // kept for the tutorials; a public server should have NIST
	NIST     = "nist"     // SP 800-63B
)

// A Flaw is why a text can't be a password: the rule that it breaks, for programs, with
// its limit, and for people what follows "the password". The zero Flaw is none.
type Flaw struct {
	Rule  string
	Limit int
	Says  string
}

// TutorialFlaw returns how a password breaks the catalog tutorial's rule: at least 5
// characters with a digit and a special character, one of Python's string.punctuation.
// The tutorial has its own sentence for all of that.
func TutorialFlaw(password string) Flaw {
	switch {
	case password == "":
		return Flaw{Rule: "required"}
	case utf8.RuneCountInString(password) < 5:
		return Flaw{Rule: "min_length", Limit: 5}
	case !strings.ContainsFunc(password, unicode.IsDigit), !strings.ContainsAny(password, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"):
		return Flaw{Rule: "pattern"}
	}
	return Flaw{}
}

// Weakness returns why a text can't be a new password. For every policy that is an empty
// one, or a [Fault]. For NIST it is also a password that is too short, a simple
// pattern, a common password, or a name of its account (OWASP ASVS 5, 6.2.1,
// 6.2.4, 6.2.11). Any characters are allowed (6.2.5).
func Weakness(policy, password string, names ...string) Flaw {
	text := strings.ToLower(password)
	switch flaw := flawOf(password); {
	case password == "":
		return Flaw{Rule: "required", Says: "should not be empty"}
	case flaw.Rule != "" || policy != NIST:
		return flaw
	case utf8.RuneCountInString(password) < minLength:
		return Flaw{"min_length", minLength, "should be at least 8 characters long"}
	case common()[text] || isPattern(text):
		return Flaw{Rule: "common", Says: "is one of those that are tried first"}
	}
	for _, name := range names {
		local, _, _ := strings.Cut(name, "@")
		if text == strings.ToLower(name) || text == strings.ToLower(local) {
			return Flaw{Rule: "common", Says: "should not be a name of the account"}
		}
	}
	return Flaw{}
}

// isPattern reports whether a text repeats up to four characters (abcabcabc),
// or its characters are consecutive (12345678, hgfedcba).
func isPattern(text string) bool {
	runes := []rune(text)
	repeats := func(n int) bool {
		for i := n; i < len(runes); i++ {
			if runes[i] != runes[i-n] {
				return false
			}
		}
		return true
	}
	follows := func(step rune) bool {
		for i := 1; i < len(runes); i++ {
			if runes[i] != runes[i-1]+step {
				return false
			}
		}
		return true
	}
	return repeats(1) || repeats(2) || repeats(3) || repeats(4) || follows(1) || follows(-1)
}

package token

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Why a secret that is long enough can be guessed all the same.
var (
	errPublished   = errors.New("this secret is printed in a tutorial, so attackers know it")
	errPlaceholder = errors.New("this is a placeholder, which attackers try first")
	errMonotonous  = errors.New("the secret repeats or counts up a few characters, so attackers can guess it")
)

// published are secrets of 32 bytes or more that well-known texts show, without
// what isn't a letter or a digit, in lower case.
var published = []string{
	"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf", // Flask's documentation
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", // FastAPI's tutorial
	"404e635266556a586e3272357538782f413f4428472b4b6250645367566b5970", // Spring Boot tutorials
	"aym1sysppbydfgzld3umj1qzkobwvmkoqqestjqlrt1qs0gzh75aktmn3yj0ips4hcguutwjazzr1z9caow",
	"hjtxiz2usn5kbqfbttnwbpdmhkv8fjgonbc6mxccyg",                                   // RFC 7520 §3.5; above: RFC 7515 appendix A.1
	"thisisusedtosignandverifyjwttokensreplaceitwithyourownsecretitcanbeanystring", // ASP.NET tutorials
	"qwertyuiopasdfghjklzxcvbnm123456",
}

// words are what placeholders are made of, longer ones first.
var words = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(strings.Join([]string{
		"authentication", "placeholder", "application", "development", "characters", "production", "password", "insecure", "security",
		"tutorial", "minimum", "private", "signing", "default", "example", "replace", "fastapi", "django", "random", "really", "change",
		"string", "secret", "secure", "strong", "insert", "please", "should", "verify", "length", "custom", "spring", "bytes", "super",
		"token", "shelf", "flask", "never", "least", "chars", "local", "using", "value", "enough", "your", "must", "with", "this", "that",
		"here", "which", "long", "very", "some", "prod", "test", "safe", "demo", "used", "sign", "bits", "auth", "hs256", "key", "jwt", "api",
		"app", "dev", "the", "use", "bit", "min", "1234567890", "123456789", "12345678", "1234567", "123456", "12345", "1234", "123",
		"256", "384", "512", "128", "64", "32",
	}, "|"))
})

// checkPlaceholder refuses a secret that others can guess however long it is:
// one that a tutorial prints, one that is made of the words of placeholders, one
// of too few different characters, and one that repeats a short text or counts.
func checkPlaceholder(secret string) error {
	plain := strings.Map(func(r rune) rune {
		switch {
		case '0' <= r && r <= '9', 'a' <= r && r <= 'z', r > 127:
			return r
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, secret)
	switch {
	case slices.Contains(published, plain):
		return errPublished
	case monotonous(secret):
		return errMonotonous
	case strings.ContainsAny(plain, "abcdefghijklmnopqrstuvwxyz") && surprise(secret, plain) < minSurprise && len(plain) > len(secret)/2:
		return errPlaceholder
	}
	return nil
}

// surprise is the number of characters of a secret that belong to no word of
// placeholders. plain is the secret without separators. They are looked at too:
// "bit-secret" has two words, and "bitsecret" could be "bits" and something else.
func surprise(secret, plain string) int {
	separated := strings.Join(strings.FieldsFunc(strings.ToLower(secret), func(r rune) bool {
		return r < 128 && !('0' <= r && r <= '9' || 'a' <= r && r <= 'z')
	}), " ")
	left := strings.ReplaceAll(words().ReplaceAllString(separated, ""), " ", "")
	return min(len(left), len(words().ReplaceAllString(plain, "")))
}

// minSurprise is how many characters a secret must have beside the words of
// placeholders. One that is random has far more.
const minSurprise = 10

// monotonous reports whether s has fewer than 6 different characters, repeats a
// part that is at most half as long, or mostly counts up or down. Of a million
// random secrets in hexadecimal, none is.
func monotonous(s string) bool {
	different := map[byte]bool{}
	steps := 0
	for i := range len(s) {
		different[s[i]] = true
		if i > 0 && (s[i] == s[i-1]+1 || s[i] == s[i-1]-1 || s[i] == s[i-1]) {
			steps++
		}
	}
	if len(different) < 6 || steps >= len(s)*3/4 {
		return true
	}
	for part := 1; part <= len(s)/2; part++ {
		if s[part:] == s[:len(s)-part] {
			return true
		}
	}
	return false
}

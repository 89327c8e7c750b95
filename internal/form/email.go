package form

import (
	"net/mail"
	"regexp"
	"strings"
	"sync"
)

// Email reports whether s is a bare address of at most max characters, as RFC 5322
// §3.4.1 writes them, in a domain with a dot. net/mail reads more than that: in
// what it returns, a display name, a comment or quotes are gone.
func Email(s string, max int) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || !Within(s, max) {
		return false
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	return strings.Contains(domain, ".") && domain[0] != '[' // [127.0.0.1] is an address literal
}

// PlainEmail reports whether s is an address of at most max characters, as browsers
// read it in a form (the HTML standard §4.10.5.1.5): the domain needs no dot.
func PlainEmail(s string, max int) bool { return Within(s, max) && plainEmail().MatchString(s) }

// plainEmail is compiled when it is first needed: that takes longer than all else
// that the package prepares.
var plainEmail = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile("^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$")
})

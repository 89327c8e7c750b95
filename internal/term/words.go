package term

import "fmt"

// Count is n things in words: "1 item", "2 items".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// YesNo is a truth in a word.
func YesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// OrDash is a dash in the place of no text.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

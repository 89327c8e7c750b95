package durable

import "os"

// swapByLinks exchanges two files by hard links and renames. b always names a file.
func swapByLinks(a, b string) error {
	was := a + ".was"
	if err := os.Link(b, was); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		os.Remove(was)
		return err
	}
	return os.Rename(was, a)
}

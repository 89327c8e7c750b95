//go:build !linux

package durable

// Swap exchanges two files. Between the steps that this takes, a file that another
// program renames to b is lost; that time is a few microseconds.
func Swap(a, b string) error { return swapByLinks(a, b) }

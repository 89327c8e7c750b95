package durable

import "runtime/debug"

// largeFile is the size in bytes from which FreeMemory acts.
const largeFile = 8 << 20

// FreeMemory returns the memory that was used for a file of that size to the system, if
// the file is large. The Go runtime would keep the memory much longer.
func FreeMemory(size int) {
	if size >= largeFile {
		debug.FreeOSMemory()
	}
}

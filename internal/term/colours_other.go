//go:build !windows

package term

import "io"

// showsColours reports whether a terminal knows colours. Those of today do.
func showsColours(io.Writer) bool { return true }

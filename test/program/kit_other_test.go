//go:build !linux

package program_test

import "os/exec"

// endWithTest does nothing: here a process ends with its test's Cleanup.
func endWithTest(*exec.Cmd) {}

// limitFiles can't limit another process's files here, and says so.
func limitFiles(*program, int64) bool { return false }

const noLimit = -1

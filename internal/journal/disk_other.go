//go:build !linux

package journal

import "errors"

// Reserve is supported on Linux only.
func (f osFile) Reserve(int64) error { return errors.ErrUnsupported }

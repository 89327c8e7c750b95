//go:build !linux

package journal

import "errors"

// Reserve is for systems whose Go library has the call.
func (f osFile) Reserve(int64) error { return errors.ErrUnsupported }

package journal

import "syscall"

// Reserve allocates blocks after the end of the file. A file-size limit (ulimit
// -f) doesn't apply to these, so Reserve checks it itself.
func (f osFile) Reserve(end int64) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err == nil && uint64(end) > limit.Cur {
		return syscall.EFBIG
	}
	if end <= *f.room {
		return nil
	}
	const (
		keepSize = 1       // FALLOC_FL_KEEP_SIZE: see fallocate(2)
		ahead    = 1 << 20 // so that few writes need a call
	)
	from := *f.room
	var err error
	for _, to := range []int64{end + ahead, end} {
		err = syscall.EINTR
		for tries := 0; err == syscall.EINTR && tries < 100; tries++ { // tmpfs stops at any signal
			err = syscall.Fallocate(int(f.Fd()), keepSize, from, to-from)
		}
		if err == nil {
			*f.room = to
			return nil
		}
	}
	return err
}

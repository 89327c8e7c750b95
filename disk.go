package main

import (
	"os"
	"path/filepath"
)

// osDisk is the real disk. What differs between systems (locks, folders,
// renaming) stands in disk_unix.go and disk_windows.go.
type osDisk struct{}

type osFile struct{ *os.File }

func (osDisk) open(name string, create bool) (diskFile, error) {
	flags := os.O_RDWR
	if create {
		flags |= os.O_CREATE | os.O_EXCL
	}
	// 0600: the file holds password hashes and e-mail addresses.
	f, err := os.OpenFile(name, flags, 0o600)
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osDisk) realPath(name string) (string, error) {
	info, err := os.Lstat(name)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		return name, nil // open has the error, or makes the file
	}
	return filepath.EvalSymlinks(name)
}

func (osDisk) names(name string, f diskFile) (int64, bool, error) {
	at, err := os.Stat(name)
	if os.IsNotExist(err) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	ours, err := f.(osFile).Stat()
	if err != nil {
		return 0, false, err
	}
	return ours.Size(), os.SameFile(at, ours), nil
}

func (osDisk) remove(name string) error { return os.Remove(name) }

func (f osFile) size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// writeFileDurably gives name the content data, with mode 0600: a crash leaves
// the old content or the new, never a part. The steps are those of a new file,
// its fsync, the rename, and the folder's fsync. The owner stays who it was, if
// this process may see to that.
func writeFileDurably(name string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*.new") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // without effect once it is renamed
	keepOwner(f, name)
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = osDisk{}.syncDir(filepath.Dir(name))
	}
	return err
}

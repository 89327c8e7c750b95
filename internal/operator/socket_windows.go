package operator

import (
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// openDoor opens a port. What a killed server left of another is replaced.
func openDoor(data string) (door, error) { return openPort(besideData(data, ".port")) }

// dialSocket finds none.
func dialSocket(string) (*wire, error) { return nil, fs.ErrNotExist }

var (
	advapi32  = syscall.NewLazyDLL("advapi32.dll")
	parseSDDL = advapi32.NewProc("ConvertStringSecurityDescriptorToSecurityDescriptorW")
)

// ownerOnly gives all rights to the owner of a file, to the system and to admins, and
// none to anyone else, whatever the folder says.
const ownerOnly = "D:P(A;;FA;;;OW)(A;;FA;;;SY)(A;;FA;;;BA)"

// writePrivate writes a file that only its owner can read, from its first moment on.
func writePrivate(name string, data []byte) error {
	sddl, err := syscall.UTF16PtrFromString(ownerOnly)
	if err != nil {
		return err
	}
	path, err := syscall.UTF16PtrFromString(name)
	if err != nil {
		return err
	}
	os.Remove(name) // of a killed server
	sa := syscall.SecurityAttributes{Length: uint32(unsafe.Sizeof(syscall.SecurityAttributes{}))}
	const revision = 1
	if ok, _, err := parseSDDL.Call(uintptr(unsafe.Pointer(sddl)), revision, uintptr(unsafe.Pointer(&sa.SecurityDescriptor)), 0); ok == 0 {
		return &fs.PathError{Op: "protect", Path: name, Err: err}
	}
	defer syscall.LocalFree(syscall.Handle(sa.SecurityDescriptor))
	h, err := syscall.CreateFile(path, syscall.GENERIC_WRITE, 0, &sa, syscall.CREATE_NEW, syscall.FILE_ATTRIBUTE_NORMAL, 0)
	if err != nil {
		return &fs.PathError{Op: "create", Path: name, Err: err}
	}
	f := os.NewFile(uintptr(h), name)
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		os.Remove(name)
	}
	return err
}

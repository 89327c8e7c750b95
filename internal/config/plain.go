package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// plain returns the text of an error. The part of it that is an error of the system, as
// Go words it, says instead what is wrong, then what to do:
//
//	-seed: open x: is a directory
//	-seed: x is a folder, where a file is wanted
func plain(err error) string {
	text := err.Error()
	if at, ok := errors.AsType[*fs.PathError](err); ok {
		text = strings.Replace(text, at.Error(), ofPath(at), 1)
	}
	if at, ok := errors.AsType[*net.DNSError](err); ok && at.IsNotFound {
		text = strings.Replace(text, at.Error(), fmt.Sprintf("there is no host %s, or the network is away", at.Name), 1)
	}
	return text
}

// ofPath words the error of a file.
func ofPath(at *fs.PathError) string {
	switch {
	case errors.Is(at, syscall.EISDIR):
		return at.Path + " is a folder, where a file is wanted"
	case errors.Is(at, fs.ErrNotExist) && at.Op == "open":
		return NotThere(at.Path)
	case errors.Is(at, fs.ErrPermission):
		return fmt.Sprintf("%s: permission denied: look at the owner and the mode of the file and its folder", at.Path)
	}
	return at.Error()
}

// NotThere says that there is no file at path, or not even its folder.
func NotThere(path string) string {
	folder := filepath.Dir(path)
	if exists(folder) {
		return "there is no file " + path
	}
	for !exists(filepath.Dir(folder)) && filepath.Dir(folder) != folder {
		folder = filepath.Dir(folder)
	}
	return fmt.Sprintf("there is no folder %s for %s", folder, path)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

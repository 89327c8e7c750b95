// Package built has what all tests of the built program need: the program itself and
// a free port. It uses nothing of the program's packages.
package built

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
)

// folder holds the program. Main makes and removes it.
var folder string

// Program builds shelf when it is called for the first time, and returns its path. The
// program is built with -race where the tests are. Where there is no Go, SHELF_PROGRAM
// names one that was built before.
var Program = sync.OnceValues(func() (string, error) {
	if program := os.Getenv("SHELF_PROGRAM"); program != "" {
		return program, nil
	}
	const shelf = "example.com/shelf"
	name := filepath.Join(folder, "shelf")
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	args := []string{"build", "-buildvcs=false", "-o", name}
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		args = append(args, "-race")
	}
	if out, err := exec.Command("go", append(args, shelf)...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	// go test keeps a result until a file or a folder changes that the tests have
	// read. They don't import the program, so they read the folders of its source.
	folders, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if .Main}}{{$.Dir}}{{end}}{{end}}", shelf).Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	for source := range strings.Lines(string(folders)) {
		if _, err := os.ReadDir(strings.TrimSpace(source)); err != nil {
			return "", err
		}
	}
	return name, nil
})

// Main runs the tests, removes the program, and exits. A TestMain calls it.
func Main(m *testing.M) {
	var err error
	if folder, err = os.MkdirTemp("", "shelf-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(folder)
	os.Exit(status)
}

// FreePort is a port that nothing listens on. Another program may take it before the
// caller does: where a program can choose its port itself and tell it, let it.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

package config

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// An error of the system is worded for a person, and what stands around it stays.
func TestPlainErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, missing := os.ReadFile(filepath.Join(dir, "x.json"))
	_, noFolder := os.ReadFile(filepath.Join(dir, "no", "such", "x.json"))
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("-seed: %w", missing), "-seed: there is no file " + filepath.Join(dir, "x.json")},
		{noFolder, "there is no folder " + filepath.Join(dir, "no") + " for " + filepath.Join(dir, "no", "such", "x.json")},
		{&os.PathError{Op: "open", Path: "x", Err: os.ErrPermission}, "x: permission denied: look at the owner and the mode of the file and its folder"},
		{fmt.Errorf("no more than this"), "no more than this"},
	} {
		var out bytes.Buffer
		ExitStatus("hello", tt.err, &out)
		if got := out.String(); got != "hello: "+tt.want+"\n" {
			t.Errorf("%v is told as %q; want %q", tt.err, got, tt.want)
		}
	}
}

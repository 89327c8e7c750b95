package operator

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A socket is its owner's alone, also where the path is longer than a socket's name may
// be, and through a link.
func TestSocketPath(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{
		"a short path":     "shelf.jsonl",
		"a long folder":    strings.Repeat("folder/", 30) + "shelf.jsonl",
		"a long name":      strings.Repeat("n", 240) + ".jsonl",
		"a name with dots": "a b.ünï.jsonl",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), path)
			if err := os.MkdirAll(filepath.Dir(data), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(data, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			startControl(t, data, newPeople("ann"), func() (door, error) { return openDoor(data) })
			info, err := os.Lstat(besideData(data, ".sock"))
			if err != nil || info.Mode() != fs.ModeSocket|0o600 {
				t.Errorf("the socket: %v, %v", info, err)
			}
			link := filepath.Join(t.TempDir(), "link")
			if err := os.Symlink(data, link); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{data, link} {
				if a, err := Reach(name, false, locked); err != nil {
					t.Error(err)
				} else if got, err := a.Find("ann"); got.ID != 1 || err != nil {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
}

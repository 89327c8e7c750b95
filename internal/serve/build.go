package serve

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// A Build identifies this program.
type Build struct {
	Version  string // "(devel)" if neither the linker nor Go knows it
	Commit   string // "" outside a checkout
	Time     string // of the commit, RFC 3339; "" outside a checkout
	Modified bool   // the checkout had changes after the commit
	Go       string // the version of Go
	System   string // GOOS/GOARCH
}

// ThisBuild returns what Go has stamped into the program. If version is not
// empty, it replaces the stamped version.
func ThisBuild(version string) Build {
	b := Build{Version: version, Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.Version == "" {
			b.Version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.Commit = s.Value
			case "vcs.time":
				b.Time = s.Value
			case "vcs.modified":
				b.Modified = s.Value == "true"
			}
		}
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}

func (b Build) Print(w io.Writer) {
	commit := "unknown"
	if b.Commit != "" {
		commit = b.Commit + " of " + b.Time
	}
	if b.Modified {
		commit += ", modified"
	}
	fmt.Fprintf(w, "shelf %s\n  commit  %s\n  go      %s\n  system  %s\n", b.Version, commit, b.Go, b.System)
}

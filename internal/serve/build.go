package serve

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// A Build says which program this is.
type Build struct {
	Version  string // "(devel)" where neither the linker nor Go knows it
	Commit   string // "" where it was not built in a checkout
	Time     string // of the commit, RFC 3339; "" as above
	Modified bool   // the checkout held more than the commit
	Go       string // the version of Go
	System   string // GOOS/GOARCH
}

// ThisBuild reads what Go stamped into the program. version goes before that, unless
// it is empty.
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

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// version is the release's, such as v1.2.0. A release build sets it with
// -ldflags "-X main.version=v1.2.0"; "" leaves it to what Go knows.
var version string

// A build says which program this is.
type build struct {
	version  string // "(devel)" where neither the linker nor Go knows it
	commit   string // "" where it was not built in a checkout
	time     string // of the commit, RFC 3339; "" as above
	modified bool   // the checkout held more than the commit
	goes     string // the version of Go
	system   string // GOOS/GOARCH
}

// thisBuild reads what Go stamped into the program.
func thisBuild() build {
	b := build{version: version, goes: runtime.Version(), system: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		if b.version == "" {
			b.version = info.Main.Version
		}
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				b.commit = s.Value
			case "vcs.time":
				b.time = s.Value
			case "vcs.modified":
				b.modified = s.Value == "true"
			}
		}
	}
	if b.version == "" {
		b.version = "(devel)"
	}
	return b
}

// versionCommand is the command shelf version.
func versionCommand(_ context.Context, sh shell, args []string) error {
	if wantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) > 0 {
		return errors.New("usage: shelf version")
	}
	thisBuild().print(sh.stdout)
	return nil
}

func (b build) print(w io.Writer) {
	commit := "unknown"
	if b.commit != "" {
		commit = b.commit + " of " + b.time
	}
	if b.modified {
		commit += ", modified"
	}
	fmt.Fprintf(w, "shelf %s\n  commit  %s\n  go      %s\n  system  %s\n", b.version, commit, b.goes, b.system)
}

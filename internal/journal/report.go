package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"runtime/debug"
	"syscall"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/term"
)

// Print describes the file at path for a person. alive lists the remaining rows
// in words, and rows is their number. damage is nil for a sound file.
func (f Found) Print(w io.Writer, path, alive string, rows int, damage *history.Damage) {
	verdict := "sound"
	if damage != nil {
		verdict = fmt.Sprintf("damaged at line %d: %s", damage.Line, damage.What) + below(damage.Show)
	}
	fmt.Fprintf(w, "%s: %s\n", path, verdict)
	fmt.Fprintf(w, "  format     %d\n", f.Version)
	fmt.Fprintf(w, "  size       %d bytes\n", f.Size)
	fmt.Fprintf(w, "  changes    %d, up to seq %d\n", f.Lines, f.Seq)
	if f.Snapshot > 0 {
		fmt.Fprintf(w, "  compacted  at seq %d\n", f.Snapshot)
	}
	fmt.Fprintf(w, "  alive      %s\n", alive)
	fmt.Fprintf(w, "  history    %d%% of the changes\n", max(0, f.Lines-rows)*100/max(1, f.Lines))
	fmt.Fprintf(w, "  refused    %s, skipped\n", term.Count(f.Refused, "failed write"))
	switch {
	case damage != nil && f.Torn > 0:
		fmt.Fprintf(w, "  behind     %d bytes follow the last good batch\n", f.Torn)
	case f.Torn > 0:
		fmt.Fprintf(w, "  torn tail  %d bytes, never acknowledged: the next start moves them aside\n", f.Torn)
	}
}

// Warn logs the failed writes that Replay skipped, what Start did with a torn
// tail, and the calls that Start could not make.
func (j *Journal) Warn(log *slog.Logger) {
	f := j.found
	if n := f.Refused; n > 0 {
		log.Warn("skipped failed writes that were never acknowledged", "file", j.path, "writes", n)
	}
	for _, lack := range j.missed {
		log.Warn(lack)
	}
	switch {
	case f.TornStays != nil:
		log.Warn("left a torn tail in the file: a write that was never acknowledged", "file", j.path, "bytes", f.Torn, "reason", f.TornStays)
	case f.TornFile != "":
		log.Warn("moved a torn tail aside: a write that was never acknowledged", "from", j.path, "to", f.TornFile, "bytes", f.Torn)
	}
}

// largeFile is the size in bytes from which FreeMemory acts.
const largeFile = 16 << 20

// FreeMemory returns the memory used for reading a large file to the system.
// The Go runtime would keep it much longer.
func (f Found) FreeMemory() {
	if f.Size >= largeFile {
		debug.FreeOSMemory()
	}
}

// A wording is an error in other words.
type wording struct {
	text string
	error
}

func (w wording) Error() string { return w.text }
func (w wording) Unwrap() error { return w.error }

// wordOf words what the system says of the data file, so that a person knows what to do.
func wordOf(at *fs.PathError) error {
	switch {
	case errors.Is(at, syscall.EISDIR):
		return wording{"it is a folder; name a file in it, with -data FILE", at.Err}
	case errors.Is(at, syscall.ENOTDIR):
		return wording{filepath.Dir(at.Path) + " is no directory", at.Err}
	case errors.Is(at, fs.ErrNotExist) && at.Op == "open": // a file would be made
		return wording{"there is no folder " + filepath.Dir(at.Path) + "; make it first", at.Err}
	case errors.Is(at, fs.ErrPermission):
		return wording{"permission denied: look at the owner and the mode of the file and its folder", at.Err}
	}
	return at.Err
}

package journal

import (
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"example.com/shelf/internal/history"
	"example.com/shelf/internal/term"
)

// Print writes what was found in the file at path, for a person. alive says in words
// which rows the changes have left, rows how many those are. damage is nil for a
// file that is sound.
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
	fmt.Fprintf(w, "  refused    %s, passed over\n", term.Count(f.Refused, "failed write"))
	switch {
	case damage != nil && f.Torn > 0:
		fmt.Fprintf(w, "  behind     %d bytes follow the last good batch\n", f.Torn)
	case f.Torn > 0:
		fmt.Fprintf(w, "  torn tail  %d bytes, never acknowledged: the next start moves them aside\n", f.Torn)
	}
}

// Warn tells the log what Replay passed over, what Start did about a torn tail, and
// what it has done without.
func (j *Journal) Warn(log *slog.Logger) {
	f := j.found
	if n := f.Refused; n > 0 {
		log.Warn("passed over failed writes, which nobody was told had worked", "file", j.path, "writes", n)
	}
	for _, lack := range j.missed {
		log.Warn(lack)
	}
	switch {
	case f.TornStays != nil:
		log.Warn("a torn tail stays where it is: a write that was never acknowledged", "file", j.path, "bytes", f.Torn, "reason", f.TornStays)
	case f.TornFile != "":
		log.Warn("moved a torn tail aside: a write that was never acknowledged", "from", j.path, "to", f.TornFile, "bytes", f.Torn)
	}
}

// largeFile is the size in bytes from which on FreeMemory does something.
const largeFile = 64 << 20

// FreeMemory gives back at once the memory that reading a large file took. It can be
// more than what was read takes up, and otherwise stays the process's until much
// later.
func (f Found) FreeMemory() {
	if f.Size >= largeFile {
		debug.FreeOSMemory()
	}
}

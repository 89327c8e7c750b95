package program_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// A copy of the data file is a backup, whenever and however it is made: while
// clients write, while a compaction replaces the file, and, where the test can
// make the disk look full, around writes that fail half-way. Each has all that
// was acknowledged before it was begun, and nothing that was refused.
func TestCopy(t *testing.T) {
	t.Parallel()
	const copies = 50
	dir, l := t.TempDir(), newLedger()
	path := filepath.Join(dir, "shelf.jsonl")
	p := startShelf(t, dir)
	token := p.signUpAnn()

	loading, loaded := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { l.load(loading, p, token, "copied", 8, 50, true) })
	running.Go(func() { squeeze(loading, p, path) })
	defer running.Wait()
	defer loaded()
	waitUntil(t, "the file is large enough to be compacted", func() bool { return fileSize(path) > compactMinSize/2 })

	type copied struct {
		folder string
		before map[string]ledgerRow
	}
	var (
		all        []copied
		compacting int // copies beside which a compaction ran
	)
	for n := range copies {
		if n%2 == 0 { // half of them beside a compaction, if one comes soon
			soon, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			untilDone(soon, func() bool { return exists(path + ".new") })
			cancel()
		}
		c := copied{t.TempDir(), l.snapshot()}
		ran := exists(path + ".new")
		if err := copyFile(filepath.Join(c.folder, "shelf.jsonl"), path, n%3); err != nil {
			t.Fatal(err)
		}
		if ran || exists(path+".new") {
			compacting++
		}
		all = append(all, c)
	}
	loaded()
	running.Wait()

	lost := 0
	for n, c := range all { // now all refusals are known
		if status, stdout, stderr := runShelf(t, c.folder, quickExit, "check"); status != 0 {
			t.Errorf("shelf check of copy %d = %d, %s, %s", n, status, stdout, stderr)
		}
		writeTestFile(t, c.folder, "shelf.key", readTestFile(t, dir, "shelf.key"))
		lost += l.check(fmt.Sprintf("copy %d", n), c.before, itemsOf(t, c.folder, token), false)
		os.RemoveAll(c.folder)
	}
	for _, fault := range l.faults {
		t.Error(fault)
	}
	t.Logf("%d copies, %d of them beside a compaction; %d writes acknowledged, %d lost, %d refused", copies, compacting, l.acked, lost, l.refused)
}

// quickExit spares a program that was built with -race the second that it waits
// at its end for other goroutines to fail.
var quickExit = []string{"GORACE=atexit_sleep_ms=0"}

// itemsOf are the items that a server finds in dir. The server has to end well.
func itemsOf(t *testing.T, dir, token string) []itemRow {
	t.Helper()
	cmd := shelfCommand(t, dir, quickExit, "-stdin")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd).listening()
	items := p.items(token)
	in.Close()
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0; standard error:\n%s", status, p.stderr)
	}
	return items
}

// squeeze has the disk look full to p, again and again, a little beyond the
// end of the file at path, so that writes fail in their middle.
func squeeze(ctx context.Context, p *program, path string) {
	for ctx.Err() == nil {
		pause, cancel := context.WithTimeout(ctx, time.Duration(rand.IntN(40))*time.Millisecond)
		<-pause.Done()
		cancel()
		if !limitFiles(p, fileSize(path)+rand.Int64N(4000)) {
			return
		}
		pause, cancel = context.WithTimeout(ctx, time.Duration(rand.IntN(4))*time.Millisecond)
		<-pause.Done()
		cancel()
		limitFiles(p, noLimit)
	}
}

// copyFile copies as one of three tools would: all at once in the kernel, in
// blocks of 4 KiB, or in large ones with others' turns in between.
func copyFile(to, from string, tool int) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	switch tool {
	case 0:
		_, err = io.Copy(out, in)
	case 1:
		_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, 4<<10))
	default:
		turn := time.NewTicker(time.Millisecond)
		defer turn.Stop()
		for err == nil {
			<-turn.C
			_, err = io.CopyN(struct{ io.Writer }{out}, in, 128<<10)
		}
		if err == io.EOF {
			err = nil
		}
	}
	return errors.Join(err, out.Close())
}

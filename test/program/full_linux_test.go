package program_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A server whose disk is full answers writes with 507 and goes on with reads.
// It writes again once there is room, and a restart finds a good file.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	t.Run("a file-size limit", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		testDiskFull(t, dir,
			func(p *program) { limitFiles(p, fileSize(filepath.Join(dir, "shelf.jsonl"))+20_500) },
			func(p *program) {
				select {
				case <-p.ended: // its limit went with it
				default:
					limitFiles(p, noLimit)
				}
			})
	})
	dir := t.TempDir()
	// A disk of our own takes root's rights. Without them the limit has to do.
	if err := syscall.Mount("shelf-test", dir, "tmpfs", 0, "size=1m,mode=0700"); err != nil {
		t.Logf("no tmpfs of our own: %v", err)
		return
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	t.Run("a small tmpfs", func(t *testing.T) {
		t.Parallel()
		filler := filepath.Join(dir, "filler")
		testDiskFull(t, dir,
			func(*program) { os.WriteFile(filler, make([]byte, 1<<20), 0o600) },
			func(*program) { os.Remove(filler) })
	})
}

// testDiskFull runs a server in dir, where fill leaves little room and free gives it back.
func testDiskFull(t *testing.T, dir string, fill, free func(*program)) {
	l := newLedger()
	p := startShelf(t, dir)
	token := p.signUpAnn()
	for round := range 3 {
		where := fmt.Sprintf("round %d", round)
		another, _ := p.send("POST /api/v1/auth/signin", "", annSecret).want(http.StatusOK).tokens()
		fill(p)
		full, done := context.WithCancel(t.Context())
		go func() {
			defer done()
			refused := l.refusals()
			untilDone(full, func() bool { return l.refusals() >= refused+50 })
		}()
		timeout := time.AfterFunc(patience, done)
		l.load(full, p, token, fmt.Sprint("full", round), 8, 2, true)
		timeout.Stop()
		before := l.refusals()
		if before == 0 {
			t.Fatal("the disk did not get full")
		}
		// Whatever would have to be kept is refused, in each API's own words.
		p.send("POST /api/v1/items", token, `{"itemname":"x","category":"y","description":"`+describe(1)+`"}`).want(http.StatusInsufficientStorage, `"status":507`, `"error":"The disk is full`)
		var book programReply
		for n := 0; n < 100 && book.status != http.StatusInsufficientStorage; n++ { // a few may fit into the last block
			title := fmt.Sprint(round, " ", n, strings.Repeat("🏐", maxTitle-10))
			book = p.send("POST /bookapi/books", token, fmt.Sprintf(`{"title":%q,"author":"Ann"}`, title))
		}
		book.want(http.StatusInsufficientStorage, `"message":"The disk is full`)
		// What only ends something isn't.
		p.send("POST /api/v1/auth/logout", another, "").want(http.StatusOK)
		p.send("GET /api/v1/items", another, "").want(http.StatusUnauthorized)
		l.check(where+", full", l.snapshot(), p.items(token), false)
		p.send("GET /bookapi/books", token, "").want(http.StatusOK)

		free(p)
		p.send("POST /api/v1/auth/signin", "", annSecret).want(http.StatusOK)
		again, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		l.load(again, p, token, fmt.Sprint("room", round), 2, 2, true)
		cancel()
		if l.refusals() > before {
			t.Errorf("%s: a write was refused when there was room again", where)
		}
		l.check(where+", room again", l.snapshot(), p.items(token), false)
		if round == 1 { // killed while full, too
			fill(p)
			full, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			l.load(full, p, token, "killed", 8, 2, true)
			cancel()
			p.kill()
			free(p)
			p = startShelf(t, dir)
			l.check(where+", killed", l.snapshot(), p.items(token), true)
		}
	}
	p.cmd.Process.Signal(syscall.SIGTERM)
	if status := p.wait(); status != 0 {
		t.Errorf("exit status = %d; want 0", status)
	}
	wantText(t, p.stderr.String(), "status=507")
	p = startShelf(t, dir)
	l.check("restarted", l.snapshot(), p.items(token), true)
	p.send("POST /api/v1/items", token, ballForm).want(http.StatusCreated)
	t.Logf("%d writes acknowledged, %d refused", l.acked, l.refused)
	for _, fault := range l.faults {
		t.Error(fault)
	}
}

// On a terminal the log has every request, and its status has a colour unless that is
// turned off.
func TestStartTerminal(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, env []string
		status    string
	}{
		{nil, nil, "\x1b[32m200\x1b[0m "},
		{nil, []string{"NO_COLOR=1"}, "200 "},
		{[]string{"-color=never"}, nil, "200 "},
		{[]string{"-color=always"}, []string{"NO_COLOR=1"}, "\x1b[32m200\x1b[0m "},
	} {
		p, _ := onTerminal(t, shelfCommand(t, t.TempDir(), tt.env, tt.args...))
		p.listening().send("GET /", "", "").want(http.StatusOK)
		p.await(p.stderr, " GET    /                                    "+tt.status)
		p.kill()
	}
}

// ulimit -f, the shell's way to a file-size limit, is a full disk as well, and
// not the end of the server by SIGXFSZ.
func TestDiskFullUlimit(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := shelfCommand(t, t.TempDir(), nil)
	cmd.Args = append([]string{sh, "-c", `ulimit -f 8; exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = sh
	p := launch(t, cmd).listening()
	token := p.signUpAnn()
	status := 0
	for n := 0; status != http.StatusInsufficientStorage && n < 100; n++ {
		status = p.send("POST /api/v1/items", token, strings.Replace(ballForm, "kick", fmt.Sprint("kick", n), 1)).status
	}
	if status != http.StatusInsufficientStorage {
		t.Errorf("the last write = %d; want 507", status)
	}
	p.send("GET /api/v1/items/1", token, "").want(http.StatusOK)
}

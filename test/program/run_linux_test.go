package program_test

import (
	"strings"
	"syscall"
	"testing"
)

// Ctrl-C reaches the command once: the terminal sends it to all that is in the
// foreground, so shelf mustn't send it again. What others send still goes its way.
func TestRunCtrlC(t *testing.T) {
	t.Parallel()
	keys, terminal := openPTY(t)
	const script = `trap 'echo Ctrl-C' INT; trap 'echo the end; exit 4' TERM; echo begun; read line; read line; read line`
	cmd := detach(shelfCommand(t, t.TempDir(), nil, "run", "--", "sh", "-c", script))
	cmd.SysProcAttr.Setctty = true // its terminal is its standard input
	cmd.Stdin = terminal
	p := launch(t, cmd)
	p.await(p.stdout, "begun\n")
	keys.Write([]byte{3})
	p.await(p.stdout, "Ctrl-C\n")
	p.cmd.Process.Signal(syscall.SIGTERM)
	if status := p.wait(); status != 4 {
		t.Errorf("exit status = %d; want 4", status)
	}
	if got, want := p.stdout.String(), "begun\nCtrl-C\nthe end\n"; got != want {
		t.Errorf("the command said %q; want %q", got, want)
	}
}

// Where shelf is killed the kernel ends the command.
func TestRunKilled(t *testing.T) {
	t.Parallel()
	cmd := shelfCommand(t, t.TempDir(), nil, "run", "--", "sh", "-c", `trap 'echo ended; exit' TERM; echo begun; read line`)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p := launch(t, cmd)
	p.await(p.stdout, "begun\n")
	p.cmd.Process.Kill()
	p.wait() // for the command, too, as it has shelf's standard output
	if got := p.stdout.String(); !strings.HasPrefix(got, "begun\nended\n") {
		t.Errorf("the command said %q; want that it ended", got)
	}
}

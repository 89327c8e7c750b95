package program_test

import (
	"net/http"
	"syscall"
	"testing"
)

// A SIGHUP ends a server whose terminal closes. A service manager sends it to have
// a program read its settings again: it ends no server that has no terminal.
func TestHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writePair(t, dir, 1)
	for name, flags := range map[string][]string{"http": nil, "https": {"-tls-cert=cert.pem", "-tls-key=key.pem"}} {
		flags = append(flags, "-data=memory", "-log=requests")
		t.Run("without a terminal, "+name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, detach(shelfCommand(t, dir, nil, flags...))).listening()
			p.cmd.Process.Signal(syscall.SIGHUP)
			p.await(p.stderr, map[string]string{"http": "there is no certificate to reload", "https": "certificate reloaded"}[name])
			if name == "http" {
				p.send("GET /healthz", "", "").want(http.StatusOK, "alive")
			}
			p.cmd.Process.Signal(syscall.SIGTERM)
			if status := p.wait(); status != 0 {
				t.Errorf("exit status = %d; want 0", status)
			}
		})
		t.Run("when the terminal closes, "+name, func(t *testing.T) {
			t.Parallel()
			keys, terminal := openPTY(t)
			cmd := detach(shelfCommand(t, dir, nil, flags...))
			cmd.SysProcAttr.Setctty = true // its terminal is its standard input
			cmd.Stdin = terminal
			p := launch(t, cmd).listening()
			terminal.Close()
			keys.Close()
			p.await(p.stderr, "the terminal was closed")
			if status := p.wait(); status != 0 {
				t.Errorf("exit status = %d; want 0", status)
			}
		})
	}
}

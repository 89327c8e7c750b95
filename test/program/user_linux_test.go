package program_test

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
)

func ttyMode(t *testing.T, tty *os.File) string {
	t.Helper()
	cmd := exec.Command("stty", "-a")
	cmd.Stdin = tty
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestUserPasswordOnTerminal(t *testing.T) {
	t.Parallel()
	prompts := []string{"New password for ann: ", "The same again: "}
	tests := []struct {
		name  string
		typed []string // an answer to each prompt; "^C" is an interrupt
		want  string   // the error
	}{
		{"asked twice, the same is taken", []string{"b00k-worm", "b00k-worm"}, ""},
		{"two that differ change nothing", []string{"b00k-worm", "b00k-w0rm"}, "the two passwords differ: nothing was changed"},
		{"an interrupt at the first", []string{"^C"}, "interrupted: nothing was changed"},
		{"an interrupt at the second", []string{"b00k-worm", "^C"}, "interrupted: nothing was changed"},
		{"the end of input", []string{"^D"}, "no password given: nothing was changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			addAnn(t, dir)
			keyboard, tty := openPTY(t)
			before := ttyMode(t, tty)
			cmd := shelfCommand(t, dir, nil, "user", "passwd", "ann")
			cmd.Stdin = tty
			p := launch(t, cmd)
			for i, answer := range tt.typed {
				p.await(p.stderr, prompts[i])
				if mode := ttyMode(t, tty); !strings.Contains(mode, " -echo ") {
					t.Fatalf("echo is on at the prompt %q: %s", prompts[i], mode)
				}
				switch answer {
				case "^C":
					p.cmd.Process.Signal(os.Interrupt) // as the terminal of a shell does
				case "^D":
					fmt.Fprint(keyboard, "\x04")
				default:
					fmt.Fprintln(keyboard, answer)
				}
			}
			status, says := 0, strings.Join(prompts[:len(tt.typed)], "\n")+"\n"
			login := "username=ann&password=b00k-worm"
			if tt.want != "" {
				status, says = 1, says+"shelf: "+tt.want+"\n"
				if tt.typed[len(tt.typed)-1] == "^C" {
					status = 130
				}
				login = "username=ann&password=" + oldPassword
			}
			if got := p.wait(); got != status || p.stderr.String() != says {
				t.Errorf("shelf user passwd = %d, %q; want %d, %q", got, p.stderr, status, says)
			}
			if after := ttyMode(t, tty); after != before {
				t.Errorf("the terminal's mode is now\n%swas\n%s", after, before)
			}
			// With the echo back, a mark shows; the passwords before it didn't.
			fmt.Fprintln(keyboard, "mark")
			shown, err := bufio.NewReader(keyboard).ReadString('k')
			if err != nil || strings.Contains(shown, "b00") || !strings.Contains(shown, "mar") {
				t.Errorf("the terminal showed %q, %v; want no password", shown, err)
			}
			startShelf(t, dir).send("POST /login", "", login).want(http.StatusCreated)
		})
	}
}

const oldPassword = "0ld-password"

// addAnn makes a data file with an account that is called ann.
func addAnn(t *testing.T, dir string) {
	t.Helper()
	cmd := shelfCommand(t, dir, nil, "user", "add", "ann")
	cmd.Stdin = strings.NewReader(oldPassword + "\n")
	p := launch(t, cmd)
	if status := p.wait(); status != 0 {
		t.Fatalf("shelf user add = %d, %s", status, p.stderr)
	}
}

// /dev/null is a device, and no terminal.
func TestUserPasswordFromDevice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addAnn(t, dir)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	cmd := shelfCommand(t, dir, nil, "user", "passwd", "ann")
	cmd.Stdin = null
	p := launch(t, cmd)
	wantFailure(t, p.wait(), p.stdout.String(), p.stderr.String(), "no password given: nothing was changed")
}

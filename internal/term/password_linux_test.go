package term

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"unsafe"
)

// openPTY opens a pseudo-terminal. A program reads from tty what the test
// writes to keyboard. keyboard shows what tty echoes.
func openPTY(t *testing.T) (keyboard, tty *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	var number, unlock int32
	for request, arg := range map[uintptr]*int32{syscall.TIOCGPTN: &number, syscall.TIOCSPTLCK: &unlock} {
		if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, keyboard.Fd(), request, uintptr(unsafe.Pointer(arg))); errno != 0 {
			t.Fatal(errno)
		}
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

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

func TestPasswordOnTerminal(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		typed []string // the answer to each prompt; "^C" interrupts
		want  string   // the error
	}{
		{"asked twice, the same is taken", []string{"b00k-worm", "b00k-worm"}, "<nil>"},
		{"two that differ change nothing", []string{"b00k-worm", "b00k-w0rm"}, "the two passwords differ: nothing was changed"},
		{"an interrupt at the first", []string{"^C"}, "interrupted: nothing was changed"},
		{"an interrupt at the second", []string{"b00k-worm", "^C"}, "interrupted: nothing was changed"},
		{"the end of input", []string{"^D"}, "no password given: nothing was changed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keyboard, tty := openPTY(t)
			before := ttyMode(t, tty)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			prompts, stderr := io.Pipe()
			type result struct {
				password string
				err      error
			}
			over := make(chan result)
			go func() {
				p, err := ReadNewPassword(ctx, tty, stderr, "ann")
				stderr.Close()
				over <- result{p, err}
			}()
			screen := bufio.NewReader(prompts)
			for _, answer := range tt.typed {
				prompt, err := screen.ReadString(':')
				if err != nil {
					t.Fatalf("after the prompt %q: %v", prompt, err)
				}
				if mode := ttyMode(t, tty); !strings.Contains(mode, " -echo ") {
					t.Fatalf("echo is on at the prompt %q: %s", prompt, mode)
				}
				switch answer {
				case "^C":
					interrupt() // as the signal handler in main does
				case "^D":
					fmt.Fprint(keyboard, "\x04")
				default:
					fmt.Fprintln(keyboard, answer)
				}
			}
			go io.Copy(io.Discard, screen)
			got := <-over
			if fmt.Sprint(got.err) != tt.want || got.err == nil && got.password != "b00k-worm" {
				t.Errorf("ReadNewPassword = %q, %v; want error %q", got.password, got.err, tt.want)
			}
			if after := ttyMode(t, tty); after != before {
				t.Errorf("the terminal's mode is now\n%swas\n%s", after, before)
			}
			// With the echo on again, a mark shows. The passwords did not.
			fmt.Fprintln(keyboard, "mark")
			shown, err := bufio.NewReader(keyboard).ReadString('k')
			if err != nil || strings.Contains(shown, "b00") || !strings.Contains(shown, "mar") {
				t.Errorf("the terminal showed %q, %v; want no password", shown, err)
			}
		})
	}
}

// /dev/null is a device but no terminal.
func TestPasswordFromDevice(t *testing.T) {
	t.Parallel()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if _, err := ReadNewPassword(t.Context(), null, io.Discard, "ann"); fmt.Sprint(err) != "no password given: nothing was changed" {
		t.Errorf("ReadNewPassword from /dev/null: %v", err)
	}
}

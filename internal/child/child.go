// Package child is about the programs next to this one. A [Child] is a program
// that this one starts, as a shell would: it gets the signals that are meant for
// it, and its exit status is that of this program. The other way round, a program
// that starts this one learns from a ready file when it answers, and has it end
// with its standard input: see [WriteReadyFile] and [UntilEOF].
package child

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// The exit statuses that shells have for a command that didn't end by itself.
const (
	statusNotRun   = 126 // the command is there, but can't be run
	statusNotFound = 127
	statusSignal   = 128 // and the number of the signal that ended the command
)

// An Error is why a command was not started.
type Error struct {
	Status int // the exit status for it
	error
}

func (e *Error) Unwrap() error { return e.error }

// childAttr is what the command is started with; child_linux.go has some.
var childAttr *syscall.SysProcAttr

// A Child is a command. It gets the signals that this program gets.
type Child struct {
	Env []string // at first that of this program

	cmd     *exec.Cmd
	caught  chan os.Signal
	running context.Context
	ended   context.CancelFunc
}

// New makes a child of a command and its arguments. From here on a signal is for
// the command, and ends nothing else, until Close. All methods are for the
// goroutine that calls New: it keeps its thread, see child_linux.go.
func New(ctx context.Context, command []string, stdin io.Reader, stdout, stderr io.Writer) *Child {
	c := &Child{caught: make(chan os.Signal, 16)}
	signal.Notify(c.caught, signalsForCommand()...)
	c.running, c.ended = context.WithCancel(context.WithoutCancel(ctx))
	runtime.LockOSThread()
	c.cmd = exec.Command(command[0], command[1:]...)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr, c.cmd.SysProcAttr = stdin, stdout, stderr, childAttr
	c.Env = c.cmd.Environ()
	return c
}

// Running is done when the command has ended.
func (c *Child) Running() context.Context { return c.running }

// Start starts the command, and passes on to it what was caught, until it ends:
// then Running is done. Its errors are an [Error] each.
func (c *Child) Start() error {
	select {
	case sig := <-c.caught:
		return &Error{statusSignal + int(sig.(syscall.Signal)), fmt.Errorf("%v before the command began", sig)}
	default:
	}
	c.cmd.Env = c.Env
	if err := c.cmd.Start(); err != nil {
		status := statusNotRun
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			status = statusNotFound
		}
		return &Error{status, fmt.Errorf("can't run the command: %w", err)}
	}
	go func() {
		c.cmd.Wait() // the status is in c.cmd.ProcessState
		c.ended()
	}()
	go func() {
		for {
			select {
			case sig := <-c.caught:
				passOn(c.cmd.Process, sig)
			case <-c.running.Done():
				return
			}
		}
	}()
	return nil
}

// End asks a command that was started to end, and sees to it after patience.
func (c *Child) End(patience time.Duration) {
	p := c.cmd.Process
	if p == nil {
		return
	}
	if p.Signal(syscall.SIGTERM) != nil { // as on Windows
		p.Kill()
	}
	select {
	case <-c.running.Done():
	case <-time.After(patience):
		p.Kill()
		<-c.running.Done()
	}
}

// Close has signals do again what they did before New.
func (c *Child) Close() {
	c.ended()
	signal.Stop(c.caught)
	runtime.UnlockOSThread()
}

// Status is the exit status of a command that has ended, as shells have it.
func (c *Child) Status() int {
	state := c.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return statusSignal + int(status.Signal())
	}
	return state.ExitCode()
}

// Package child starts other programs, and helps programs that start this one.
// A [Child] is a command that this program runs as a shell would: the command
// gets the signals, and its exit status becomes this program's. A program that
// starts this one learns from a ready file when the server answers, and stops
// the server by closing its standard input: see [WriteReadyFile] and
// [UntilEOF]. A health check asks by [ReadyCommand]. docs/tools.md says how to use
// all of these.
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

// Exit statuses for a command that didn't exit by itself, as those of env(1), timeout(1)
// and shells.
const (
	statusServer   = 125 // the server beside the command could not start, or failed
	statusNotRun   = 126 // the command exists but can't be run
	statusNotFound = 127
	statusSignal   = 128 // plus the number of the signal that ended the command
)

// An Error is the reason why a command was not started.
type Error struct {
	Status int // exit status for this error
	error
}

func (e *Error) Unwrap() error { return e.error }

// childAttr holds attributes for starting the command; see child_linux.go.
var childAttr *syscall.SysProcAttr

// A Child is a command that receives the signals sent to this program.
type Child struct {
	Env []string // initially that of this program

	cmd     *exec.Cmd
	caught  chan os.Signal
	running context.Context
	ended   context.CancelFunc
}

// New returns a child for a command with arguments. From now until Close,
// signals go to the command and don't end this program. Only the goroutine that
// calls New may call the methods: New locks its thread, see child_linux.go.
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

// Running returns a context that is done when the command has ended.
func (c *Child) Running() context.Context { return c.running }

// Start starts the command and forwards signals to it until it ends. Every
// error is an [Error].
func (c *Child) Start() error {
	select {
	case sig := <-c.caught:
		return &Error{statusSignal + int(sig.(syscall.Signal)), fmt.Errorf("%v before the command began", sig)}
	default:
	}
	c.cmd.Env = c.Env
	if err := c.cmd.Start(); err != nil {
		return notStarted(c.cmd.Args[0], err)
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

// notStarted words the error of a command that can't be run.
func notStarted(name string, err error) *Error {
	status, why := statusNotRun, err
	switch {
	case errors.Is(err, exec.ErrNotFound):
		status, why = statusNotFound, errors.New("no folder of PATH has a program of that name")
	case errors.Is(err, fs.ErrNotExist):
		status, why = statusNotFound, errors.New("there is no such file")
	case errors.Is(err, fs.ErrPermission):
		why = errors.New("it may not be run: chmod +x makes a file a program")
	}
	return &Error{status, fmt.Errorf("can't run the command %s: %w", name, why)}
}

// Beside calls serve, which calls Start once it serves, and serves until its context is
// done: then the command has ended. A server that fails ends the command, after
// patience. Beside returns the exit status of the command, or of what kept it from
// running, with the error. It closes c.
func (c *Child) Beside(patience time.Duration, serve func(ctx context.Context) error) (status int, err error) {
	defer c.Close()
	err = serve(c.running)
	if err == nil {
		return c.Status(), nil
	}
	c.End(patience)
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed.Status, err
	}
	return statusServer, err
}

// End sends SIGTERM to a running command, and SIGKILL after patience.
func (c *Child) End(patience time.Duration) {
	p := c.cmd.Process
	if p == nil {
		return
	}
	if p.Signal(syscall.SIGTERM) != nil { // Windows has no SIGTERM
		p.Kill()
	}
	select {
	case <-c.running.Done():
	case <-time.After(patience):
		p.Kill()
		<-c.running.Done()
	}
}

// Close restores the handling of signals from before New.
func (c *Child) Close() {
	c.ended()
	signal.Stop(c.caught)
	runtime.UnlockOSThread()
}

// Status returns the exit status of a command that has ended, as in shells.
func (c *Child) Status() int {
	state := c.cmd.ProcessState
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return statusSignal + int(status.Signal())
	}
	return state.ExitCode()
}

package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// runDefaults are what shelf run sets as with flags, before those that it is
// given: so they go before the environment, where PORT and SHELF_DATA are most
// likely another server's.
var runDefaults = []string{"-addr=127.0.0.1:0", "-data=memory", "-bcrypt-cost=4", "-log=problems", "-stdin=false", "-lab"}

// The exit statuses of shelf run that are not its command's: as those of env(1),
// timeout(1) and of shells.
const (
	statusUsage    = 2
	statusServer   = 125 // the server could not start, or failed
	statusNotRun   = 126 // the command is there, but can't be run
	statusNotFound = 127
	statusSignal   = 128 // and the number of the signal that ended the command
)

// readyMadeTTL is the life of the tokens that the command is given, by the
// server's clock: longer than any -access-ttl in use, as a run of tests can't be
// asked to sign in anew.
const readyMadeTTL = 24 * time.Hour

// childAttr is what the command is started with; child_linux.go has some.
var childAttr *syscall.SysProcAttr

// runCommand is the command shelf run: a server for the time that another
// command takes. Standard input and output are that command's alone. It gets the
// signals that shelf gets, shelf ends when it does, and with its exit status.
func runCommand(ctx context.Context, sh shell, args []string) error {
	c, command, err := runSettings(sh, args)
	if err != nil {
		return err
	}
	// From here on a signal is for the command, and ends nothing else.
	caught := make(chan os.Signal, 16)
	signal.Notify(caught, signalsForCommand()...)
	defer signal.Stop(caught)
	running, ended := context.WithCancel(context.WithoutCancel(ctx))
	defer ended()

	runtime.LockOSThread() // see child_linux.go
	defer runtime.UnlockOSThread()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = sh.stdin, sh.stdout, sh.stderr, childAttr
	err = serve(running, c, sh.stderr, func(s *server) (err error) {
		cmd.Env, err = s.readyMade(cmd.Environ())
		return err
	}, func(s *server, url string) error {
		cmd.Env = append(cmd.Env, "SHELF_URL="+url)
		return startChild(running, cmd, caught, ended)
	})
	if err == nil {
		return exitStatus(statusOf(cmd.ProcessState))
	}
	if cmd.Process != nil {
		endChild(cmd.Process, running.Done())
	}
	if _, ok := errors.AsType[*statusError](err); ok {
		return err
	}
	return &statusError{statusServer, err}
}

// runSettings reads the arguments of shelf run. It fails with flag.ErrHelp, or
// with statusUsage.
func runSettings(sh shell, args []string) (c settings, command []string, err error) {
	if wantsHelp(args) {
		return c, nil, flag.ErrHelp
	}
	at := slices.Index(args, "--")
	if at < 0 || at == len(args)-1 {
		err = errors.New("usage: shelf run [flags] -- COMMAND ARGS..., such as: shelf run -- npm test")
		return c, nil, &statusError{statusUsage, err}
	}
	c, err = sh.parse(append(slices.Clone(runDefaults), args[:at]...))
	switch {
	case errors.Is(err, flag.ErrHelp):
		return c, nil, err
	case err == nil && c.data != inMemory:
		err = errors.New("run keeps its data in memory, so -data makes no sense; -seed FILE.json gives it some")
	case err == nil && c.stdin:
		err = errors.New("standard input is the command's, so -stdin makes no sense")
	}
	if err != nil {
		return c, nil, &statusError{statusUsage, err}
	}
	c.labToken = rand.Text() // whoever started shelf may know what is in the environment
	return c, args[at+1:], nil
}

// readyMade adds two accounts, the second an admin's, and returns env with a
// token of each. They have no password: nobody can sign in to them.
func (s *server) readyMade(env []string) ([]string, error) {
	for _, account := range []struct {
		variable, email string
		admin           bool
	}{
		{"SHELF_TOKEN", "user@shelf.example", false},
		{"SHELF_ADMIN_TOKEN", "admin@shelf.example", true},
	} {
		u := &user{PublicID: newJTI(), Username: account.email, Email: account.email, Admin: account.admin, Created: s.now().UTC().Truncate(time.Second)}
		token, record, err := s.issue(u, accessToken, readyMadeTTL, true)
		if err == nil {
			err = s.store.signUp(u, record)
		}
		if err != nil {
			return nil, fmt.Errorf("adding the account %s: %w", account.email, err)
		}
		env = append(env, account.variable+"="+token)
	}
	return append(env, "SHELF_LAB_TOKEN="+s.config.labToken), nil // without a lab, none: an outer server's is of no use here
}

// startChild starts the command and passes on to it what is caught, until it
// calls ended, which makes running done: then cmd.ProcessState has the status.
// Its errors have the exit statuses that shells have for them.
func startChild(running context.Context, cmd *exec.Cmd, caught <-chan os.Signal, ended func()) error {
	select {
	case sig := <-caught:
		return &statusError{statusSignal + int(sig.(syscall.Signal)), fmt.Errorf("%v before the command began", sig)}
	default:
	}
	if err := cmd.Start(); err != nil {
		status := statusNotRun
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			status = statusNotFound
		}
		return &statusError{status, fmt.Errorf("can't run the command: %w", err)}
	}
	go func() {
		cmd.Wait()
		ended()
	}()
	go func() {
		for {
			select {
			case sig := <-caught:
				passOn(cmd.Process, sig)
			case <-running.Done():
				return
			}
		}
	}()
	return nil
}

// endChild asks a process to end, and sees to it after drainTime.
func endChild(p *os.Process, ended <-chan struct{}) {
	if p.Signal(syscall.SIGTERM) != nil { // as on Windows
		p.Kill()
	}
	select {
	case <-ended:
	case <-time.After(drainTime):
		p.Kill()
		<-ended
	}
}

// statusOf is the exit status of a command as shells have it.
func statusOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return statusSignal + int(status.Signal())
	}
	return state.ExitCode()
}

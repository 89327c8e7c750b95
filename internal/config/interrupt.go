package config

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"example.com/shelf/internal/term"
)

// A signaled is the cause of a context that UntilSignal has cancelled.
type signaled struct{ syscall.Signal }

func (s signaled) Error() string { return s.Signal.String() }

// once is how long more signals are taken for the first: npm and other programs pass on
// a Ctrl-C that the terminal has sent to everything in its foreground already.
const once = 250 * time.Millisecond

// UntilSignal returns a context that is done at the first Ctrl-C or SIGTERM. A second
// signal ends the process at once, but not in the same moment.
func UntilSignal(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-caught
		cancel(signaled{sig.(syscall.Signal)})
		time.Sleep(once)
		signal.Stop(caught)
	}()
	return ctx
}

// An Interrupt ends a command as soon as its context is done, and reports what
// was kept.
type Interrupt struct {
	mu          sync.Mutex
	kept        string
	interrupted bool          // the context is done
	ended       bool          // the command was abandoned
	over        chan struct{} // closed when ended is set
}

// Keeps sets what is kept if the command is interrupted from now on, such as
// "nothing was changed". With "" the command ends by itself. If the command was
// already abandoned, Keeps never returns, so that the command does nothing
// more. A nil Interrupt ignores interruptions.
func (i *Interrupt) Keeps(what string) {
	if i == nil {
		return
	}
	i.mu.Lock()
	if !i.ended {
		i.kept = what
		i.settleLocked()
	}
	ended := i.ended
	i.mu.Unlock()
	if ended {
		select {}
	}
}

func (i *Interrupt) settleLocked() {
	if i.interrupted && i.kept != "" {
		i.ended = true
		close(i.over)
	}
}

// Run runs a command that keeps keeps at first, and returns its error. When ctx
// is done, the command ends by itself or is abandoned. The error is then a
// [Status] of 128 plus the signal's number, as in shells, and the process must
// exit.
func (i *Interrupt) Run(ctx context.Context, keeps string, command func() error) error {
	i.kept, i.over = keeps, make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- command() }()
	select {
	case err := <-done:
		return interruption(ctx, err)
	case <-ctx.Done():
	}
	i.mu.Lock()
	i.interrupted = true
	i.settleLocked()
	i.mu.Unlock()
	select {
	case err := <-done:
		return interruption(ctx, err)
	case <-i.over:
	}
	return interruption(ctx, term.Interrupted(i.kept))
}

// interruption adds the exit status of the signal to err, if err is an
// interruption.
func interruption(ctx context.Context, err error) error {
	if _, ok := errors.AsType[term.Interrupted](err); !ok {
		return err
	}
	sig := signaled{syscall.SIGINT}
	errors.As(context.Cause(ctx), &sig)
	return Failed(128+int(sig.Signal), err)
}

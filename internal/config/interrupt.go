package config

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"example.com/shelf/internal/term"
)

// A signaled is why a context of UntilSignal is done.
type signaled struct{ syscall.Signal }

func (s signaled) Error() string { return s.Signal.String() }

// UntilSignal is ctx, done at the first Ctrl-C or SIGTERM. The second one ends
// the process at once, as the system does it.
func UntilSignal(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-caught
		signal.Stop(caught)
		cancel(signaled{sig.(syscall.Signal)})
	}()
	return ctx
}

// An Interrupt ends a command at once when the command's context is done, and
// says what was kept.
type Interrupt struct {
	mu          sync.Mutex
	kept        string
	interrupted bool          // the context is done
	ended       bool          // and the command was left behind
	over        chan struct{} // closed when ended is set
}

// Keeps sets what an interruption keeps from here on, such as "nothing was
// changed". With "" the command ends by itself when its context is done. Once
// the command was left behind, Keeps doesn't return, so nothing after it happens.
// A nil Interrupt never ends anything.
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

// Run runs a command that at first keeps what it says, and returns the command's
// error. When ctx is done the command ends, by itself or left behind: then the
// error is a [Status] of 128 and the signal's number, as shells have it, and the
// process is to exit.
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

// interruption is err, with the exit status of a signal if that is the reason.
func interruption(ctx context.Context, err error) error {
	if _, ok := errors.AsType[term.Interrupted](err); !ok {
		return err
	}
	sig := signaled{syscall.SIGINT}
	errors.As(context.Cause(ctx), &sig)
	return Failed(128+int(sig.Signal), err)
}

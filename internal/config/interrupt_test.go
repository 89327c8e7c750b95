package config

import (
	"context"
	"errors"
	"testing"

	"example.com/shelf/internal/term"
)

func TestInterrupt(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	for _, tt := range []struct {
		name    string
		command func(ctx context.Context, i *Interrupt, cancel func()) error
		want    string
		status  int
	}{
		{"a command that nothing interrupts", func(context.Context, *Interrupt, func()) error { return failed }, "failed", 0},
		{"one that goes on meanwhile is left behind", func(_ context.Context, _ *Interrupt, cancel func()) error { cancel(); select {} }, "interrupted: nothing", 130},
		{"it keeps what it said last", func(_ context.Context, i *Interrupt, cancel func()) error { i.Keeps("half"); cancel(); select {} }, "interrupted: half", 130},
		{"one that ends by itself is waited for", func(ctx context.Context, i *Interrupt, cancel func()) error {
			i.Keeps("")
			cancel()
			<-ctx.Done()
			return term.Interrupted("all")
		}, "interrupted: all", 130},
		{"and may fail otherwise", func(ctx context.Context, i *Interrupt, cancel func()) error {
			i.Keeps("")
			cancel()
			<-ctx.Done()
			return failed
		}, "failed", 0},
		{"until it says that it doesn't any more", func(ctx context.Context, i *Interrupt, cancel func()) error {
			i.Keeps("")
			cancel()
			<-ctx.Done()
			i.Keeps("a bit")
			select {}
		}, "interrupted: a bit", 130},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			i := new(Interrupt)
			err := i.Run(ctx, "nothing", func() error { return tt.command(ctx, i, cancel) })
			status, _ := errors.AsType[*Status](err)
			if err.Error() != tt.want || status != nil && status.Code != tt.status || status == nil && tt.status != 0 {
				t.Errorf("Run = %v; want %s, %d", err, tt.want, tt.status)
			}
		})
	}
}

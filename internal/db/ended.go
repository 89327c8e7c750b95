package db

import "context"

// Unused reports whether no table has ever held a row.
func (d *DB) Unused() (empty bool) {
	d.View(func(tx *Tx) { empty = tx.Empty() })
	return empty
}

// UntilEnded returns a context that also ends when d can't go on: see Ended. why
// releases the context, and says why d can't go on, or returns nil.
func (d *DB) UntilEnded(ctx context.Context) (until context.Context, why func() error) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		select {
		case <-d.Ended():
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() error {
		cancel()
		select {
		case <-d.Ended():
			return d.Writable()
		default:
			return nil
		}
	}
}

package password

import (
	"context"
	"net/netip"
	"sync"
)

// HashAll returns the hashes of many passwords, in their order. It works on all
// processors, and calls progress after each password, with the number that are done.
// It fails for the first password that can't be hashed, and when ctx is done.
func HashAll(ctx context.Context, cost int, passwords []string, progress func(done int)) ([]string, error) {
	hasher := NewWith(cost, processors)
	hashes := make([]string, len(passwords))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	next, done := 0, 0
	var workers sync.WaitGroup
	for range processors {
		workers.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= len(passwords) || ctx.Err() != nil {
					return
				}
				hash, err := hasher.Hash(ctx, netip.Prefix{}, passwords[i])
				if err != nil {
					cancel(err)
					return
				}
				mu.Lock()
				hashes[i] = hash
				done++
				progress(done)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return hashes, context.Cause(ctx)
}

package password

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Go runs as many threads at a time as there are processors. A thread that computes
// a hash gives way to other goroutines of the program only after 10 ms. With a hash
// on each processor, all other requests would wait for that, again and again.
//
// So while hashes run and other requests come, Go may run twice as many threads. Then
// the system shares the processors among threads. It soon gives one to a thread that
// has waited for a request, and hashes take what is left. Measured on two processors,
// 8 connections that sign in beside 32 that read an item (p99 of a read alone: 10 ms):
//
//	                                     sign-ins   reads   p99 of a read
//	one hash at a time                    3.2 /s   21,600/s     18 ms
//	two, with as many threads as usual    6.0 /s    9,500/s     45 ms
//	two, with twice as many threads       5.3 /s   16,200/s     16 ms
//
// Without other requests the system moves two hashes to one processor at times: twice
// as many threads give 10 % fewer sign-ins. So a hash that ends without having seen
// another request sets the number back.
type threads struct {
	hashes atomic.Int32 // that run
	others atomic.Bool  // another request came since a hash ended

	mu   sync.Mutex // guards more
	more bool       // Go may run twice as many threads
}

// shared is that of all hashers, because the number of threads is the program's.
var shared threads

// processors is the number of threads that Go runs while there is no hash: as many
// as there are processors, unless GOMAXPROCS or the quota of a container is lower.
var processors = runtime.GOMAXPROCS(0)

// canShare is false in a container with a quota of processor time. More threads
// would use the quota up, and then the system stops all of them for a while.
func canShare() bool { return processors >= runtime.NumCPU() }

// shortCost is a cost up to which a hash takes a few milliseconds.
const shortCost = 8

// hashing notes that a hash runs until done is called.
func (h *Hasher) hashing() (done func()) {
	if h.cost <= shortCost || !canShare() {
		return func() {}
	}
	shared.hashes.Add(1)
	return func() {
		if last := shared.hashes.Add(-1) == 0; !shared.others.Swap(false) || last {
			shared.set(false)
		}
	}
}

// MakeRoom is for each request that needs no hash. If hashes run, Go may then run
// more threads.
func (h *Hasher) MakeRoom() {
	if shared.hashes.Load() > 0 && !shared.others.Swap(true) {
		shared.set(true)
	}
}

// set sets the number of threads. There are more only while hashes run: the hash that a
// request saw may have ended. A change stops the program for some microseconds.
func (t *threads) set(more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	more = more && t.hashes.Load() > 0
	if t.more == more {
		return
	}
	n := processors
	if t.more = more; more {
		n *= 2
	}
	runtime.GOMAXPROCS(n)
}

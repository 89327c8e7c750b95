// Package limit knows how often is too often: it counts wrong passwords and
// sign-ups, and tells who makes too many of them to wait. Before a password is
// looked at, ask [Limiter.Try]; when it was, tell [Limiter.Judge]. Its memory
// is fixed, whatever is sent to it. It knows no account: a name is any text.
package limit

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Rules say how often is too often. Who guesses at one account from one address
// waits longer and longer; who goes through many accounts from one address runs
// into the address's own limits.
type Rules struct {
	FreeTries   int           // wrong passwords in a row, of one account from one address
	LongestWait time.Duration // after more; the first wait is a second, each further one twice as long
	Failures    int           // wrong passwords from one address in a minute
	SignUps     int           // sign-ups from one address in a minute
}

// firstWait is how long to wait after the free tries.
const firstWait = time.Second

// A Limiter counts who guesses (OWASP ASVS 5, 6.3.1; CWE-307). Its counters are
// kept per pair of account and address, and not per account, so that nobody can
// keep an owner out by guessing: a right password from elsewhere never waits.
// Accounts that don't exist are counted alike, or a refusal would tell which do.
//
// Its memory is three tables of a fixed size, whatever is sent to it.
type Limiter struct {
	now   func() time.Time
	rules Rules
	seed  maphash.Seed // secret: nobody can aim at a place in a table

	mu       sync.Mutex // guards what follows
	pairs    tallies    // wrong passwords in a row, of account and address
	failures tallies    // wrong passwords, of an address
	signUps  tallies    // of an address
}

// tallies is a table of counters: a key's is in one of the eight places of its
// set, or not in the table. When all eight are in use, the smallest count makes
// room for a new one. To have a pair forgotten, an attacker must therefore fill
// its set with counts as high as the pair's: as the seed hides which keys those
// are, that takes some 160,000 wrong passwords, at the price of a bcrypt hash
// each, for ten more free tries. Waiting is cheaper. Sign-ups have a table of
// their own because they may cost no hash.
type tallies [2048][8]tally

// A tally is one counter.
type tally struct {
	key   uint64    // what it counts, see keyOf
	count int       // how often that happened
	last  time.Time // when it happened last
	until time.Time // when it is forgotten; zero if it was never used
}

// pairMemory is how long a pair is remembered after its last wrong password, and
// so the longest wait there can be. Ten free tries an hour are fewer than one a minute, so it pays to forget
// nothing sooner, and an attacker gains nothing by waiting for it.
const pairMemory = time.Hour

// window is what the limits of an address are counted in. It begins with the
// first event, so no more than twice the limit fit into any one minute.
const window = time.Minute

// TooMany is the refusal: there were too many attempts.
type TooMany struct {
	Wait time.Duration // until the next attempt may be made
}

func (e TooMany) Error() string { return "too many attempts" }

// New makes a limiter that has counted nothing, by the clock now.
func New(now func() time.Time, rules Rules) *Limiter {
	return &Limiter{now: now, rules: rules, seed: maphash.MakeSeed()}
}

// Try reports whether a password for the account may be tried from the address.
// Otherwise it fails with [TooMany]. Two texts are two accounts: spellings that
// name the same one must be made the same before.
func (l *Limiter) Try(account string, from netip.Addr) error {
	pair, address := l.keyOf(account, from), l.keyOf("", from)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusalLocked(pair, address, l.now())
}

// Judge takes note of whether the password of a try was right. Tries that run
// at the same time can't slip past the count: if others have used it up
// meanwhile, judge fails with [TooMany], and the client must be told that instead of
// whether it was right. So what can be learned is what can be learned one by
// one, and right passwords, however many at once, are never in each other's way.
func (l *Limiter) Judge(account string, from netip.Addr, right bool) error {
	pair, address := l.keyOf(account, from), l.keyOf("", from)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	refusal := l.refusalLocked(pair, address, now)
	if !right && !from.IsLoopback() {
		l.failures.add(address, now, window)
	}
	switch {
	case refusal != nil:
		return refusal
	case right:
		l.pairs.forget(pair)
	default:
		l.pairs.add(pair, now, pairMemory).until = now.Add(pairMemory)
	}
	return nil
}

// SignUp counts a sign-up from the address, or fails with [TooMany]. It counts one
// whose e-mail or username turns out to be taken too: that is how to find out
// who has an account.
func (l *Limiter) SignUp(from netip.Addr) error {
	if from.IsLoopback() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, key := l.now(), l.keyOf("", from)
	if t := l.signUps.find(key, now); t != nil && t.count >= l.rules.SignUps {
		return TooMany{t.until.Sub(now)}
	}
	l.signUps.add(key, now, window)
	return nil
}

func (l *Limiter) refusalLocked(pair, address uint64, now time.Time) error {
	if t := l.pairs.find(pair, now); t != nil {
		if ready := t.last.Add(l.rules.backOff(t.count)); now.Before(ready) {
			return TooMany{ready.Sub(now)}
		}
	}
	if t := l.failures.find(address, now); t != nil && t.count >= l.rules.Failures {
		return TooMany{t.until.Sub(now)}
	}
	return nil
}

// backOff is how long to wait after n wrong passwords in a row.
func (r Rules) backOff(n int) time.Duration {
	if n < r.FreeTries {
		return 0
	}
	return min(firstWait<<min(n-r.FreeTries, 20), r.LongestWait) // 1<<20 s are twelve days
}

// keyOf is the key of a counter: a hash, so that a name takes no room however
// long it is, and so that none is kept. The addresses of an IPv6 network are one:
// a client has the last 64 bits to itself and may take a new address for each
// request (RFC 4291 §2.5.1, RFC 8981).
func (l *Limiter) keyOf(account string, from netip.Addr) uint64 {
	if from.Is6() {
		network, _ := from.Prefix(64) // fails for more than 128 only
		from = network.Addr()
	}
	return maphash.Comparable(l.seed, struct {
		account string
		from    netip.Addr
	}{account, from})
}

func (t *tallies) set(key uint64) *[8]tally { return &t[key%uint64(len(t))] }

// find returns nil for a key that was never counted or is forgotten.
func (t *tallies) find(key uint64, now time.Time) *tally {
	set := t.set(key)
	for i := range set {
		if set[i].key == key && now.Before(set[i].until) {
			return &set[i]
		}
	}
	return nil
}

// add counts one more for key; a new tally is kept for the given time.
func (t *tallies) add(key uint64, now time.Time, kept time.Duration) *tally {
	found := t.find(key, now)
	if found == nil {
		set := t.set(key)
		found = &set[0]
		for i := range set {
			if found.worthMore(&set[i], now) {
				found = &set[i]
			}
		}
		*found = tally{key: key, until: now.Add(kept)}
	}
	found.count++
	found.last = now
	return found
}

func (t *tallies) forget(key uint64) {
	set := t.set(key)
	for i := range set {
		if set[i].key == key {
			set[i] = tally{}
		}
	}
}

// worthMore reports whether other should make room before t: what is forgotten
// first, then the smaller count, then the older.
func (t *tally) worthMore(other *tally, now time.Time) bool {
	worth := func(t *tally) int {
		if !now.Before(t.until) {
			return 0 // forgotten, or never used
		}
		return t.count
	}
	return cmp.Or(cmp.Compare(worth(t), worth(other)), t.last.Compare(other.last)) > 0
}

// Package limit counts wrong passwords and sign-ups, and makes clients wait
// that have too many. Call [Limiter.Try] before a password is checked, and
// [Limiter.Judge] after. The package uses a fixed amount of memory. It knows no
// accounts: a name is any text.
package limit

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

// Rules are the limits. One address that guesses at one account waits longer
// each time. One address that tries many accounts reaches the limits of the
// address.
type Rules struct {
	FreeTries   int           // wrong passwords in a row before the first wait, per account and address
	InRow       int           // wrong passwords in a row, per account, from all addresses
	LongestWait time.Duration // the first wait is one second; each wait is twice the last, up to this
	Failures    int           // wrong passwords per minute and address
	SignUps     int           // sign-ups per minute and address
}

// firstWait is the wait after the free tries.
const firstWait = time.Second

// A Limiter limits password guessing (OWASP ASVS 5, 6.3.1; CWE-307). Most
// counters are per pair of account and address, so guessing from elsewhere
// doesn't keep an owner out. Accounts that don't exist are counted too.
// Otherwise a refusal would show which accounts exist.
//
// An attacker with many addresses gets few tries from each. So the wrong
// passwords in a row of an account are counted over all addresses too (NIST SP
// 800-63B §5.2.2). At that limit, an address that is new to the account must
// come again after the longest wait, and waits as long after each wrong
// password. An owner at a new address is thus delayed once, and never locked
// out. An address that has sent a right password of the account waits only for
// its own wrong ones.
//
// The memory is six tables of fixed size, each made with its first counter.
type Limiter struct {
	now   func() time.Time
	rules Rules
	seed  maphash.Seed // secret, so that no client can choose a set of a table

	mu        sync.Mutex // guards the fields below
	pairs     tallies    // wrong passwords in a row, per account and address
	failures  tallies    // wrong passwords, per address
	signUps   tallies    // sign-ups, per address
	inRow     tallies    // wrong passwords in a row, per account
	known     tallies    // right passwords, per account and address
	newcomers tallies    // pairs of account and address that must come again
}

// tallies is a table of counters, in sets of eight. A key's counter can be in
// one set only. If a set is full, the smallest count is evicted. To evict a
// pair, an attacker must fill its set with counts as high as the pair's. The
// secret seed hides which keys are in a set. So it takes about 160,000 wrong
// passwords, and as many bcrypt hashes, to get ten more free tries. Waiting is
// cheaper. Sign-ups and newcomers have their own tables, because they may cost
// no hash.
//
// A Go map with the same limit and the same eviction needs no less code. Under a
// flood of new keys it takes two to three times as long (BenchmarkTallies).
type tallies struct{ sets *[2048]set } // nil: no counters yet

// A set is the counters of keys that share it.
type set [8]tally

// A tally is one counter.
type tally struct {
	key   uint64    // from keyOf
	count int       // number of events
	last  time.Time // the last event
	until time.Time // time when it is forgotten; zero: never used
}

// pairMemory is how long a pair is remembered after its last wrong password. It
// is also the longest possible wait. Ten free tries an hour are fewer than one
// a minute, so an attacker gains nothing by waiting until a pair is forgotten.
const pairMemory = time.Hour

// accountMemory is how long an account's wrong passwords in a row are
// remembered after the last one, and for how long an address counts as known.
const accountMemory = 30 * 24 * time.Hour

// window is the time over which an address is counted. It begins with the first
// event, so any one minute has at most twice the limit.
const window = time.Minute

// TooMany is the error for too many attempts.
type TooMany struct {
	Wait time.Duration // time until the next attempt
}

func (e TooMany) Error() string { return "too many attempts" }

// New returns a limiter with empty counters and the clock now.
func New(now func() time.Time, rules Rules) *Limiter {
	return &Limiter{now: now, rules: rules, seed: maphash.MakeSeed()}
}

// Try returns nil if a password for the account may be checked, else [TooMany].
// account must be normalised: two spellings are two accounts.
func (l *Limiter) Try(account string, from netip.Addr) error {
	k := l.keysOf(account, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusalLocked(k, l.now())
}

// Judge records whether the password was right. If other tries have reached the
// limit meanwhile, Judge fails with [TooMany], and the client must get that
// answer instead of the result. So concurrent tries can't exceed the limit, and
// right passwords never block each other.
func (l *Limiter) Judge(account string, from netip.Addr, right bool) error {
	k := l.keysOf(account, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	refusal := l.refusalLocked(k, now)
	if !right && !from.IsLoopback() {
		for _, network := range k.networks {
			l.failures.add(network, now, window)
		}
	}
	switch {
	case refusal != nil:
		return refusal
	case right:
		l.pairs.forget(k.pair)
		l.inRow.forget(k.account)
		l.known.add(k.pair, now, accountMemory).until = now.Add(accountMemory)
	default:
		l.pairs.add(k.pair, now, pairMemory).until = now.Add(pairMemory)
		l.inRow.add(k.account, now, accountMemory).until = now.Add(accountMemory)
	}
	return nil
}

// SignUp counts a sign-up from the address, or fails with [TooMany]. It also
// counts a sign-up whose e-mail or username is taken, because such answers show
// who has an account.
func (l *Limiter) SignUp(from netip.Addr) error {
	if from.IsLoopback() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now, networks := l.now(), l.keysOf("", from).networks
	if err := l.signUps.over(networks, l.rules.SignUps, now); err != nil {
		return err
	}
	for _, network := range networks {
		l.signUps.add(network, now, window)
	}
	return nil
}

func (l *Limiter) refusalLocked(k keys, now time.Time) error {
	wait := l.rules.backOff
	t := l.pairs.find(k.pair, now)
	if all := l.inRow.find(k.account, now); all != nil && all.count >= l.rules.InRow && l.known.find(k.pair, now) == nil {
		wait = func(int) time.Duration { return l.rules.LongestWait }
		if t == nil {
			t = l.newcomers.find(k.pair, now)
		}
		if t == nil {
			t = l.newcomers.add(k.pair, now, pairMemory+l.rules.LongestWait)
		}
	}
	if t != nil {
		if ready := t.last.Add(wait(t.count)); now.Before(ready) {
			return TooMany{ready.Sub(now)}
		}
	}
	return l.failures.over(k.networks, l.rules.Failures, now)
}

// over fails with [TooMany] if the count of any key has reached most.
func (t *tallies) over(keys []uint64, most int, now time.Time) error {
	for _, key := range keys {
		if t := t.find(key, now); t != nil && t.count >= most {
			return TooMany{t.until.Sub(now)}
		}
	}
	return nil
}

// backOff returns the wait after n wrong passwords in a row.
func (r Rules) backOff(n int) time.Duration {
	if n < r.FreeTries {
		return 0
	}
	return min(firstWait<<min(n-r.FreeTries, 20), r.LongestWait) // 1<<20 seconds are twelve days
}

// keys are the keys of the counters for an account and an address.
type keys struct {
	pair, account uint64
	networks      []uint64 // networks that contain the address
}

// keysOf hashes the account and the address, so that a long name needs no
// memory and no name is stored. All addresses of an IPv6 /64 are one network,
// because a client may use a new one for each request (RFC 4291 §2.5.1, RFC
// 8981). All addresses of a /48 are counted together too, because a site has up
// to 65,536 such networks (RFC 6177 §2).
func (l *Limiter) keysOf(account string, from netip.Addr) keys {
	key := func(account string, network netip.Prefix) uint64 {
		return maphash.Comparable(l.seed, struct {
			account string
			network netip.Prefix
		}{account, network})
	}
	k := keys{pair: key(account, Network(from)), account: key(account, netip.Prefix{}), networks: []uint64{key("", Network(from))}}
	if from.Is6() {
		site, _ := from.Prefix(48) // fails for more than 128 bits only
		k.networks = append(k.networks, key("", site))
	}
	return k
}

// Network returns the addresses that one client can choose from: an IPv4
// address, or an IPv6 /64.
func Network(from netip.Addr) netip.Prefix {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	network, _ := from.Prefix(bits)
	return network
}

// set returns the set of key. A table is a megabyte, so that a start without
// requests makes none.
func (t *tallies) set(key uint64) *set {
	if t.sets == nil {
		t.sets = new([2048]set)
	}
	return &t.sets[key%uint64(len(t.sets))]
}

// find returns the tally of key, or nil if there is none or it is forgotten.
func (t *tallies) find(key uint64, now time.Time) *tally {
	if t.sets == nil {
		return nil
	}
	set := t.set(key)
	for i := range set {
		if set[i].key == key && now.Before(set[i].until) {
			return &set[i]
		}
	}
	return nil
}

// add counts one event of key. A new tally is kept for the given time.
func (t *tallies) add(key uint64, now time.Time, kept time.Duration) *tally {
	found := t.find(key, now)
	if found == nil {
		set := t.set(key)
		found = &set[0]
		for i := range set {
			if set[i].evictedBefore(found, now) {
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
	if t.sets == nil {
		return
	}
	set := t.set(key)
	for i := range set {
		if set[i].key == key {
			set[i] = tally{}
		}
	}
}

// evictedBefore reports whether t is evicted before other: a forgotten tally
// first, then the smaller count, then the older.
func (t *tally) evictedBefore(other *tally, now time.Time) bool {
	worth := func(t *tally) int {
		if !now.Before(t.until) {
			return 0 // forgotten or never used
		}
		return t.count
	}
	return cmp.Or(cmp.Compare(worth(t), worth(other)), t.last.Compare(other.last)) < 0
}

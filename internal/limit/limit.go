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
	InRow       int           // wrong passwords in a row, of one account from anywhere
	LongestWait time.Duration // after more; the first wait is a second, each further one twice as long
	Failures    int           // wrong passwords from one address in a minute
	SignUps     int           // sign-ups from one address in a minute
}

// firstWait is how long to wait after the free tries.
const firstWait = time.Second

// A Limiter counts who guesses (OWASP ASVS 5, 6.3.1; CWE-307). Most of its counters
// are kept per pair of account and address, so that nobody can keep an owner out by
// guessing. Accounts that don't exist are counted alike, or a refusal would tell
// which do.
//
// Who has many addresses gets few tries from each. So the wrong passwords in a row
// of an account are counted over all addresses too, as NIST SP 800-63B §5.2.2 has
// it. At the limit an address that is new to the account has to come again after
// the longest wait, and waits as long after each wrong password. An owner is
// slowed by that, once, and never locked out. An address from which a password of
// the account was right waits for its own wrong ones only.
//
// Its memory is six tables of a fixed size, whatever is sent to it.
type Limiter struct {
	now   func() time.Time
	rules Rules
	seed  maphash.Seed // secret: nobody can aim at a place in a table

	mu       sync.Mutex // guards what follows
	pairs    tallies    // wrong passwords in a row, of account and address
	failures tallies    // wrong passwords, of an address
	signUps  tallies    // of an address
	inRow    tallies    // wrong passwords in a row, of an account
	known    tallies    // right passwords, of account and address
	newcomer tallies    // those of account and address that have to come again
}

// tallies is a table of counters: a key's is in one of the eight places of its
// set, or not in the table. When all eight are in use, the smallest count makes
// room for a new one. To have a pair forgotten, an attacker must therefore fill
// its set with counts as high as the pair's: as the seed hides which keys those
// are, that takes some 160,000 wrong passwords, at the price of a bcrypt hash
// each, for ten more free tries. Waiting is cheaper. Sign-ups and newcomers have
// tables of their own because they may cost no hash.
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

// accountMemory is how long an account's wrong passwords in a row are remembered
// after the last, and addresses from which its password was right.
const accountMemory = 30 * 24 * time.Hour

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
	k := l.keysOf(account, from)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refusalLocked(k, l.now())
}

// Judge takes note of whether the password of a try was right. Tries that run
// at the same time can't slip past the count: if others have used it up
// meanwhile, judge fails with [TooMany], and the client must be told that instead of
// whether it was right. So what can be learned is what can be learned one by
// one, and right passwords, however many at once, are never in each other's way.
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

// SignUp counts a sign-up from the address, or fails with [TooMany]. It counts one
// whose e-mail or username turns out to be taken too: that is how to find out
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
			t = l.newcomer.find(k.pair, now)
		}
		if t == nil {
			t = l.newcomer.add(k.pair, now, pairMemory+l.rules.LongestWait)
		}
	}
	if t != nil {
		if ready := t.last.Add(wait(t.count)); now.Before(ready) {
			return TooMany{ready.Sub(now)}
		}
	}
	return l.failures.over(k.networks, l.rules.Failures, now)
}

// over fails with [TooMany] if any of the keys was counted so often.
func (t *tallies) over(keys []uint64, most int, now time.Time) error {
	for _, key := range keys {
		if t := t.find(key, now); t != nil && t.count >= most {
			return TooMany{t.until.Sub(now)}
		}
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

// keys are those of the counters of an account and an address.
type keys struct {
	pair, account uint64
	networks      []uint64 // that the address is in
}

// keysOf makes hashes, so that a name takes no room however long it is, and so that
// none is kept. The addresses of an IPv6 network are one: a client has the last 64
// bits to itself and may take a new address for each request (RFC 4291 §2.5.1,
// RFC 8981). A site has up to 65,536 such networks, so all in a /48 are counted
// together too (RFC 6177 §2).
func (l *Limiter) keysOf(account string, from netip.Addr) keys {
	key := func(account string, network netip.Prefix) uint64 {
		return maphash.Comparable(l.seed, struct {
			account string
			network netip.Prefix
		}{account, network})
	}
	k := keys{pair: key(account, Network(from)), account: key(account, netip.Prefix{}), networks: []uint64{key("", Network(from))}}
	if from.Is6() {
		site, _ := from.Prefix(48) // fails for more than 128 only
		k.networks = append(k.networks, key("", site))
	}
	return k
}

// Network is what one client has to itself: an IPv4 address, or the first 64 bits of
// an IPv6 address.
func Network(from netip.Addr) netip.Prefix {
	bits := from.BitLen()
	if from.Is6() {
		bits = 64
	}
	network, _ := from.Prefix(bits)
	return network
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

package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/durable"
)

// A Store keeps the keys that several servers share, as the text of a key file.
type Store interface {
	// Keys returns the text, "" if there is none yet, and its revision.
	Keys(ctx context.Context) (text []byte, revision int64, err error)
	// CreateKeys keeps the text if there is none yet. It returns what is kept.
	CreateKeys(ctx context.Context, text []byte) ([]byte, error)
	// ReplaceKeys replaces the text. It fails if the text has another revision.
	ReplaceKeys(ctx context.Context, text []byte, revision int64) error
}

const (
	// sharedLeeway is the leeway of keys that several machines share. Their clocks
	// differ a little.
	sharedLeeway = 10 * time.Second
	// refreshEvery is how often Shared keys are read anew: so long a server may go on
	// to accept a key that was removed.
	refreshEvery = 5 * time.Second
	// refreshPause is the least time between two reads that unknown keys cause. So a
	// sender of such tokens can't make the server read often.
	refreshPause = time.Second
)

// Shared are the keys that several servers share. Another server may change them at
// any time. They are read anew every few seconds, and when a token names an unknown
// key.
type Shared struct {
	store Store
	alg   string
	clock func() time.Time
	warn  func(error)

	ring     atomic.Pointer[Keyring]
	reading  sync.Mutex // guards text, revision and warned
	text     string     // that ring was read from
	revision int64      // of text
	warned   string     // the last warning

	asking sync.Mutex
	next   chan struct{} // see ask; nil if no token waits
	pause  chan struct{} // full for refreshPause from a read for a token on
}

// OpenShared reads the keys in store. If there is no key that signs by alg, it makes
// one. Of several servers that do so at the same time, one makes the key. OpenShared
// reads the keys anew until ctx ends. warn gets what is wrong with them later.
func OpenShared(ctx context.Context, store Store, alg string, clock func() time.Time, warn func(error)) (*Shared, error) {
	s := &Shared{store: store, alg: alg, clock: clock, warn: warn, pause: make(chan struct{}, 1)}
	for tries := 0; ; tries++ {
		text, revision, err := store.Keys(ctx)
		if err != nil {
			return nil, err
		}
		switch err = s.take(text, revision); {
		case err == nil:
			go s.refreshUntil(ctx)
			return s, nil
		case tries == 3 || !errors.Is(err, ErrNoKey):
			return nil, err
		}
		if err := s.create(ctx, text, revision); err != nil && tries == 2 {
			return nil, err
		}
	}
}

// create makes a key. Its error may mean that another server was faster.
func (s *Shared) create(ctx context.Context, old []byte, revision int64) error {
	text, err := changedKeys(old, s.alg, s.clock(), keepAll)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		_, err = s.store.CreateKeys(ctx, text)
		return err
	}
	return s.store.ReplaceKeys(ctx, text, revision)
}

// changedKeys returns the text of keys with a new one for alg.
func changedKeys(old []byte, alg string, now time.Time, keep func(*JWK, *Key) bool) ([]byte, error) {
	var set JWKSet
	var keys []*Key
	if len(old) > 0 {
		var err error
		if set, keys, err = parseKeys(old); err != nil {
			return nil, badShared(err)
		}
	}
	kept, err := withNewKey(set, keys, alg, now, keep)
	if err != nil {
		return nil, err
	}
	return keysText(kept)
}

func badShared(err error) error { return fmt.Errorf("the shared keys can't be read: %w", err) }

// take uses the keys of the text from now on. Two reads may overlap: an older revision
// than the one in use changes nothing.
func (s *Shared) take(text []byte, revision int64) error {
	if len(text) == 0 {
		return fmt.Errorf("there are no shared keys: %w", ErrNoKey)
	}
	s.reading.Lock()
	defer s.reading.Unlock()
	if string(text) == s.text || revision < s.revision {
		return nil
	}
	_, keys, err := parseKeys(text)
	if err != nil {
		return badShared(err)
	}
	ring := ringFor(keys, s.alg, s.clock())
	if ring == nil {
		return fmt.Errorf("no shared key is for %s: %w", s.alg, ErrNoKey)
	}
	ring.leeway = sharedLeeway
	s.ring.Store(ring)
	s.text, s.revision = string(text), revision
	return nil
}

// refresh reads the keys anew. If that fails, the old ones stay in use.
func (s *Shared) refresh(ctx context.Context) {
	text, revision, err := s.store.Keys(ctx)
	if err != nil {
		return // the engine is out of reach, and so are the requests
	}
	err = s.take(text, revision)
	s.reading.Lock()
	defer s.reading.Unlock()
	if err != nil && err.Error() != s.warned {
		s.warned = err.Error()
		s.warn(err)
	}
}

func (s *Shared) refreshUntil(ctx context.Context) {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			s.refresh(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// ForReplicas returns the same keys for servers on several machines: with more leeway,
// because their clocks differ.
func (r *Keyring) ForReplicas() *Keyring {
	ring := *r
	ring.leeway = sharedLeeway
	return &ring
}

// Ring returns the keys as they are now.
func (s *Shared) Ring() *Keyring { return s.ring.Load() }

// Sign makes a token that says c.
func (s *Shared) Sign(c Claims) (string, error) { return s.Ring().Sign(c) }

// JWKS returns the public keys that verify.
func (s *Shared) JWKS(now time.Time) JWKSet { return s.Ring().JWKS(now) }

// Verify implements [Verifier].
func (s *Shared) Verify(text string, now time.Time) (*Claims, error) {
	claims, _, err := s.verify(text, now)
	return claims, err
}

// verify asks the store about a key that is unknown: another server may just have
// made it.
func (s *Shared) verify(text string, now time.Time) (*Claims, *Key, error) {
	claims, key, err := s.Ring().verify(text, now)
	if !errors.Is(err, errNoSuchKey) {
		return claims, key, err
	}
	<-s.ask()
	return s.Ring().verify(text, now)
}

// ask returns a channel that is closed after a read of the keys that begins later.
// Such reads begin refreshPause apart, however many tokens wait for them.
func (s *Shared) ask() <-chan struct{} {
	s.asking.Lock()
	defer s.asking.Unlock()
	if s.next != nil {
		return s.next
	}
	done := make(chan struct{})
	s.next = done
	go func() {
		s.pause <- struct{}{}
		time.AfterFunc(refreshPause, func() { <-s.pause })
		s.asking.Lock()
		s.next = nil
		s.asking.Unlock()
		ctx, cancel := context.WithTimeout(context.Background(), refreshPause)
		defer cancel()
		s.refresh(ctx)
		close(done)
	}()
	return done
}

// ReadShared returns the keys in store for one use, and changes nothing.
func ReadShared(ctx context.Context, store Store, alg string, now time.Time) (*Keyring, error) {
	s := &Shared{alg: alg, clock: func() time.Time { return now }}
	text, revision, err := store.Keys(ctx)
	if err == nil {
		err = s.take(text, revision)
	}
	return s.Ring(), err
}

// PrintShared writes the kid of each key in store, as [PrintKeyFile] does.
func PrintShared(ctx context.Context, w io.Writer, store Store, alg string, now time.Time) error {
	text, _, err := store.Keys(ctx)
	if err != nil {
		return err
	}
	set, keys, err := parseKeys(text)
	if err != nil {
		return badShared(err)
	}
	printKeys(w, set, keys, alg, now)
	return nil
}

// RotateShared makes a new key for alg in store, and writes what that means. All
// servers sign with it within seconds. The old keys verify until lastExpiry; if they
// have leaked, they go.
func RotateShared(ctx context.Context, w io.Writer, store Store, alg string, leaked bool, now time.Time, lastExpiry func() (time.Time, error)) error {
	old, revision, err := store.Keys(ctx)
	if err != nil {
		return err
	}
	keep := keepNone
	if !leaked {
		until, err := lastExpiry()
		if err != nil {
			return err
		}
		// A server may sign with the old key until it has read the new one.
		keep = retire(alg, now, until.Add(time.Minute))
	}
	text, err := changedKeys(old, alg, now, keep)
	if err != nil {
		return err
	}
	if err := store.ReplaceKeys(ctx, text, revision); err != nil {
		return err
	}
	if leaked {
		fmt.Fprint(w, "There is a new key and no other.\nAll tokens so far are refused within seconds: every account has to sign in again.\n\n")
		return nil
	}
	fmt.Fprint(w, "There is a new key, which signs at every replica within seconds.\nNo sign-in ends: the old key verifies until the last token has ended.\n\n")
	return nil
}

// A KeyFile is the path of a key file, as a Store. It replaces no file that is there:
// data elsewhere may need its keys.
type KeyFile string

// Keys reads the file. Its revision is 1, and 0 if there is no file.
func (f KeyFile) Keys(context.Context) (text []byte, revision int64, err error) {
	text, err = durable.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, nil
	}
	return text, 1, err
}

// CreateKeys makes the file, if there is none, and returns what is in it.
func (f KeyFile) CreateKeys(ctx context.Context, text []byte) ([]byte, error) {
	_, keys, err := parseKeys(text)
	if err != nil {
		return nil, badShared(err)
	}
	if err := durable.CreateFile(string(f), keys[0].ID, text); err != nil {
		return nil, err
	}
	text, _, err = f.Keys(ctx)
	return text, err
}

// ReplaceKeys makes the file. It fails if there is one with other keys.
func (f KeyFile) ReplaceKeys(ctx context.Context, text []byte, _ int64) error {
	kept, err := f.CreateKeys(ctx, text)
	if err == nil && string(kept) != string(text) {
		err = fmt.Errorf("%s is there already, with other keys: move it away", string(f))
	}
	return err
}

package token

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A memoryStore is a Store that counts.
type memoryStore struct {
	mu       sync.Mutex
	text     []byte
	revision int64
	reads    int
	down     error
}

func (m *memoryStore) Keys(context.Context) ([]byte, int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	return m.text, m.revision, m.down
}

func (m *memoryStore) CreateKeys(_ context.Context, text []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.revision == 0 {
		m.text, m.revision = text, 1
	}
	return m.text, m.down
}

var errChanged = errors.New("changed meanwhile")

func (m *memoryStore) ReplaceKeys(_ context.Context, text []byte, revision int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if revision != m.revision {
		return errChanged
	}
	m.text, m.revision = text, m.revision+1
	return nil
}

// elapse waits until d has passed on the clock of the bubble, which takes no real time.
func elapse(d time.Duration) { <-time.After(d) }

func openShared(t *testing.T, store Store, alg string, warn func(error)) *Shared {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	s, err := OpenShared(ctx, store, alg, time.Now, warn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sharedToken(t *testing.T, s *Shared) string {
	t.Helper()
	text, err := s.Sign(NewClaims("ann", Access, time.Now(), time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// rotate makes a new key, and returns what is told.
func rotate(t *testing.T, store Store, leaked bool) string {
	t.Helper()
	var out strings.Builder
	err := RotateShared(t.Context(), &out, store, HS256, leaked, time.Now(), func() (time.Time, error) { return time.Now().Add(time.Hour), nil })
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Servers share the key that one of them made. After a rotation all of them verify
// tokens by both keys at once, and sign by the new one within seconds.
func TestShared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		var servers []*Shared
		var opened sync.WaitGroup
		var mu sync.Mutex
		for range 3 {
			opened.Go(func() {
				s := openShared(t, store, HS256, nil)
				mu.Lock()
				defer mu.Unlock()
				servers = append(servers, s)
			})
		}
		opened.Wait()
		old := sharedToken(t, servers[0])
		elapse(2 * time.Second)
		rotate(t, store, false)
		late := openShared(t, store, HS256, nil)
		fresh := sharedToken(t, late)
		for i, s := range servers {
			for name, text := range map[string]string{"old": old, "new": fresh} {
				if _, err := NewCache(s).Verify(text, time.Now()); err != nil {
					t.Errorf("server %d refuses a token by the %s key: %v", i, name, err)
				}
			}
		}
		elapse(refreshEvery)
		synctest.Wait()
		for i, s := range servers {
			if s.Ring().Keys()[0].ID != late.Ring().Keys()[0].ID {
				t.Errorf("server %d does not sign by the new key", i)
			}
		}
		if warned := len(servers[0].JWKS(time.Now()).Keys); warned != 0 {
			t.Error("a secret is among the public keys")
		}
	})
}

// A key that has leaked is refused within seconds, also from the cache.
func TestSharedLeaked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s := openShared(t, store, HS256, nil)
		cache, text := NewCache(s), sharedToken(t, s)
		for range 2 {
			if _, err := cache.Verify(text, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		if got := rotate(t, store, true); !strings.Contains(got, "sign in again") {
			t.Errorf("it says %q", got)
		}
		elapse(refreshEvery)
		synctest.Wait()
		if _, err := cache.Verify(text, time.Now()); !errors.Is(err, errNoSuchKey) {
			t.Errorf("a token by the key that has leaked: %v", err)
		}
	})
}

// A read that ends late puts no older keys back.
func TestSharedLateRead(t *testing.T) {
	t.Parallel()
	store := &memoryStore{}
	s := openShared(t, store, HS256, nil)
	old, revision, _ := store.Keys(t.Context())
	rotate(t, store, false)
	s.refresh(t.Context())
	signs := s.Ring().Keys()[0].ID
	if err := s.take(old, revision); err != nil || s.Ring().Keys()[0].ID != signs {
		t.Errorf("the old keys are back: %v", err)
	}
}

// Tokens by unknown keys make a server read once a second, however many there are.
func TestSharedUnknownKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store := &memoryStore{}
		s := openShared(t, store, HS256, nil)
		forged := signToken(t, NewKeyring(HS256Key([]byte("a secret of another server, of more than thirty-two bytes"))), tokenClaims)
		before, start := store.reads, time.Now()
		var wait sync.WaitGroup
		for range 100 {
			wait.Go(func() {
				for range 3 {
					if _, err := s.Verify(forged, tokenNow); !errors.Is(err, errNoSuchKey) {
						t.Error(err)
					}
				}
			})
		}
		wait.Wait()
		synctest.Wait()
		if n, took := store.reads-before, time.Since(start); n > 4 || took > 3*time.Second {
			t.Errorf("%d reads in %v", n, took)
		}
		elapse(refreshPause)
	})
}

// Keys that can't be read leave the old ones in use.
func TestSharedBad(t *testing.T) {
	t.Parallel()
	for name, hurt := range map[string]func(*memoryStore){
		"no JSON":      func(m *memoryStore) { m.text = []byte("{") },
		"none":         func(m *memoryStore) { m.text, m.revision = nil, 0 },
		"out of reach": func(m *memoryStore) { m.down = errors.New("down") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store, warnings := &memoryStore{}, 0
				s := openShared(t, store, HS256, func(error) { warnings++ })
				text := sharedToken(t, s)
				store.mu.Lock()
				hurt(store)
				store.mu.Unlock()
				elapse(3 * refreshEvery)
				synctest.Wait()
				if _, err := s.Verify(text, time.Now()); err != nil {
					t.Error(err)
				}
				if warnings > 1 || (warnings == 1) == (store.down != nil) {
					t.Errorf("%d warnings", warnings)
				}
				if _, err := OpenShared(t.Context(), store, HS256, time.Now, nil); (err == nil) != (name == "none") {
					t.Errorf("a new server: %v", err)
				}
			})
		})
	}
}

// Another algorithm gets a key of its own beside the old one.
func TestSharedAlg(t *testing.T) {
	t.Parallel()
	store := &memoryStore{}
	openShared(t, store, HS256, nil)
	if s := openShared(t, store, EdDSA, nil); len(s.JWKS(time.Now()).Keys) != 1 {
		t.Error("there is no public key")
	}
	ring, err := ReadShared(t.Context(), store, HS256, time.Now())
	if err != nil || len(ring.Keys()) != 1 {
		t.Errorf("%v, %v", ring, err)
	}
	var out strings.Builder
	if err := PrintShared(t.Context(), &out, store, EdDSA, time.Now()); err != nil || strings.Count(out.String(), "\n") != 4 || !strings.Contains(out.String(), "signs") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// Clocks of several machines differ: iat and nbf have more leeway there.
func TestSharedLeeway(t *testing.T) {
	t.Parallel()
	one := NewKeyring(HS256Key([]byte(fmt.Sprintf("%064d", 1))))
	for ahead, want := range map[time.Duration][2]bool{4 * time.Second: {true, true}, 9 * time.Second: {false, true}, 11 * time.Second: {false, false}} {
		text, err := one.Sign(NewClaims("ann", Access, tokenNow.Add(ahead), tokenNow.Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		for i, ring := range []*Keyring{one, one.ForReplicas()} {
			if _, err := ring.Verify(text, tokenNow); (err == nil) != want[i] {
				t.Errorf("issued %v in the future, ring %d: %v", ahead, i, err)
			}
		}
	}
	text, err := one.Sign(NewClaims("ann", Access, tokenNow.Add(-time.Hour), tokenNow))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.ForReplicas().Verify(text, tokenNow); err == nil {
		t.Error("a token that has ended is good")
	}
}

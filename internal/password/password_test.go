package password

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestLine(t *testing.T) {
	t.Parallel()
	// With every worker busy for an hour.
	tests := []struct {
		name  string
		stays time.Duration // the client
		line  int           // how many work or wait already
		want  time.Duration
	}{
		{"nobody waits longer than five seconds", time.Hour, 0, 5 * time.Second},
		{"a client that has gone leaves the line", 2 * time.Second, 0, 2 * time.Second},
		{"a full line turns away at once", time.Hour, lineLength, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := New(bcrypt.MinCost)
				for range cap(h.workers) {
					go h.Work(t.Context(), func() error { <-time.After(time.Hour); return nil })
				}
				synctest.Wait()
				for range tt.line - cap(h.workers) {
					go h.Work(t.Context(), func() error { t.Error("worked"); return nil })
				}
				synctest.Wait()
				ctx, cancel := context.WithTimeout(t.Context(), tt.stays)
				defer cancel()
				began := time.Now()
				err := h.Work(ctx, func() error { t.Error("worked"); return nil })
				refused, ok := errors.AsType[Busy](err)
				if !ok || time.Since(began) != tt.want {
					t.Errorf("after %v: %v; want to be refused after %v", time.Since(began), err, tt.want)
				}
				if ok && refused.RetryAfter != 5*time.Second {
					t.Errorf("Retry-After: %v; want 5s", refused.RetryAfter)
				}
				<-time.After(2 * time.Hour)
				synctest.Wait()
				if len(h.line) != 0 || len(h.workers) != 0 {
					t.Errorf("%d are in the line and %d work when all is over; want none", len(h.line), len(h.workers))
				}
			})
		})
	}
}

func TestWorksInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := New(bcrypt.MinCost)
		h.workers = make(chan struct{}, 1)
		var order []int
		for i := range 4 {
			go h.Work(t.Context(), func() error {
				order = append(order, i)
				<-time.After(time.Second)
				return nil
			})
			synctest.Wait()
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if fmt.Sprint(order) != "[0 1 2 3]" {
			t.Errorf("worked in the order %v; want that of their coming", order)
		}
	})
}

// TestUnknownAccountsCostTheSame asks bcrypt itself, as a clock can't tell.
func TestUnknownAccountsCostTheSame(t *testing.T) {
	t.Parallel()
	for _, configured := range []int{MinCost, 12, MaxCost} {
		if cost, err := bcrypt.Cost(New(configured).nobody); cost != configured || err != nil {
			t.Errorf("an unknown account's hash has cost %d, %v; want %d", cost, err, configured)
		}
	}
	// bcrypt reports a hash that it couldn't work on by another error.
	if err := bcrypt.CompareHashAndPassword(New(MinCost).nobody, []byte("b00k-worm")); err != bcrypt.ErrMismatchedHashAndPassword {
		t.Errorf("bcrypt says %v to an unknown account's hash; want a mismatch", err)
	}
}

func TestFault(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		secret string
		want   string
	}{
		{"a short one", "youcantguess#4", ""},
		{"72 bytes", (strings.Repeat("é", 36)), ""},
		{"73 bytes in 37 characters", (strings.Repeat("é", 36) + "a"), "should be at most 72 bytes long"},
		{"a NUL at the end", "abc1#\x00", "should not contain a NUL character"},
		{"a NUL in the middle", "abc\x001#", "should not contain a NUL character"},
		{"the digit zero", "abc0#", ""},
	} {
		if got := Fault(tt.secret); got != tt.want {
			t.Errorf("%s: Fault(%q) = %q; want %q", tt.name, tt.secret, got, tt.want)
		}
	}
}

func TestMatchesAndUpgrade(t *testing.T) {
	t.Parallel()
	const typed = "b00k-worm"
	h := New(5)
	for _, tt := range []struct {
		name    string
		cost    int
		upgrade bool
	}{
		{"a weaker hash is made anew", 4, true},
		{"one of the configured cost stays", 5, false},
		{"a stronger one stays", 6, false},
	} {
		hash, err := New(tt.cost).Hash(t.Context(), typed)
		if err != nil || CheckHash(hash) != nil || !h.Matches(hash, typed) || h.Matches(hash, typed+"!") {
			t.Errorf("%s: %q, %v; want a hash that matches its password alone", tt.name, hash, err)
		}
		upgraded := h.Upgrade(hash, typed)
		if cost, _ := bcrypt.Cost([]byte(upgraded)); tt.upgrade != (upgraded != "") || tt.upgrade && (cost != 5 || !h.Matches(upgraded, typed)) {
			t.Errorf("%s: the upgrade is %q", tt.name, upgraded)
		}
	}
	if h.Matches("", typed) || h.Matches("", "") || h.Upgrade("", typed) != "" {
		t.Error("no hash matches, or is made anew")
	}
}

// A sign-in waits for no upgrade.
func TestUpgradeWaitsForNoWorker(t *testing.T) {
	t.Parallel()
	weak, err := New(4).Hash(t.Context(), "b00k-worm")
	if err != nil {
		t.Fatal(err)
	}
	h := NewWith(5, 1)
	h.workers <- struct{}{}
	if hash := h.Upgrade(weak, "b00k-worm"); hash != "" {
		t.Errorf("the hash was made anew; want it left for the next sign-in")
	}
	h.line <- struct{}{}
	h.line <- struct{}{}
	h.line <- struct{}{}
	if workers, working, waiting := h.State(); workers != 1 || working != 1 || waiting != 2 {
		t.Errorf("of %d workers %d work, and %d wait; want 1, 1, 2: who is being served doesn't wait", workers, working, waiting)
	}
}

func TestCheckHash(t *testing.T) {
	t.Parallel()
	digits := strings.Repeat("x", 53)
	for _, good := range []string{"", "$2b$12$" + digits, "$2a$04$" + digits, "$2y$15$" + digits} {
		if err := CheckHash(good); err != nil {
			t.Errorf("CheckHash(%q): %v", good, err)
		}
	}
	for _, bad := range []string{"b00k-worm", "$2b$03$" + digits, "$2b$16$" + digits, "$2b$12$" + digits[1:], "$1b$12$" + digits, "$2b$1x$" + digits} {
		if CheckHash(bad) == nil {
			t.Errorf("CheckHash(%q) takes it", bad)
		}
	}
}

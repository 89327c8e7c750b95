package limit_test

import (
	"errors"
	"testing"

	"example.com/shelf/internal/limit"
)

// A holder gets at most its share, and all holders together at most the places.
// leave gives a place back.
func TestShares(t *testing.T) {
	t.Parallel()
	s := limit.NewShares(3, 2)
	take := func(holder int, want error) func() {
		t.Helper()
		leave, err := s.Take(holder)
		if !errors.Is(err, want) {
			t.Fatalf("Take(%d) = %v; want %v", holder, err, want)
		}
		return leave
	}
	first := take(1, nil)
	second := take(1, nil)
	take(1, limit.Lack{Own: true, Most: 2})
	other := take(2, nil)
	take(3, limit.Lack{Most: 3})
	first()
	take(1, nil)()
	third := take(3, nil)
	for _, leave := range []func(){second, other, third} {
		leave()
	}
	if n := s.Taken(); n != 0 {
		t.Errorf("%d places are taken; want none", n)
	}
}

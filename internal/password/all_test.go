package password

import (
	"context"
	"errors"
	"strconv"
	"testing"
)

// Each hash stands in the place of its password, and all are counted.
func TestHashAll(t *testing.T) {
	t.Parallel()
	var passwords []string
	for i := range 20 {
		passwords = append(passwords, strconv.Itoa(i))
	}
	last := 0
	hashes, err := HashAll(t.Context(), MinCost, passwords, func(done int) {
		if last++; done != last {
			t.Errorf("progress is %d; want %d", done, last)
		}
	})
	if err != nil || last != len(passwords) {
		t.Fatalf("%d passwords are done, %v", last, err)
	}
	for i, p := range passwords {
		if !New(MinCost).Matches(hashes[i], p) {
			t.Errorf("hash %d is another password's", i)
		}
	}
	if _, err := HashAll(t.Context(), MinCost, []string{"a", string(make([]byte, 80))}, func(int) {}); err == nil {
		t.Error("a password of 80 bytes is hashed")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := HashAll(ended, MinCost, passwords, func(int) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("once ctx is done, HashAll = %v", err)
	}
}

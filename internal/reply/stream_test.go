package reply

import (
	"errors"
	"net/http"
	"testing"
)

const maxAll, maxEach = 30, 4

func TestStreamsJoin(t *testing.T) {
	t.Parallel()
	st := NewStreams(maxAll, maxEach)
	var leave []func()
	for u := range maxAll {
		l, err := st.Join(u)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	var e *Error
	if _, err := st.Join(-1); !errors.As(err, &e) || e.Status != http.StatusServiceUnavailable {
		t.Errorf("stream %d = %v; want a 503", maxAll+1, err)
	}
	for _, l := range leave {
		l()
	}
	if n := st.Open(); n != 0 {
		t.Errorf("after all have left there are %d", n)
	}
}

func TestStreamsJoinEach(t *testing.T) {
	t.Parallel()
	st := NewStreams(maxAll, maxEach)
	for range maxEach {
		if _, err := st.Join(1); err != nil {
			t.Fatal(err)
		}
	}
	var e *Error
	if _, err := st.Join(1); !errors.As(err, &e) || e.Status != http.StatusTooManyRequests || e.RetryAfter == 0 {
		t.Errorf("stream %d of an account = %v; want a 429 with a time to wait", maxEach+1, err)
	}
	if _, err := st.Join(2); err != nil {
		t.Errorf("a stream of another account: %v", err)
	}
	if n := st.Open(); n != maxEach+1 {
		t.Errorf("open = %d; want %d", n, maxEach+1)
	}
}

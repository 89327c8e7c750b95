package history_test

import (
	"errors"
	"iter"
	"slices"
	"testing"
	"time"

	"example.com/shelf/internal/history"
)

// Memory accepts all batches and keeps none, until it is closed.
func TestMemory(t *testing.T) {
	t.Parallel()
	var m history.Memory
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	err := m.Replay(func(batch []history.Record) error {
		t.Errorf("Replay emits %v", batch)
		return nil
	})
	if err := errors.Join(err, m.Start(), m.Append(noon, [][]byte{[]byte(`"n":1`)}), m.Check()); err != nil {
		t.Error(err)
	}
	if seq, snapshot := m.Last(); seq != 0 || snapshot != 0 {
		t.Errorf("Last = %d, %d", seq, snapshot)
	}
	write, err := m.Compact(noon, 2, func([]history.Record) error { return nil })
	if err == nil {
		err = write(iter.Seq[[]byte](slices.Values([][]byte{{1}, {2}})))
	}
	if err != nil {
		t.Errorf("a compaction: %v", err)
	}
	if state := m.State(); state != (history.State{}) {
		t.Errorf("State = %+v", state)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if err := m.Append(noon, nil); !errors.Is(err, history.ErrReadOnly) || err.Error() != "store is read-only: closed" {
		t.Errorf("Append after Close = %v", err)
	}
}

// A Damage names its line.
func TestDamage(t *testing.T) {
	t.Parallel()
	if got := (&history.Damage{Line: 3, What: "the checksum does not match"}).Error(); got != "line 3: the checksum does not match" {
		t.Errorf("Error = %q", got)
	}
}

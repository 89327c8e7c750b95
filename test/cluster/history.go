package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// An item is a register: a GET reads its description, a PATCH writes it, and a PATCH
// with If-Match writes it if the description is still the one that the client knows.
type kind byte

const (
	read kind = iota
	write
	swap // a write with If-Match
)

// An input is what a client asks of the register key.
type input struct {
	kind kind
	key  int
	old  string // that a swap expects
	new  string // that a write or a swap leaves
}

// An output is what the client was answered.
type output struct {
	known bool // false: no answer, or one that leaves open whether it was done
	value string
	done  bool // false: the swap was answered with 412
}

// register is the model that porcupine holds a history against.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := map[int][]porcupine.Operation{}
		for _, op := range history {
			key := op.Input.(input).key
			byKey[key] = append(byKey[key], op)
		}
		var all [][]porcupine.Operation
		for _, ops := range byKey {
			all = append(all, ops)
		}
		return all
	},
	Init: func() any { return "" },
	Step: func(state, in, out any) (bool, any) {
		i, o := in.(input), out.(output)
		switch i.kind {
		case read:
			return o.value == state, state
		case write:
			return true, i.new
		}
		matches := i.old == state
		next := state
		if matches {
			next = i.new
		}
		return !o.known || o.done == matches, next
	},
	DescribeOperation: func(in, out any) string {
		i, o := in.(input), out.(output)
		switch {
		case i.kind == read:
			return fmt.Sprintf("read %s", o.value)
		case i.kind == write:
			return fmt.Sprintf("write %s (known: %t)", i.new, o.known)
		}
		return fmt.Sprintf("%s to %s: %t (known: %t)", i.old, i.new, o.done, o.known)
	},
}

// A history is what clients asked and were answered, with the times.
type history struct {
	began   time.Time
	mu      sync.Mutex
	ops     []porcupine.Operation
	unknown int
}

// add adds what a client asked at call and was answered just now. An answer that
// never came may still come to be at any time, so it ends at infinity.
func (h *history) add(client int, in input, call time.Time, out output) {
	ended := time.Since(h.began).Nanoseconds()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !out.known {
		ended = math.MaxInt64
		h.unknown++
	}
	h.ops = append(h.ops, porcupine.Operation{ClientId: client, Input: in, Call: call.Sub(h.began).Nanoseconds(), Output: out, Return: ended})
}

// judge says whether the history is one of registers that do one thing at a time.
// The first key for which there is none such is drawn into a page in dir.
func (h *history) judge(dir string) (faults []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, ops := range register.Partition(h.ops) {
		result, info := porcupine.CheckOperationsVerbose(register, ops, 5*time.Minute)
		if result == porcupine.Ok {
			continue
		}
		key := ops[0].Input.(input).key
		fault := fmt.Sprintf("the history of item %d, %d operations, is %s", key, len(ops), result)
		if len(faults) == 0 {
			page := filepath.Join(dir, "illegal.html")
			if err := porcupine.VisualizePath(register, info, page); err == nil {
				fault += ": " + page
			} else {
				fmt.Fprintln(os.Stderr, err)
			}
		}
		faults = append(faults, fault)
	}
	return faults
}

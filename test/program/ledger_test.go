package program_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// Limits of the program that these tests come close to.
const (
	maxDescription = 300     // characters
	maxTitle       = 200     // characters
	compactMinSize = 1 << 20 // bytes; a smaller data file is not compacted
)

// A ledger is what clients know of their items while a server is killed, its
// disk filled or its file copied under them.
type ledger struct {
	mu      sync.Mutex
	rows    map[string]*ledgerRow // by itemname, which no two items share
	names   map[int]string        // whose an id is or was
	acked   int                   // writes answered with success
	refused int                   // writes answered with 507
	faults  []string              // broken promises
}

// A ledgerRow is one item. What it says, its description, begins with a number
// that grows with each write; 0 stands for an item that is not there.
type ledgerRow struct {
	id      int // 0 until known
	acked   int // what the server last said is so
	sent    int // the last number sent; the server may have kept it, if it gave no answer
	refused map[int]bool
	deleted bool // a DELETE was sent
	gone    bool // … and answered
}

func newLedger() *ledger {
	return &ledger{rows: map[string]*ledgerRow{}, names: map[int]string{}}
}

func (l *ledger) faultLocked(format string, args ...any) {
	l.faults = append(l.faults, fmt.Sprintf(format, args...))
}

// describe is a description as long as they get, so that the data file soon
// holds enough history to be compacted.
func describe(n int) string {
	text := fmt.Sprintf("%d ", n)
	return text + strings.Repeat("🏐", maxDescription-len(text))
}

// described is the number in a description.
func described(text string) (n int) {
	fmt.Sscanf(text, "%d ", &n)
	return n
}

// load has clients write to p, until ctx is done or p gives no answer. Each has
// items of its own and makes up to items of them; with deleting set it also
// deletes some and makes others. rows of earlier loads are taken over.
func (l *ledger) load(ctx context.Context, p *program, token, prefix string, clients, items int, deleting bool) {
	var running sync.WaitGroup
	for c := range clients {
		running.Go(func() {
			var mine []string
			own := fmt.Sprintf("%s-%d-", prefix, c)
			for n := 0; ctx.Err() == nil; n++ {
				var err error
				switch dice := rand.IntN(10); {
				case len(mine) < items && dice < 5 || len(mine) == 0:
					name := fmt.Sprint(own, n)
					mine = append(mine, name)
					err = l.create(p, token, name)
				case deleting && dice == 9:
					i := rand.IntN(len(mine))
					err = l.delete(p, token, mine[i])
					mine = append(mine[:i], mine[i+1:]...)
				default:
					err = l.patch(p, token, mine[rand.IntN(len(mine))])
				}
				if err != nil {
					return // the server has gone
				}
			}
		})
	}
	running.Wait()
}

// begin notes that a write of name is on its way, and which it is.
func (l *ledger) begin(name string) (id, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[name]
	if row == nil {
		row = &ledgerRow{refused: map[int]bool{}}
		l.rows[name] = row
	}
	row.sent++
	return row.id, row.sent
}

func (l *ledger) create(p *program, token, name string) error {
	_, n := l.begin(name)
	r, err := p.try("POST /api/v1/items", token, fmt.Sprintf(`{"itemname":%q,"category":"balls","description":%q}`, name, describe(n)))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[name]
	switch r.status {
	case http.StatusCreated:
		var v struct{ Data []itemRow }
		if r.decode(&v); len(v.Data) == 1 {
			l.acked++
			row.acked = n
			l.seenLocked(name, v.Data[0].ID)
		}
	case http.StatusInsufficientStorage:
		l.refused++
		row.refused[n] = true
	default:
		l.faultLocked("%s = %d %s", r.request, r.status, r.body)
	}
	return nil
}

func (l *ledger) patch(p *program, token, name string) error {
	id, n := l.begin(name)
	if id == 0 { // its creation was refused
		return l.create(p, token, name)
	}
	r, err := p.try(fmt.Sprintf("PATCH /api/v1/items/%d/description", id), token, fmt.Sprintf(`{"description":%q}`, describe(n)))
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	row := l.rows[name]
	switch r.status {
	case http.StatusOK:
		l.acked++
		row.acked = n
	case http.StatusInsufficientStorage:
		l.refused++
		row.refused[n] = true
	default:
		l.faultLocked("%s = %d %s", r.request, r.status, r.body)
	}
	return nil
}

func (l *ledger) delete(p *program, token, name string) error {
	l.mu.Lock()
	row := l.rows[name]
	id := row.id
	row.deleted = id != 0
	l.mu.Unlock()
	if id == 0 {
		return nil
	}
	r, err := p.try(fmt.Sprintf("DELETE /api/v1/items/%d", id), token, "")
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch r.status {
	case http.StatusOK:
		l.acked++
		row.gone = true
	case http.StatusInsufficientStorage:
		l.refused++
		row.deleted = false
	default:
		l.faultLocked("%s = %d %s", r.request, r.status, r.body)
	}
	return nil
}

// seenLocked notes an id, which must be the row's own and never have been another's.
func (l *ledger) seenLocked(name string, id int) {
	if other, ok := l.names[id]; ok && other != name {
		l.faultLocked("id %d of %s is given again to %s", id, other, name)
	}
	if row := l.rows[name]; row.id != 0 && row.id != id {
		l.faultLocked("%s has id %d, and had %d", name, id, row.id)
	}
	l.names[id], l.rows[name].id = name, id
}

// snapshot is what was acknowledged by now.
func (l *ledger) snapshot() map[string]ledgerRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	rows := map[string]ledgerRow{}
	for name, row := range l.rows {
		rows[name] = *row
	}
	return rows
}

// check compares what a server or a copy holds with what was acknowledged
// before, and takes it as the truth from now on if settle is set. It returns
// how many acknowledged writes are lost.
func (l *ledger) check(where string, before map[string]ledgerRow, items []itemRow, settle bool) (lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	found := map[string]int{}
	for _, it := range items {
		row := l.rows[it.Itemname]
		if row == nil {
			l.faultLocked("%s: item %d, %q, is nobody's", where, it.ID, it.Itemname)
			continue
		}
		n := described(it.Description)
		found[it.Itemname] = n
		l.seenLocked(it.Itemname, it.ID)
		switch {
		case it.Description != describe(n):
			l.faultLocked("%s: item %d is half a change: %s", where, it.ID, it.Description)
		case row.refused[n]:
			l.faultLocked("%s: %s is at %d, which was refused", where, it.Itemname, n)
		case n > row.sent:
			l.faultLocked("%s: %s is at %d, which nobody sent", where, it.Itemname, n)
		}
	}
	for name, was := range before {
		n, there := found[name]
		switch {
		case there && was.gone:
			lost++
			l.faultLocked("%s: %s is back; its deletion was acknowledged", where, name)
		case there && n < was.acked:
			lost++
			l.faultLocked("%s: %s is at %d; %d was acknowledged", where, name, n, was.acked)
		case !there && was.acked > 0 && !l.rows[name].deleted:
			lost++
			l.faultLocked("%s: %s is gone; %d was acknowledged", where, name, was.acked)
		}
	}
	if !settle {
		return lost
	}
	for name, row := range l.rows {
		n, there := found[name]
		if !there {
			delete(l.rows, name) // its id stays in names
			continue
		}
		*row = ledgerRow{id: row.id, acked: n, sent: row.sent, refused: row.refused, deleted: false}
	}
	return lost
}

func (l *ledger) refusals() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.refused
}

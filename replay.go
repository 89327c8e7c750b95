package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A replay brings a store to the state that a journal tells of. Reading lines,
// understanding them and applying them go on side by side, as understanding
// takes most of the time; they are applied in the order of the file.
type replay struct {
	store *store
	group *replayGroup      // being filled
	work  chan *replayGroup // to be decoded, by whoever is free
	order chan *replayGroup // to be applied, in order
	stop  chan struct{}     // closed at the first error
	ended sync.WaitGroup
	err   error // set before stop is closed

	applied int // lines
}

// A replayGroup is a thousand lines or so, enough to make handing them on cheap.
type replayGroup struct {
	records []record
	changes []change
	err     error
	failed  int           // the record that err is about
	decoded chan struct{} // closed when changes and err are there
}

const replayGroupSize = 1000

func newReplay(s *store) *replay {
	r := &replay{
		store: s, group: &replayGroup{decoded: make(chan struct{})},
		work: make(chan *replayGroup, 64), order: make(chan *replayGroup, 64), stop: make(chan struct{}),
	}
	for range runtime.GOMAXPROCS(0) {
		r.ended.Go(func() {
			for g := range r.work {
				g.decode()
			}
		})
	}
	r.ended.Go(r.apply)
	return r
}

// emit takes a closed batch. It forgets a large one as it goes, lest the whole of
// an import be in memory twice.
func (r *replay) emit(batch []record) error {
	for records := range slices.Chunk(batch, replayGroupSize) {
		r.group.records = append(r.group.records, records...)
		clear(records)
		if len(r.group.records) >= replayGroupSize {
			if err := r.send(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *replay) send() error {
	g := r.group
	r.group = &replayGroup{decoded: make(chan struct{})}
	select {
	case <-r.stop:
		return r.err
	case r.order <- g:
		r.work <- g
		return nil
	}
}

// finish waits until everything emitted is applied. It returns what went wrong
// first: while applying, or else readErr.
func (r *replay) finish(readErr error) error {
	r.send() // its error is r.err
	close(r.work)
	close(r.order)
	r.ended.Wait()
	if r.err != nil {
		return r.err
	}
	return readErr
}

func (r *replay) apply() {
	for g := range r.order {
		<-g.decoded
		if r.err != nil {
			continue // drain, so that nobody waits
		}
		for i, c := range g.changes {
			rec, err := g.records[i], g.err
			if err == nil || i != g.failed {
				err = r.store.admit(c, rec.manual)
			}
			if err != nil {
				r.err = &damage{rec.line, err.Error()}
				close(r.stop)
				break
			}
			r.store.commitLocked(rec.seq, c)
			r.applied++
		}
	}
}

// A line is a change in its frame.
type line struct {
	Seq    int64     `json:"seq"`
	Time   time.Time `json:"time"`
	Closes int       `json:"closes"`
	CRC    string    `json:"crc"`
	change
}

func (g *replayGroup) decode() {
	defer close(g.decoded)
	g.changes = make([]change, 0, len(g.records))
	for i, rec := range g.records {
		c, err := decodeChange(rec)
		g.changes = append(g.changes, c)
		if err != nil {
			g.err, g.failed = err, i
			return
		}
	}
}

// decodeChange understands a line. What a person wrote may hold nothing that
// shelf doesn't know, as a slip of the pen would look like that.
func decodeChange(rec record) (change, error) {
	if rec.manual {
		var l line
		d := json.NewDecoder(bytes.NewReader(rec.text))
		d.DisallowUnknownFields()
		if err := d.Decode(&l); err != nil {
			return change{}, err
		}
		l.change.render()
		return l.change, nil
	}
	if it := decodeItem(rec.text); it != nil {
		it.render()
		return change{Op: opPut, Item: it}, nil
	}
	var c change
	if err := json.Unmarshal(rec.text, &c); err != nil {
		return c, err
	}
	c.render()
	return c, nil
}

// decodeItem reads a line that puts an item, if it is written just as
// encodeChange writes it, with nothing escaped. It returns nil for any other
// line. Most of a file is such lines, and encoding/json takes six times as long.
func decodeItem(text []byte) *item {
	l := lineReader{rest: text}
	l.expect(`{"seq":`)
	l.number()
	l.expect(`,"time":"`)
	l.text()
	l.expect(`","op":"put","item":{"id":`)
	it := &item{ID: l.number()}
	l.expect(`,"itemname":"`)
	from := l.rest
	name := l.text()
	l.expect(`","category":"`)
	category := l.text()
	l.expect(`","description":"`)
	description := l.text()
	// One string holds the three, with what stands between them.
	all := string(from[:len(from)-len(l.rest)])
	l.expect(`","created":"`)
	created, err := time.Parse(time.RFC3339, string(l.text()))
	l.expect(`"`)
	if bytes.HasPrefix(l.rest, []byte(`,"createdby":`)) {
		l.expect(`,"createdby":`)
		it.CreatedBy = l.number()
	}
	l.expect(`}`)
	if bytes.HasPrefix(l.rest, []byte(`,"closes":`)) {
		l.expect(`,"closes":`)
		l.number()
	}
	l.expect(`,"crc":"`)
	if l.bad || err != nil {
		return nil
	}
	it.Itemname, it.Created = all[:len(name)], created
	it.Category = all[len(name)+len(`","category":"`):][:len(category)]
	it.Description = all[len(all)-len(description):]
	return it
}

// A lineReader takes a line apart from the front. Once something isn't as
// expected it is bad, and what it returns means nothing.
type lineReader struct {
	rest []byte
	bad  bool
}

func (l *lineReader) expect(literal string) {
	if len(l.rest) < len(literal) || string(l.rest[:len(literal)]) != literal {
		l.bad = true
		return
	}
	l.rest = l.rest[len(literal):]
}

// number takes a whole number, of which no more than 18 digits can't overflow.
func (l *lineReader) number() int {
	n, i := int64(0), 0
	for ; i < len(l.rest) && l.rest[i] >= '0' && l.rest[i] <= '9' && i < 18; i++ {
		n = 10*n + int64(l.rest[i]-'0')
	}
	l.bad = l.bad || i == 0 || n > math.MaxInt
	l.rest = l.rest[i:]
	return int(n)
}

// text takes what stands before the next quote.
func (l *lineReader) text() []byte {
	i := bytes.IndexByte(l.rest, '"')
	if i < 0 || bytes.IndexByte(l.rest[:i], '\\') >= 0 {
		l.bad = true
		return nil
	}
	text := l.rest[:i]
	l.rest = l.rest[i:]
	return text
}

func (c change) render() {
	switch {
	case c.Item != nil:
		c.Item.render()
	case c.Book != nil:
		c.Book.render()
	}
}

// admit checks that a line of the file keeps the rules that every change had
// to keep when it was decided; a person's, or a mended one, may not. The ids of a
// person have to leave room for others besides.
func (s *store) admit(c change, byHand bool) error {
	rows := 0
	for _, there := range []bool{c.User != nil, c.Token != nil, c.Item != nil, c.Book != nil, c.Next != nil, c.Kind != ""} {
		if there {
			rows++
		}
	}
	if rows != 1 {
		return errors.New("a line changes one row: a user, a token, an item or a book")
	}
	switch {
	case c.Op == opDelete && c.Kind != "":
		if !s.has(c.Kind, c.ID) {
			return fmt.Errorf("deletes %s %d, which does not exist", c.Kind, c.ID)
		}
		return nil
	case c.Op == opNext && c.Next != nil:
		if byHand && max(c.Next.User, c.Next.Token, c.Next.Item, c.Next.Book) > maxID {
			return fmt.Errorf("an id is above %d", maxID)
		}
		return nil
	case c.Op != opPut || c.Kind != "" || c.Next != nil:
		return fmt.Errorf("op %q does not go with what the line holds", c.Op)
	}
	if kind, id := c.row(); id < 1 || byHand && id > maxID {
		return fmt.Errorf("%s %d: ids go from 1 to %d", kind, id, maxID)
	}
	switch {
	case c.User != nil:
		return s.admitUser(c.User)
	case c.Token != nil:
		return s.admitToken(c.Token)
	case c.Book != nil:
		if other := s.byTitle[c.Book.Title]; other != nil && other.ID != c.Book.ID {
			return fmt.Errorf("book %d already has this title", other.ID)
		}
	}
	return nil
}

func (s *store) admitUser(u *user) error {
	if other := s.byEmail[emailKey(u.Email)]; other != nil && other.ID != u.ID {
		return fmt.Errorf("user %d already has this e-mail", other.ID)
	}
	if other := s.byUsername[u.Username]; other != nil && other.ID != u.ID {
		return fmt.Errorf("user %d already has this username", other.ID)
	}
	if other := s.byPublicID[u.PublicID]; other != nil && other.ID != u.ID {
		return fmt.Errorf("user %d already has this public_id", other.ID)
	}
	if u.Username == "" || u.PublicID == "" {
		return errors.New("a user needs a username and a public_id")
	}
	return goodHash(u.Hash)
}

// goodHash accepts no hash at all and bcrypt's ("$2b$12$" and 53 characters) of
// a cost that a sign-in can bear: each step doubles the time, 15 takes seconds.
func goodHash(hash string) error {
	if hash == "" {
		return nil
	}
	if len(hash) == 60 && hash[:2] == "$2" && hash[3] == '$' && hash[6] == '$' {
		if cost, err := strconv.Atoi(hash[4:6]); err == nil && cost >= minCost && cost <= maxCost {
			return nil
		}
	}
	return fmt.Errorf("the hash is not bcrypt's with a cost from %d to %d", minCost, maxCost)
}

func (s *store) admitToken(t *tokenRecord) error {
	if other := s.byJTI[t.JTI]; other != nil && other.ID != t.ID {
		return fmt.Errorf("token %d already has this jti", other.ID)
	}
	old, ok := s.tokens.rows.get(t.ID)
	if ok && (old.JTI != t.JTI || old.User != t.User || old.Type != t.Type) {
		return fmt.Errorf("token %d is another one's", t.ID)
	}
	if _, ok := s.users.rows.get(t.User); !ok {
		return fmt.Errorf("user %d does not exist", t.User)
	}
	if t.JTI == "" || !slices.Contains([]string{accessToken, refreshToken}, t.Type) {
		return errors.New("a token needs a jti and a type")
	}
	return nil
}

// maxID is the highest id that a person may give to a row, or an import. There is
// as much room again behind it.
const maxID = math.MaxInt / 2

// has reports whether a row is visible.
func (s *store) has(kind string, id int) (ok bool) {
	switch kind {
	case "user":
		_, ok = s.users.rows.get(id)
	case "token":
		_, ok = s.tokens.rows.get(id)
	case "item":
		_, ok = s.items.rows.get(id)
	case "book":
		_, ok = s.books.rows.get(id)
	}
	return ok
}

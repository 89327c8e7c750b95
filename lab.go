package main

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A lab is what -lab adds to a server: calls below /lab/ by which a test puts
// all data back and says what time it is. Who may call them may do so to
// everybody's data. So there is a lab in memory and on loopback only, each call
// needs its secret, and no web page of another origin may call, whatever -cors
// says: else any page that a developer visits could (CWE-352).
//
// To go back puts another store in the place of the one there is, with whatever
// remembers what happened: a request that is under way ends with the old one,
// and one that comes after the answer meets the new one. None sees a bit of
// both.
type lab struct {
	secret  [sha256.Size]byte // of the secret, so that any two are compared in the same time
	foreign *http.CrossOriginProtection
	present atomic.Pointer[server] // what answers now

	mu    sync.Mutex   // held by whoever looks at or changes what follows, or changes present
	clock *clock.Clock // present's
	start *db.Snapshot // what reset goes back to
	kept  map[int]*db.Snapshot
	last  int // the highest id of a snapshot, never given out again
}

// maxSnapshots is how many snapshots a lab keeps: each keeps alive what was
// deleted since.
const maxSnapshots = 100

// isLabSecret reports whether a secret is not to be guessed, and fit for a header
// and a URL. (A regular expression with that count in it would cost every start
// half a millisecond and 200 KB.)
func isLabSecret(secret string) bool {
	return 16 <= len(secret) && len(secret) <= 256 && strings.Trim(secret, base64url+".~") == ""
}

// prepareLab refuses a lab where it could do harm, and makes its secret if the
// environment has none. Without -lab it forgets the secret, as SHELF_LAB_TOKEN is
// then that of a server which this program's parent runs.
func (c *settings) prepareLab() error {
	host, _, _ := net.SplitHostPort(c.addr)
	switch {
	case !c.lab:
		c.labToken = ""
		return nil
	case c.data != inMemory:
		return fmt.Errorf("-lab goes with -data memory only, as its calls drop all data; -data is %s", c.data)
	case !loopbackName(host):
		return fmt.Errorf("-lab goes with a loopback -addr only, such as 127.0.0.1:8080; -addr is %s; -lab=false does without it", c.addr)
	case c.labToken == "" && (c.log == "off" || c.logFormat == "json"):
		return errors.New("-lab takes its secret from SHELF_LAB_TOKEN with -log off or -log-format json: one that it made would be shown to nobody")
	case c.labToken == "":
		c.labToken, c.labMade = rand.Text(), true
	case !isLabSecret(c.labToken):
		return errors.New("SHELF_LAB_TOKEN is not 16 to 256 letters, digits and - . _ ~")
	}
	return nil
}

// newLab puts s, which goes by the clock c, into a lab. What s holds now is
// what a reset goes back to.
func newLab(s *server, c *clock.Clock) {
	s.lab = &lab{
		secret: sha256.Sum256([]byte(s.config.labToken)), foreign: http.NewCrossOriginProtection(),
		clock: c, start: s.store.Snapshot(), kept: map[int]*db.Snapshot{},
	}
	s.mux = s.newMux() // now with the lab's routes
	s.lab.present.Store(s)
}

// goBackLocked has another server answer from now on, by the clock c: the same
// but for its store, which holds what the image does, and its limits, which
// remember nobody. Streams of events end, and none goes on from an id that it
// was given: its client is told to read the lists anew.
func (l *lab) goBackLocked(to *db.Snapshot, c *clock.Clock) {
	was := l.present.Load()
	is := *was
	is.now = c.Now
	is.store = newStoreFrom(to, was.store.EndEvents()+1, was.log, c.Now)
	is.limits = limit.New(c.Now)
	is.mux = is.newMux()
	l.clock = c
	l.present.Store(&is)
}

// private calls next only for who knows the lab's secret.
func (l *lab) private(next handler) handler {
	refuse := func(message string) error {
		return &reply.Error{Status: http.StatusUnauthorized, Message: message, Challenge: `X-Lab-Token realm="shelf"`}
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		lines := r.Header.Values("X-Lab-Token")
		if len(lines) == 0 {
			return refuse("The lab's secret is missing: send it as X-Lab-Token")
		}
		given := sha256.Sum256([]byte(lines[0]))
		if len(lines) > 1 || subtle.ConstantTimeCompare(given[:], l.secret[:]) != 1 {
			return refuse("That is not the lab's secret")
		}
		w.Header().Set("Cache-Control", "no-store")
		return next(w, r)
	}
}

// isFor reports whether r is for the lab, if only for a path that it hasn't.
func (l *lab) isFor(r *http.Request) bool {
	return l != nil && strings.HasPrefix(r.URL.Path, "/lab/")
}

// checkPage refuses web pages of other origins, and what their browser asks
// ahead for them.
func (l *lab) checkPage(r *http.Request) error {
	changing := *r
	changing.Method = http.MethodPost // for it lets pass what changes nothing
	if err := l.foreign.Check(&changing); err != nil {
		return &reply.Error{Status: http.StatusForbidden, Message: "Web pages of other origins may not use the lab", Err: err}
	}
	return nil
}

// reset handles POST /lab/reset: all is as it was when the server began to
// serve, the clock too. Snapshots go. Tokens that were made before are good
// again, those made since are not.
func (l *lab) reset(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.goBackLocked(l.start, &clock.Clock{})
	clear(l.kept)
	return reply.JSON(w, http.StatusOK, message{"All is as it was at the start"})
}

// snapshot handles POST /lab/snapshot: the state as it is now, to be restored
// as often as one likes.
func (l *lab) snapshot(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == maxSnapshots {
		return reply.Fail(http.StatusConflict, fmt.Sprintf("There are %d snapshots already: POST /lab/reset drops them", maxSnapshots))
	}
	l.last++
	l.kept[l.last] = l.present.Load().store.Snapshot()
	return reply.JSON(w, http.StatusCreated, struct {
		ID int `json:"id"`
	}{l.last})
}

// restore handles POST /lab/restore/{id}. It leaves the clock alone: to come
// back to the same data on another day is half of what a clock is for.
func (l *lab) restore(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, _ := parseID(r.PathValue("id"))
	to := l.kept[id]
	if to == nil {
		return reply.Fail(http.StatusNotFound, "No such snapshot: a reset drops them all")
	}
	l.goBackLocked(to, l.clock)
	return reply.JSON(w, http.StatusOK, message{fmt.Sprintf("All is as it was at snapshot %d", id)})
}

// showClock handles GET /lab/clock.
func (l *lab) showClock(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answerClockLocked(w)
}

func (l *lab) answerClockLocked(w http.ResponseWriter) error {
	now := l.clock.Now().UTC()
	return reply.JSON(w, http.StatusOK, struct {
		Now    time.Time `json:"now"`
		Frozen bool      `json:"frozen"`
		Offset string    `json:"offset"` // ahead of the machine's time
	}{now, l.clock.IsFrozen(), now.Sub(clock.Real()).Round(time.Second).String()})
}

// setClock handles POST /lab/clock. A clock that was moved stands or runs as it
// did before, unless it is told to do the other.
func (l *lab) setClock(w http.ResponseWriter, r *http.Request) error {
	var now, advance *string
	var freeze, run *bool
	unknown, err := form.Read(w, r, form.Fields{"now": &now, "advance": &advance, "freeze": &freeze, "run": &run})
	if err != nil {
		return err
	}
	refuse := func(what string) error { return reply.Fail(http.StatusBadRequest, "Invalid request body: "+what) }
	freezes, runs := or(freeze, false), or(run, false)
	switch {
	case len(unknown) > 0: // a slip would make a test pass that tests nothing
		return refuse(strictjson.Member{Name: unknown[0]}.Fault("is none of now, advance, freeze and run").Error())
	case now == nil && advance == nil && !freezes && !runs:
		return refuse("want now, advance, freeze or run")
	case now != nil && advance != nil, freezes && runs:
		return refuse("now and advance exclude each other, and so do freeze and run")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if now != nil && *now == "real" {
		if freezes || runs {
			return refuse("'real' goes alone: the clock runs, and is not frozen")
		}
		l.clock.Reset()
		return l.answerClockLocked(w)
	}
	var at time.Time
	var by time.Duration
	if now != nil {
		if at, err = time.Parse(time.RFC3339, *now); err != nil {
			return refuse("'now' should be a time such as 2026-11-23T14:05:00Z (RFC 3339), or real for the machine's")
		}
	}
	if advance != nil {
		if err := config.Lifetime(&by)(*advance); err != nil {
			return refuse("'advance' should be " + err.Error())
		}
	}
	err = l.clock.Change(func(is time.Time, frozen bool) (time.Time, bool) {
		if now != nil {
			is = at
		}
		return is.Add(by), (frozen || freezes) && !runs
	})
	if err != nil {
		return refuse(err.Error())
	}
	return l.answerClockLocked(w)
}

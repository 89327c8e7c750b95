// Package lab is what -lab adds to a server: calls below /lab/ by which a test
// puts all data back and says what time it is.
//
//	POST /lab/reset           all is as it was when the server began to serve
//	POST /lab/snapshot        the state as it is now, to be restored: {"id":1}
//	POST /lab/restore/{id}    all is as it was at that snapshot
//	GET  /lab/clock           the time, and whether it runs
//	POST /lab/clock           set it, move it, freeze it, let it run
//
// Who may call them may do so to everybody's data. So there is a lab in memory and
// on loopback only, each call needs its secret, and no web page of another origin
// may call, whatever -cors says: else any page that a developer visits could
// (CWE-352). That it is in memory and on loopback is up to the caller of New.
package lab

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// A Server is what a lab changes.
type Server interface {
	// Snapshot is all data that is there now.
	Snapshot() *db.Snapshot
	// Restore puts other data in the place of what is there, with whatever
	// remembers what happened, to go by the clock c: a request that is under way
	// ends with the old data, one that comes later meets the new. None sees a
	// bit of both.
	Restore(to *db.Snapshot, c *clock.Clock)
}

// A Lab is the calls. They may be made at any time from any goroutine.
type Lab struct {
	secret  [sha256.Size]byte // of the secret, so that any two are compared in the same time
	foreign *http.CrossOriginProtection
	server  Server

	mu    sync.Mutex   // held while one looks at or changes what follows, or restores
	clock *clock.Clock // the server's
	start *db.Snapshot // what Reset goes back to
	kept  map[int]*db.Snapshot
	last  int // the highest id of a snapshot, never given out again
}

// MaxSnapshots is how many snapshots a lab keeps: each keeps alive what was
// deleted since.
const MaxSnapshots = 100

// Secret is the secret of a lab: the one from the environment, or else one that it
// makes, if that will be shown.
func Secret(given string, shown bool) (secret string, made bool, err error) {
	switch {
	case given == "" && !shown:
		return given, false, errors.New("-lab takes its secret from SHELF_LAB_TOKEN with -log off or -log-format json: one that it made would be shown to nobody")
	case given == "":
		return rand.Text(), true, nil
	case !IsSecret(given):
		return given, false, errors.New("SHELF_LAB_TOKEN is not 16 to 256 letters, digits and - . _ ~")
	}
	return given, false, nil
}

// IsSecret reports whether a secret is not to be guessed, and fit for a header
// and a URL: 16 to 256 letters, digits and - . _ ~. (A regular expression with that count in it would cost every start
// half a millisecond and 200 KB.)
func IsSecret(secret string) bool {
	return 16 <= len(secret) && len(secret) <= 256 && strings.Trim(secret, secretLetters) == ""
}

const secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"

// New makes a lab for a server that goes by the clock c. What the server holds now
// is what a reset goes back to.
func New(secret string, c *clock.Clock, s Server) *Lab {
	return &Lab{
		secret: sha256.Sum256([]byte(secret)), foreign: http.NewCrossOriginProtection(), server: s,
		clock: c, start: s.Snapshot(), kept: map[int]*db.Snapshot{},
	}
}

// restoreLocked has the server go back to a snapshot, by the clock c.
func (l *Lab) restoreLocked(to *db.Snapshot, c *clock.Clock) {
	l.server.Restore(to, c)
	l.clock = c
}

// A Handler answers a request or returns an error, never both.
type Handler = func(w http.ResponseWriter, r *http.Request) error

// Private calls next only for who knows the lab's secret.
func (l *Lab) Private(next Handler) Handler {
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

// IsFor reports whether r is for the lab, if only for a path that it hasn't.
func (l *Lab) IsFor(r *http.Request) bool {
	return l != nil && strings.HasPrefix(r.URL.Path, "/lab/")
}

// CheckPage refuses web pages of other origins, and what their browser asks
// ahead for them.
func (l *Lab) CheckPage(r *http.Request) error {
	changing := *r
	changing.Method = http.MethodPost // for it lets pass what changes nothing
	if err := l.foreign.Check(&changing); err != nil {
		return &reply.Error{Status: http.StatusForbidden, Message: "Web pages of other origins may not use the lab", Err: err}
	}
	return nil
}

// A message is an answer in words.
type message struct {
	Message string `json:"message"`
}

// Reset handles POST /lab/reset: all is as it was when the server began to
// serve, the clock too. Snapshots go. Tokens that were made before are good
// again, those made since are not.
func (l *Lab) Reset(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restoreLocked(l.start, &clock.Clock{})
	clear(l.kept)
	return reply.JSON(w, http.StatusOK, message{"All is as it was at the start"})
}

// Snapshot handles POST /lab/snapshot: the state as it is now, to be restored
// as often as one likes.
func (l *Lab) Snapshot(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.kept) == MaxSnapshots {
		return reply.Fail(http.StatusConflict, fmt.Sprintf("There are %d snapshots already: POST /lab/reset drops them", MaxSnapshots))
	}
	l.last++
	l.kept[l.last] = l.server.Snapshot()
	return reply.JSON(w, http.StatusCreated, struct {
		ID int `json:"id"`
	}{l.last})
}

// Restore handles POST /lab/restore/{id}. It leaves the clock alone: to come
// back to the same data on another day is half of what a clock is for.
func (l *Lab) Restore(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	id, _ := strconv.ParseUint(r.PathValue("id"), 10, strconv.IntSize-1)
	to := l.kept[int(id)]
	if to == nil {
		return reply.Fail(http.StatusNotFound, "No such snapshot: a reset drops them all")
	}
	l.restoreLocked(to, l.clock)
	return reply.JSON(w, http.StatusOK, message{fmt.Sprintf("All is as it was at snapshot %d", id)})
}

// ShowClock handles GET /lab/clock.
func (l *Lab) ShowClock(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answerClockLocked(w)
}

func (l *Lab) answerClockLocked(w http.ResponseWriter) error {
	now := l.clock.Now().UTC()
	return reply.JSON(w, http.StatusOK, struct {
		Now    time.Time `json:"now"`
		Frozen bool      `json:"frozen"`
		Offset string    `json:"offset"` // ahead of the machine's time
	}{now, l.clock.IsFrozen(), now.Sub(clock.Real()).Round(time.Second).String()})
}

// SetClock handles POST /lab/clock. A clock that was moved stands or runs as it
// did before, unless it is told to do the other.
func (l *Lab) SetClock(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		Now     *string `json:"now"`
		Advance *string `json:"advance"`
		Freeze  bool    `json:"freeze"`
		Run     bool    `json:"run"`
		Unknown form.Unknown
	}
	err := form.Read(w, r, &in)
	if err != nil {
		return err
	}
	refuse := func(what string) error { return reply.Fail(http.StatusBadRequest, "Invalid request body: "+what) }
	switch {
	case len(in.Unknown) > 0: // a slip would make a test pass that tests nothing
		return refuse(strictjson.Member{Name: in.Unknown[0]}.Fault("is none of now, advance, freeze and run").Error())
	case in.Now == nil && in.Advance == nil && !in.Freeze && !in.Run:
		return refuse("want now, advance, freeze or run")
	case in.Now != nil && in.Advance != nil, in.Freeze && in.Run:
		return refuse("now and advance exclude each other, and so do freeze and run")
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if in.Now != nil && *in.Now == "real" {
		if in.Freeze || in.Run {
			return refuse("'real' goes alone: the clock runs, and is not frozen")
		}
		l.clock.Reset()
		return l.answerClockLocked(w)
	}
	var at time.Time
	var by time.Duration
	if in.Now != nil {
		if at, err = time.Parse(time.RFC3339, *in.Now); err != nil {
			return refuse("'now' should be a time such as 2026-11-23T14:05:00Z (RFC 3339), or real for the machine's")
		}
	}
	if in.Advance != nil {
		if err := config.Lifetime(&by)(*in.Advance); err != nil {
			return refuse("'advance' should be " + err.Error())
		}
	}
	err = l.clock.Change(func(is time.Time, frozen bool) (time.Time, bool) {
		if in.Now != nil {
			is = at
		}
		return is.Add(by), (frozen || in.Freeze) && !in.Run
	})
	if err != nil {
		return refuse(err.Error())
	}
	return l.answerClockLocked(w)
}

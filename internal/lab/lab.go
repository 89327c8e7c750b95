// Package lab implements -lab: calls under /lab/ with which a test resets all
// data and sets the time. docs/tools.md tells its users how.
//
//	POST /lab/reset           restores the data of the server's start
//	POST /lab/snapshot        keeps the present data for a restore: {"id":1}
//	POST /lab/restore/{id}    restores the data of that snapshot
//	GET  /lab/clock           returns the time, and whether the clock is frozen
//	POST /lab/clock           sets, moves, freezes or unfreezes the clock
//
// A caller of the lab controls everybody's data. A lab therefore exists only
// with data in memory and on loopback, which the caller of New must ensure.
// Each call needs the lab's secret. Web pages of other origins are denied,
// whatever -cors allows. Otherwise any page that a developer visits could use
// the lab (CWE-352).
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

// A Server is the server that a lab controls.
type Server interface {
	// Snapshot returns all present data.
	Snapshot() *db.Snapshot
	// Restore replaces all data, and all state that depends on it, and sets the
	// clock to c. A running request ends with the old data, and a later one
	// sees the new data. No request sees both.
	Restore(to *db.Snapshot, c *clock.Clock)
}

// A Lab handles the calls. Any goroutine may call any method at any time.
type Lab struct {
	secret  [sha256.Size]byte // hashed, so that all comparisons take the same time
	foreign *http.CrossOriginProtection
	server  Server

	mu    sync.Mutex   // guards the fields below; held during a restore
	clock *clock.Clock // the server's clock
	start *db.Snapshot // the data that Reset restores
	kept  map[int]*db.Snapshot
	last  int // the highest snapshot id; never used again
}

// MaxSnapshots is the most snapshots that a lab keeps. Each keeps deleted rows
// in memory.
const MaxSnapshots = 100

// Secret returns the secret of a lab: the given one from the environment, or a
// new one (made) if it will be shown to the user.
func Secret(given string, shown bool) (secret string, made bool, err error) {
	switch {
	case given == "" && !shown:
		return given, false, errors.New("-lab takes its secret from SHELF_LAB_TOKEN with -log off or -log-format json: a secret that shelf makes would not be printed")
	case given == "":
		return rand.Text(), true, nil
	case !IsSecret(given):
		return given, false, errors.New("SHELF_LAB_TOKEN must be 16 to 256 letters, digits and - . _ ~")
	}
	return given, false, nil
}

// IsSecret reports whether a secret is long enough and safe in headers and
// URLs: 16 to 256 letters, digits and - . _ ~. (A regular expression with that
// repeat count would cost each start half a millisecond and 200 kB.)
func IsSecret(secret string) bool {
	return 16 <= len(secret) && len(secret) <= 256 && strings.Trim(secret, secretLetters) == ""
}

const secretLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"

// New returns a lab for a server with the clock c. Reset restores the data that
// the server has now.
func New(secret string, c *clock.Clock, s Server) *Lab {
	return &Lab{
		secret: sha256.Sum256([]byte(secret)), foreign: http.NewCrossOriginProtection(), server: s,
		clock: c, start: s.Snapshot(), kept: map[int]*db.Snapshot{},
	}
}

// restoreLocked restores a snapshot and sets the clock to c.
func (l *Lab) restoreLocked(to *db.Snapshot, c *clock.Clock) {
	l.server.Restore(to, c)
	l.clock = c
}

// A Handler answers a request or returns an error, never both.
type Handler = func(w http.ResponseWriter, r *http.Request) error

// Private calls next only if the request has the lab's secret.
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

// IsFor reports whether r is a request to the lab, even to an unknown path.
func (l *Lab) IsFor(r *http.Request) bool {
	return l != nil && strings.HasPrefix(r.URL.Path, "/lab/")
}

// CheckPage denies requests from web pages of other origins, including their
// preflights.
func (l *Lab) CheckPage(r *http.Request) error {
	changing := *r
	changing.Method = http.MethodPost // Check ignores methods that change nothing
	if err := l.foreign.Check(&changing); err != nil {
		return &reply.Error{Status: http.StatusForbidden, Message: "Web pages of other origins may not use the lab", Err: err}
	}
	return nil
}

// A message is a response in words.
type message struct {
	Message string `json:"message"`
}

// Reset handles POST /lab/reset. It restores the data and the clock of the
// server's start, and drops all snapshots. Tokens from before the start are
// valid again; later ones are not.
func (l *Lab) Reset(w http.ResponseWriter, r *http.Request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restoreLocked(l.start, &clock.Clock{})
	clear(l.kept)
	return reply.JSON(w, http.StatusOK, message{"All is as it was at the start"})
}

// Snapshot handles POST /lab/snapshot. A snapshot can be restored any number of
// times.
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

// Restore handles POST /lab/restore/{id}. It doesn't change the clock, so that
// a test can use the same data at another time.
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
		Offset string    `json:"offset"` // difference from the machine's time
	}{now, l.clock.IsFrozen(), now.Sub(clock.Real()).Round(time.Second).String()})
}

// SetClock handles POST /lab/clock. Moving the clock doesn't freeze or unfreeze
// it, unless the request says so.
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
	case len(in.Unknown) > 0: // a typing error must not make a test pass
		return form.Refuse("request body", strictjson.Member{Name: in.Unknown[0]}.Fault("unknown", "is none of now, advance, freeze and run"))
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

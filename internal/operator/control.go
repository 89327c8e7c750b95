package operator

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/password"
)

// A command that finds the data file locked asks the server that has it. They talk
// over a Unix socket beside the data file, never over the server's public port:
//
//	{"do":"find","name":"ann"}                  the command; one connection a request
//	{"account":{"id":1,"username":"ann",…}}     the server: no, one or many of these
//	{"done":true}                               or {"error":"…"}
//
// Passwords don't travel. The command hashes them, by the server's rules, which are
// its answer to {"do":"rules"}.
const (
	maxLine     = 16 << 10         // bytes of a request or of a line of an answer
	patience    = 10 * time.Second // for a line that is due; a write may wait for the disk
	maxCommands = 16               // connections at a time; others wait
)

// A request is a line of a command.
type request struct {
	Do    string `json:"do"`
	Name  string `json:"name,omitempty"`
	ID    int    `json:"id,omitempty"`
	Hash  string `json:"hash,omitempty"`
	Admin bool   `json:"admin,omitempty"`
}

// An answer is a line of the server.
type answer struct {
	Account *Account   `json:"account,omitempty"`
	Rules   *Passwords `json:"rules,omitempty"`
	Taken   bool       `json:"taken,omitempty"`
	None    bool       `json:"none,omitempty"`  // ErrNoAccount
	Error   string     `json:"error,omitempty"` // the request failed
	Done    bool       `json:"done,omitempty"`  // the last line
}

// A Control answers the commands for a running server. Note logs what matters to the
// security of accounts: the event is one of a few constant texts.
type Control struct {
	Accounts *Accounts
	Log      *slog.Logger
	Note     func(event string, attrs ...any)

	door    door
	running sync.WaitGroup
	places  chan struct{}
	mu      sync.Mutex
	waiting map[net.Conn]bool // connections with no whole request so far
	closed  bool
}

// A door is where commands come in.
type door interface {
	net.Listener
	admit(*wire) error // checks who it is, and fails with errDenied for others
	remove()           // removes the door's file
}

// errDenied means that a caller may not give commands.
var errDenied = errors.New("denied")

// Open begins to answer commands for the server of a data file, which the server
// must have locked. If that isn't possible here, the log says so, and the server goes
// on without. Close ends what Open began.
func (c *Control) Open(data string) {
	d, err := openDoor(data)
	if err != nil {
		c.Log.Warn("shelf user will not work while this server runs: stop the server for it", "error", err)
		return
	}
	c.start(d)
}

func (c *Control) start(d door) {
	c.door = d
	c.places, c.waiting = make(chan struct{}, maxCommands), map[net.Conn]bool{}
	c.running.Go(c.accept)
}

// Close returns when the requests that run are answered.
func (c *Control) Close() {
	c.mu.Lock()
	done := c.closed || c.door == nil
	c.closed = true
	for conn := range c.waiting {
		conn.Close()
	}
	c.mu.Unlock()
	if done {
		return
	}
	c.door.Close()
	c.running.Wait()
	c.door.remove()
}

func (c *Control) accept() {
	for {
		c.places <- struct{}{}
		conn, err := c.door.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // no file descriptor is free
			<-c.places
			time.Sleep(100 * time.Millisecond)
			continue
		}
		c.running.Go(func() {
			defer func() { <-c.places }()
			defer conn.Close()
			if c.awaits(conn, true) {
				c.serve(newWire(conn))
			}
		})
	}
}

// awaits notes whether a connection still has to send its request. It reports false if the
// server stops.
func (c *Control) awaits(conn net.Conn, waiting bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, conn)
	if waiting && !c.closed {
		c.waiting[conn] = true
	}
	return !c.closed
}

// serve answers the request of one connection.
func (c *Control) serve(w *wire) {
	defer func() {
		if p := recover(); p != nil {
			c.Log.Error("panic in a command", "panic", p, "stack", string(debug.Stack()))
			w.send(answer{Error: "internal error: see the server's log", Done: true})
		}
	}()
	err := c.door.admit(w)
	if errors.Is(err, errDenied) {
		c.Note("shelf user denied", "reason", err)
	}
	if err != nil {
		return
	}
	var r request
	err = w.receive(&r)
	if !c.awaits(w.Conn, false) {
		return
	}
	last := answer{}
	if err == nil {
		err = c.do(r, w, &last)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF):
		return
	case errors.Is(err, ErrNoAccount):
		last.None = true
	case err != nil:
		last.Error = err.Error()
	}
	last.Done = true
	w.send(last)
}

// do does what a request asks for. It sends accounts; the rest of the answer is last.
func (c *Control) do(r request, w *wire, last *answer) (err error) {
	var a Account
	if r.Hash != "" {
		if err := password.CheckHash(r.Hash); err != nil {
			return err
		}
	}
	switch r.Do {
	case "rules":
		last.Rules = &c.Accounts.Passwords
	case "list":
		return c.Accounts.List(func(a Account) error { return w.send(answer{Account: &a}) })
	case "find":
		if a, err = c.Accounts.Find(r.Name); err == nil {
			last.Account = &a
		}
	case "new":
		if a, last.Taken, err = c.Accounts.New(r.Name); err == nil {
			last.Account = &a
		}
	case "add":
		if a, err = c.Accounts.Add(r.Name, r.Hash); err == nil {
			c.Note("account added by shelf user", "account", a.ID)
			last.Account = &a
		}
	case "passwd":
		if err = c.Accounts.SetPassword(r.ID, r.Hash); err == nil {
			c.Note("password changed by shelf user", "account", r.ID)
		}
	case "admin":
		if err = c.Accounts.SetAdmin(r.ID, r.Admin); err == nil {
			c.Note("account changed by shelf user", "account", r.ID, "admin", r.Admin)
		}
	case "delete":
		if err = c.Accounts.Delete(r.ID); err == nil {
			c.Note("account deleted by shelf user", "account", r.ID)
		}
	default:
		err = fmt.Errorf("the running server is another version of shelf and doesn't know %q: stop it for this command", r.Do)
	}
	return err
}

// A wire is a connection over which lines of JSON go, each with a deadline.
type wire struct {
	net.Conn
	in       *bufio.Reader
	patience time.Duration // for a line to arrive
}

func newWire(conn net.Conn) *wire { return &wire{conn, bufio.NewReaderSize(conn, maxLine), patience} }

func (w *wire) send(line any) error {
	text, err := json.Marshal(line)
	if err == nil && len(text) >= maxLine {
		err = fmt.Errorf("a line of %d bytes is too long", len(text))
	}
	if err == nil {
		w.SetWriteDeadline(clock.Real().Add(patience))
		_, err = w.Write(append(text, '\n'))
	}
	return err
}

func (w *wire) receive(into any) error {
	w.SetReadDeadline(clock.Real().Add(w.patience))
	text, err := w.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("a line has more than %d bytes", maxLine)
	}
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the running server and this command don't understand each other, as different versions of shelf: %v", err) // not %w: io.EOF means a closed connection
	}
	return nil
}

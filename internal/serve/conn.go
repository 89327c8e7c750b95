package serve

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
)

// Patience is how long a connection may stand still while it is written to or
// while a body is read from it. There is no limit for the whole: an answer of any
// length goes to a client that goes on reading, however slowly.
const Patience = 30 * time.Second

// pauses is how often, within Patience, a write looks for progress.
const pauses = 3

// A conn is a connection whose writes fail only when the client takes nothing for
// [Patience]. A deadline that is set on it holds as well.
//
// It stands below TLS, as a TLS connection can't be written to after a timeout.
type conn struct {
	net.Conn
	server *Server
	leave  func() // gives its place free
	state  atomic.Int32

	mu       sync.Mutex
	deadline time.Time // that was set; zero: none
	pause    time.Time // when the write that is under way looks for progress; zero: there was none

	head    [128]byte // what was read since the last write, for refused
	headLen atomic.Int32
}

// SetWriteDeadline sets a deadline that no progress moves.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetWriteDeadline(earlier(c.deadline, c.pause))
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// earlier returns the earlier deadline; the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// untilPause sets the time of the next look. It reports whether the deadline has
// passed.
func (c *conn) untilPause() (over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := clock.Real()
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return true, os.ErrDeadlineExceeded
	}
	c.pause = now.Add(Patience / pauses)
	return false, c.Conn.SetWriteDeadline(earlier(c.deadline, c.pause))
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	at := c.headLen.Load()
	c.headLen.Add(int32(copy(c.head[at:], b[:n])))
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	defer c.headLen.Store(0)
	if answer := c.refused(b); answer != nil {
		if _, err := c.write(answer); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return c.write(b)
}

// write goes on while the client takes something. What the system has in its
// buffers counts as well: it tells a program of room in them in large steps only.
func (c *conn) write(b []byte) (n int, err error) {
	still, queued := 0, -1
	for {
		if over, err := c.untilPause(); over || err != nil {
			return n, err
		}
		m, err := c.Conn.Write(b[n:])
		n += m
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		left := unsent(c.Conn)
		if m > 0 || left < queued {
			still = 0
		} else if still++; still == pauses {
			return n, err
		}
		queued = left
	}
}

// CloseWrite is for package net/http, which has a client read an answer before
// the connection is closed.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *conn) Close() error {
	c.leave()
	return c.Conn.Close()
}

// refused returns what takes the place of b, if b is an answer that package
// net/http gives by itself, as no request could be read: it is text, and shelf's
// is JSON. It returns nil for any other b. An answer of a handler is known by its
// X-Content-Type-Options, which all have. Below TLS nothing looks like an answer.
func (c *conn) refused(b []byte) []byte {
	if c.server.refuse == nil || len(b) < 12 || string(b[:7]) != "HTTP/1." || b[9] != '4' && b[9] != '5' || bytes.Contains(b, []byte("\r\nX-Content-Type-Options:")) {
		return nil
	}
	status, err := strconv.Atoi(string(b[9:12]))
	head, body, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if err != nil || !ok {
		return nil
	}
	message := http.StatusText(status)
	if _, why, found := strings.Cut(strings.SplitN(string(head), "\r\n", 2)[0], message+": "); found {
		message = message + ": " + why
	} else if status == http.StatusBadRequest && bytes.HasPrefix(body, []byte("Client sent")) {
		message = strings.TrimSpace(string(body))
	}
	w := &collector{header: http.Header{}}
	c.server.refuse(w, c.path(), status, message)
	var out bytes.Buffer
	h := w.header
	h.Set("Connection", "close")
	h.Set("Content-Length", strconv.Itoa(w.body.Len()))
	h.Set("Date", clock.Real().UTC().Format(http.TimeFormat))
	h.Set("X-Content-Type-Options", "nosniff")
	out.WriteString("HTTP/1.1 " + strconv.Itoa(status) + " " + http.StatusText(status) + "\r\n")
	h.Write(&out)
	out.WriteString("\r\n")
	out.Write(w.body.Bytes())
	return out.Bytes()
}

// path is that of the request which was read last, as far as it can be told: "/"
// where it can't.
func (c *conn) path() string {
	line := string(c.head[:c.headLen.Load()])
	_, target, _ := strings.Cut(line, " ")
	path, _, _ := strings.Cut(target, " ")
	path, _, _ = strings.Cut(path, "?")
	if !strings.HasPrefix(path, "/") {
		return "/"
	}
	return path
}

// A collector is a ResponseWriter that keeps the answer.
type collector struct {
	header http.Header
	body   bytes.Buffer
}

func (w *collector) Header() http.Header         { return w.header }
func (w *collector) WriteHeader(int)             {}
func (w *collector) Write(b []byte) (int, error) { return w.body.Write(b) }

// A listener gives a [Server] its connections, and no more of them at a time than
// it may have. When there are too many, one that waits for its next request is
// closed; where all are at work, the next client waits.
type listener struct {
	net.Listener
	server *Server
	closed chan struct{}
	close  func()
}

func (l *listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := l.server
	select {
	case s.places <- struct{}{}:
	default:
		s.waiting.Store(true)
		s.closeIdle()
		select {
		case s.places <- struct{}{}:
			s.waiting.Store(false)
		case <-l.closed:
			inner.Close()
			return nil, net.ErrClosed
		}
	}
	c := &conn{Conn: inner, server: s}
	c.leave = sync.OnceFunc(func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		<-s.places
	})
	s.mu.Lock()
	s.conns[c] = true
	s.mu.Unlock()
	return c, nil
}

func (l *listener) Close() error {
	l.close()
	return l.Listener.Close()
}

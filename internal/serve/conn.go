package serve

import (
	"bytes"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"example.com/shelf/internal/clock"
)

// Patience is how long a client may accept or send nothing while the server
// writes a response or reads a body. There is no limit for the whole: a
// response of any length is sent as long as the client reads, however slowly.
const Patience = 30 * time.Second

// checks is how many times in Patience a write checks for progress.
const checks = 3

// A conn is a connection whose writes fail if the client accepts nothing for
// [Patience], or if a deadline that was set has passed.
//
// A conn is below TLS, because a TLS connection can't be written to after a
// timeout.
type conn struct {
	net.Conn
	server  *Server
	release func() // frees the connection's place
	state   atomic.Int32

	mu       sync.Mutex
	deadline time.Time // the deadline that was set; zero: none
	check    time.Time // next check of the current write; zero: no write yet

	head    [128]byte // first bytes read since the last write, for path
	headLen atomic.Int32
}

// SetWriteDeadline sets a deadline that progress doesn't extend.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.Conn.SetWriteDeadline(earlier(c.deadline, c.check))
}

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// earlier returns the earlier deadline. The zero time means no deadline.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// untilCheck sets the time of the next check. over is true if the deadline has
// passed.
func (c *conn) untilCheck() (over bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := clock.Real()
	if !c.deadline.IsZero() && !now.Before(c.deadline) {
		return true, os.ErrDeadlineExceeded
	}
	c.check = now.Add(Patience / checks)
	return false, c.Conn.SetWriteDeadline(earlier(c.deadline, c.check))
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	at := c.headLen.Load()
	c.headLen.Add(int32(copy(c.head[at:], b[:n])))
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	defer c.headLen.Store(0)
	if answer := c.rewritten(b); answer != nil {
		if _, err := c.write(answer); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return c.write(b)
}

// write continues as long as the client accepts data. It also watches how much
// the system still has to send, because the system reports free buffer space in
// large steps only.
func (c *conn) write(b []byte) (n int, err error) {
	still, queued := 0, -1
	for {
		if over, err := c.untilCheck(); over || err != nil {
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
		} else if still++; still == checks {
			return n, err
		}
		queued = left
	}
}

// CloseWrite is called by package net/http, so that the client can read a
// response before the connection is closed.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

func (c *conn) Close() error {
	c.release()
	return c.Conn.Close()
}

// rewritten returns the replacement for b if b is a response of package
// net/http itself, to a request that it could not read. Such a response is
// text, and shelf's are JSON. rewritten returns nil for any other b. Handlers'
// responses all have X-Content-Type-Options. Below TLS, b is encrypted and
// never matches.
func (c *conn) rewritten(b []byte) []byte {
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
	c.server.refuse(w, &http.Request{URL: &url.URL{Path: c.path()}}, status, message)
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

// path returns the path of the last request, as far as it was read, or "/".
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

// A collector is a ResponseWriter that stores the response.
type collector struct {
	header http.Header
	body   bytes.Buffer
}

func (w *collector) Header() http.Header         { return w.header }
func (w *collector) WriteHeader(int)             {}
func (w *collector) Write(b []byte) (int, error) { return w.body.Write(b) }

// A listener accepts connections for a [Server], up to its limit. At the limit
// it closes a connection that is idle. If none is idle, the next client waits.
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
	c.release = sync.OnceFunc(func() {
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

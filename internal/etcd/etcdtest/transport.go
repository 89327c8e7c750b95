package etcdtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Address is the address of the cluster for clients that use the Gateway as their
// transport: etcd://m0:2379,m1:2379/shelf/.
func (g *Gateway) Address() string {
	var hosts []string
	for i := range g.members {
		hosts = append(hosts, fmt.Sprintf("m%d:2379", i))
	}
	return "etcd://" + strings.Join(hosts, ",") + "/shelf/"
}

// Serve starts the members on ports of this machine until the test ends. It
// returns the address of the cluster.
func (g *Gateway) Serve(t testing.TB) string {
	var hosts []string
	for i := range g.members {
		server := httptest.NewServer(g.Member(i))
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		hosts = append(hosts, strings.TrimPrefix(server.URL, "http://"))
	}
	return "etcd://" + strings.Join(hosts, ",") + "/shelf/"
}

// RoundTrip makes the Gateway an http.RoundTripper that uses no network. It works
// in a bubble of package synctest.
func (g *Gateway) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	name, _, _ := strings.Cut(r.URL.Host, ":")
	number, err := strconv.Atoi(strings.TrimPrefix(name, "m"))
	if err != nil || number >= g.members {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("no such host")}
	}
	m := member{g, number}
	fault := m.decide(r, body)
	if fault.Down {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	return exchange(r, func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, body, fault) })
}

// exchange calls a handler as a server would, and returns its answer as soon as
// the handler has begun it.
func exchange(r *http.Request, handle http.HandlerFunc) (*http.Response, error) {
	read, write := io.Pipe()
	w := &writer{pipe: write, begun: make(chan struct{}), header: http.Header{}}
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		defer func() {
			lost := recover() != nil
			w.begin(http.StatusOK, lost)
			err := io.EOF
			if lost {
				err = io.ErrUnexpectedEOF
			}
			write.CloseWithError(err)
		}()
		handle(w, r.Clone(ctx))
	}()
	context.AfterFunc(ctx, func() { read.CloseWithError(ctx.Err()) })
	select {
	case <-w.begun:
	case <-ctx.Done():
		cancel()
		return nil, ctx.Err()
	}
	if w.lost {
		cancel()
		return nil, io.EOF
	}
	return &http.Response{StatusCode: w.status, Header: w.header, Body: hangUp{read, cancel}, Request: r}, nil
}

// hangUp is a body whose Close ends the handler's context.
type hangUp struct {
	*io.PipeReader

	cancel context.CancelFunc
}

func (h hangUp) Close() error {
	h.cancel()
	return h.PipeReader.Close()
}

type writer struct {
	pipe   *io.PipeWriter
	once   sync.Once
	begun  chan struct{}
	header http.Header
	status int
	lost   bool
}

func (w *writer) begin(status int, lost bool) {
	w.once.Do(func() {
		w.status, w.lost = status, lost
		close(w.begun)
	})
}

func (w *writer) Header() http.Header    { return w.header }
func (w *writer) WriteHeader(status int) { w.begin(status, false) }
func (w *writer) Flush()                 {}

func (w *writer) Write(p []byte) (int, error) {
	w.begin(http.StatusOK, false)
	return w.pipe.Write(p)
}

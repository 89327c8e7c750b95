// Package serve runs a handler of package net/http in a production server. The
// server limits how long a client can make it wait and how much it keeps, and
// its deadlines move with progress. The package also reloads TLS certificates,
// records responses for the log, gives requests ids, and reports the program's
// build.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	stdlog "log"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/durable"
)

// A Config configures a server.
type Config struct {
	Log      *slog.Logger
	MaxConns int // most connections at a time; 0: [DefaultMaxConns]
	// Refuse answers a request that could not be read, so that no handler sees
	// it. The request holds only a path, "/" if it is unknown. Nil: the text of
	// package net/http.
	Refuse Refuse
}

// DefaultMaxConns is the default limit of connections. Each needs about 20 kB
// and a file descriptor.
const DefaultMaxConns = 5000

// A Server is an http.Server that limits how long a client can make it wait and
// how much it keeps (CWE-400, CWE-770).
type Server struct {
	*http.Server
	refuse  Refuse
	log     *slog.Logger
	places  chan struct{} // has one element per connection
	waiting atomic.Bool   // a client waits for a place
	full    Seldom        // limits the log line about that

	mu    sync.Mutex
	conns map[*conn]bool
}

// New returns a server. A client has 10 seconds for the request line and
// headers, which may have 32 KiB. For the rest see [Patience]. Package form
// limits bodies.
func New(handler http.Handler, o Config) *Server {
	s := &Server{refuse: o.Refuse, log: o.Log, places: make(chan struct{}, cmp.Or(o.MaxConns, DefaultMaxConns)), conns: map[*conn]bool{}}
	s.Server = &http.Server{
		Handler:           pace(handler),
		ReadHeaderTimeout: 10 * time.Second, // also for a TLS handshake
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		// so that OPTIONS * passes the check of the Host too
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(&errorLog{log: o.Log}, "", 0),
		ConnState:                    s.stateChanged,
	}
	// Browsers open connections in advance. Shutdown would wait five seconds
	// for a request on them.
	s.RegisterOnShutdown(func() { s.closeAll(http.StateNew) })
	return s
}

// Serve is [http.Server.Serve].
func (s *Server) Serve(l net.Listener) error { return s.Server.Serve(s.guard(l)) }

// ServeTLS is [http.Server.ServeTLS].
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.Server.ServeTLS(s.guard(l), certFile, keyFile)
}

func (s *Server) guard(l net.Listener) net.Listener {
	closed := make(chan struct{})
	return &listener{l, s, closed, sync.OnceFunc(func() { close(closed) })}
}

// stateChanged records the state of a connection.
func (s *Server) stateChanged(c net.Conn, state http.ConnState) {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	ours, ok := c.(*conn)
	if !ok {
		return
	}
	ours.state.Store(int32(state))
	if state == http.StateIdle && s.waiting.Load() {
		ours.Close()
	}
}

// closeIdle closes one connection that waits for its next request, because
// another client has a request now.
func (s *Server) closeIdle() {
	if due, _ := s.full.Due(); due {
		s.log.Warn("connection limit reached: idle connections are closed, and further clients wait (-max-conns raises the limit)", "connections", cap(s.places))
	}
	s.mu.Lock()
	var idle *conn
	for c := range s.conns {
		if http.ConnState(c.state.Load()) == http.StateIdle {
			idle = c
			break
		}
	}
	s.mu.Unlock()
	if idle != nil {
		idle.Close()
	}
}

// closeAll closes all connections in that state.
func (s *Server) closeAll(state http.ConnState) {
	s.mu.Lock()
	all := slices.Collect(maps.Keys(s.conns))
	s.mu.Unlock()
	for _, c := range all {
		if http.ConnState(c.state.Load()) == state {
			c.Close()
		}
	}
}

// reachable returns an address for calling a listener. A listener on all
// interfaces is called on loopback.
func reachable(addr net.Addr) string {
	tcp := *addr.(*net.TCPAddr)
	if tcp.IP.IsUnspecified() {
		tcp.IP = net.IPv4(127, 0, 0, 1)
	}
	return tcp.String()
}

// A Certificate is the pair of files of -tls-cert and -tls-key. It can be
// reloaded while the server runs, for programs that renew certificates every
// few weeks.
type Certificate struct {
	CertFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// KeepCertificate loads a pair of files and reloads it until ctx is done; see
// [Certificate.ReloadOnHangup]. It returns nil, for plain http, if certFile is
// "".
func KeepCertificate(ctx context.Context, certFile, keyFile string, log *slog.Logger) (*Certificate, error) {
	if certFile == "" {
		return nil, nil
	}
	c, err := LoadCertificate(certFile, keyFile)
	if err != nil {
		return nil, err
	}
	c.warn(log)
	c.ReloadOnHangup(ctx, log)
	return c, nil
}

// warn logs a certificate that clients reject today.
func (c *Certificate) warn(log *slog.Logger) {
	leaf, now := c.current.Load().Leaf, clock.Real()
	switch {
	case now.After(leaf.NotAfter):
		log.Warn("the TLS certificate has expired: clients will reject it", "file", c.CertFile, "since", leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		log.Warn("the TLS certificate is not valid yet: clients will reject it", "file", c.CertFile, "until", leaf.NotBefore)
	}
}

// LoadCertificate reads a pair of files. Its error names them.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{CertFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Reload reads the pair again, for new connections. If it fails, the old pair
// stays in use.
func (c *Certificate) Reload() error {
	cert, err := durable.ReadFile(c.CertFile)
	var key []byte
	if err == nil {
		key, err = durable.ReadFile(c.keyFile)
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.X509KeyPair(cert, key)
	}
	if err != nil && cert != nil && key != nil {
		err = fmt.Errorf("%s; want two files in PEM that belong together", strings.TrimPrefix(err.Error(), "tls: "))
	}
	if err != nil {
		return fmt.Errorf("the TLS certificate %s and its key %s: %w", c.CertFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	return nil
}

// ReloadOnHangup calls Reload for each SIGHUP, until ctx is done. Windows never
// sends SIGHUP.
func (c *Certificate) ReloadOnHangup(ctx context.Context, log *slog.Logger) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			if err := c.Reload(); err != nil {
				log.Error("the certificate was not reloaded; the old one stays in use", "error", err)
			} else {
				log.Info("certificate reloaded", "file", c.CertFile)
				c.warn(log)
			}
		}
	}()
}

// UntilHangup returns a context that is done at a SIGHUP from the program's
// terminal, when that is closed. A program without a terminal gets SIGHUP from
// a service manager, to reload its settings, and doesn't stop. With a
// certificate, a SIGHUP while the terminal exists reloads it; see
// [Certificate.ReloadOnHangup]. An ignored SIGHUP, as under nohup, stays
// ignored.
func UntilHangup(ctx context.Context, withCertificate bool, log *slog.Logger) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if signal.Ignored(syscall.SIGHUP) {
		return ctx, cancel
	}
	hadTerminal := hasTerminal()
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	go func() {
		defer signal.Stop(hangup)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
			}
			switch {
			case hadTerminal && (!withCertificate || !hasTerminal()):
				log.Warn("the terminal was closed: stopping")
				cancel()
				return
			case !withCertificate:
				log.Info("SIGHUP ignored: there is no certificate to reload, and all other settings are read at the start only")
			}
		}
	}()
	return ctx, cancel
}

// hasTerminal reports whether the process has a controlling terminal.
func hasTerminal() bool {
	terminal, err := os.Open("/dev/tty")
	if err == nil {
		terminal.Close()
	}
	return err == nil
}

// TLSConfig serves the current pair. It rejects TLS before 1.2 as broken (RFC
// 8996). For TLS 1.2 it accepts only suites with forward secrecy and AEAD (RFC
// 9325 §4.2).
func (c *Certificate) TLSConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

// Listen listens on addr. Its error is one line for a person.
func Listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	// WSAEADDRINUSE and WSAEADDRNOTAVAIL: on Windows, EADDRINUSE is a number that no call returns
	const windowsInUse, windowsNotHere = syscall.Errno(10048), syscall.Errno(10049)
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse) {
		return nil, fmt.Errorf("%s is in use by another program; choose another port with -addr, or 0 for a free one", addr)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("can't listen on %s: permission denied: choose a port above 1023 with -addr, as those below are for root", addr)
	}
	if errors.Is(err, syscall.EADDRNOTAVAIL) || errors.Is(err, windowsNotHere) {
		return nil, fmt.Errorf("can't listen on %s: this machine does not have that address; 0.0.0.0 stands for all that it has", addr)
	}
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest repeats the address
		}
		return nil, fmt.Errorf("can't listen on %s: %w", addr, err)
	}
	return listener, nil
}

// URL returns the URL of l, with https if there is a certificate.
func URL(l net.Listener, c *Certificate) string {
	if c == nil {
		return "http://" + reachable(l.Addr())
	}
	return "https://" + reachable(l.Addr())
}

// Until serves on l until ctx is done, with https if there is a certificate.
// Then it calls stop, to end requests that don't end by themselves, and waits
// up to drain for the running ones. Once the server answers, Until calls ready,
// and stops if that fails.
func Until(ctx context.Context, l net.Listener, s *Server, c *Certificate, ready func() error, stop func(), drain time.Duration) error {
	stopped := make(chan error, 1)
	go func() { stopped <- serveOn(l, s, c) }()
	defer s.Close() // if Shutdown is not called below
	if err := ready(); err != nil {
		return err
	}
	select {
	case err := <-stopped:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	stop()
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	if err := s.Shutdown(patience); err != nil {
		s.Close() // the running requests have had their time
	}
	return nil
}

// serveOn serves l until Shutdown, with https if there is a certificate.
func serveOn(l net.Listener, s *Server, c *Certificate) error {
	if c == nil {
		return s.Serve(l)
	}
	s.TLSConfig = c.TLSConfig()
	return s.ServeTLS(l, "", "")
}

// Package serve is what stands around a handler of package net/http in a program
// that serves: an http.Server with bounds for what a client can make it wait for
// and keep, whose deadlines move with progress, a certificate that can be replaced while it runs, an answer that
// remembers what was answered, the ids of requests, and which build this is.
package serve

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
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

// A Config says how a server treats its clients.
type Config struct {
	Log      *slog.Logger
	MaxConns int // connections at a time; 0 for [DefaultMaxConns]
	// Refuse writes the answer to a request that could not be read, and so has
	// no handler. path is "/" where that can't be told. Nil: package net/http's.
	Refuse func(w http.ResponseWriter, path string, status int, message string)
}

// DefaultMaxConns is how many connections a server has at a time. Each costs some
// 20 kB, and a file descriptor.
const DefaultMaxConns = 5000

// A Server is an http.Server with bounds for what a client can make it wait for
// and keep (CWE-400, CWE-770).
type Server struct {
	*http.Server
	refuse  func(w http.ResponseWriter, path string, status int, message string)
	log     *slog.Logger
	places  chan struct{} // holds one for each connection
	waiting atomic.Bool   // whether a client waits for a place
	full    Seldom        // the log's line about that

	mu    sync.Mutex
	conns map[*conn]bool
}

// New makes a server. A client has 10 seconds for the request line and the headers,
// which hold at most 32 KiB. For the rest see [Patience]. What a body may hold
// stands in internal/form.
func New(handler http.Handler, o Config) *Server {
	s := &Server{refuse: o.Refuse, log: o.Log, places: make(chan struct{}, cmp.Or(o.MaxConns, DefaultMaxConns)), conns: map[*conn]bool{}}
	s.Server = &http.Server{
		Handler:           pace(handler),
		ReadHeaderTimeout: 10 * time.Second, // a TLS handshake has it too
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
		// OPTIONS * goes by the rules about hosts like everything else.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     stdlog.New(&errorLog{log: o.Log}, "", 0),
		ConnState:                    s.changed,
	}
	// Browsers connect ahead of need, and Shutdown would wait five seconds for
	// what they might ask.
	s.RegisterOnShutdown(func() { s.closeAll(http.StateNew) })
	return s
}

// Serve is that of http.Server.
func (s *Server) Serve(l net.Listener) error { return s.Server.Serve(s.guard(l)) }

// ServeTLS is that of http.Server.
func (s *Server) ServeTLS(l net.Listener, certFile, keyFile string) error {
	return s.Server.ServeTLS(s.guard(l), certFile, keyFile)
}

func (s *Server) guard(l net.Listener) net.Listener {
	closed := make(chan struct{})
	return &listener{l, s, closed, sync.OnceFunc(func() { close(closed) })}
}

// changed remembers what a connection does.
func (s *Server) changed(c net.Conn, state http.ConnState) {
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

// closeIdle closes a connection that waits for its next request, if there is one:
// a client is there that has a request now.
func (s *Server) closeIdle() {
	if due, _ := s.full.Due(); due {
		s.log.Warn("there are as many connections as there may be: who has no request loses one, and others wait", "connections", cap(s.places))
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

// closeAll closes the connections in that state.
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

// reachable is the address to call a listener by: one on every interface is
// reached on loopback too.
func reachable(addr net.Addr) string {
	tcp := *addr.(*net.TCPAddr)
	if tcp.IP.IsUnspecified() {
		tcp.IP = net.IPv4(127, 0, 0, 1)
	}
	return tcp.String()
}

// A Certificate is the pair of files that -tls-cert and -tls-key name. Another
// pair can take its place while the server runs: what renews certificates does
// so every few weeks.
type Certificate struct {
	CertFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// KeepCertificate is the pair of those files, kept up to date until ctx is done: see
// [Certificate.ReloadOnHangup]. It is nil, for plain http, if certFile is "".
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

// warn says if the certificate is not one that clients take today.
func (c *Certificate) warn(log *slog.Logger) {
	leaf, now := c.current.Load().Leaf, clock.Real()
	switch {
	case now.After(leaf.NotAfter):
		log.Warn("the TLS certificate has expired: clients will refuse it", "file", c.CertFile, "since", leaf.NotAfter)
	case now.Before(leaf.NotBefore):
		log.Warn("the TLS certificate is not valid yet: clients will refuse it", "file", c.CertFile, "until", leaf.NotBefore)
	}
}

// LoadCertificate reads the pair. The error names the file.
func LoadCertificate(certFile, keyFile string) (*Certificate, error) {
	c := &Certificate{CertFile: certFile, keyFile: keyFile}
	return c, c.Reload()
}

// Reload reads the pair again, for connections from now on. When it fails, the
// old pair stays in use.
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
	if err != nil {
		return fmt.Errorf("the TLS certificate %s and its key %s: %w", c.CertFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	return nil
}

// ReloadOnHangup reloads whenever the process gets SIGHUP, until ctx is done.
// Windows has no such signal, and never sends it.
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
				log.Error("not reloaded; the old certificate stays in use", "error", err)
			} else {
				log.Info("certificate reloaded", "file", c.CertFile)
				c.warn(log)
			}
		}
	}()
}

// UntilHangup is ctx, done at a SIGHUP that says that the terminal of the program has
// gone. A service manager sends SIGHUP to have a program read its settings again, and
// its programs have no terminal: then it ends nothing. With a certificate SIGHUP is
// for that, see [Certificate.ReloadOnHangup], while the terminal is there. Where
// SIGHUP is ignored, as under nohup, it stays so.
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
				log.Warn("the terminal has gone: stopping")
				cancel()
				return
			case !withCertificate:
				log.Info("SIGHUP: there is no certificate to read again, and the rest is read at the start only")
			}
		}
	}()
	return ctx, cancel
}

// hasTerminal reports whether the process has a terminal that can end it.
func hasTerminal() bool {
	terminal, err := os.Open("/dev/tty")
	if err == nil {
		terminal.Close()
	}
	return err == nil
}

// TLSConfig serves the current pair. The older versions are broken (RFC 8996), and of
// TLS 1.2 all but the suites with forward secrecy and AEAD (RFC 9325 §4.2).
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

// Listen listens on addr. It fails with one clear line.
func Listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE: there EADDRINUSE is another number, which nothing returns
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse) {
		return nil, fmt.Errorf("%s is in use by another program; choose another port with -addr, or 0 for a free one", addr)
	}
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err // the rest of it is the address again
		}
		return nil, fmt.Errorf("can't listen on %s: %w", addr, err)
	}
	return listener, nil
}

// URL is the URL by which l can be called: by https if there is a
// certificate.
func URL(l net.Listener, c *Certificate) string {
	if c == nil {
		return "http://" + reachable(l.Addr())
	}
	return "https://" + reachable(l.Addr())
}

// Until serves on l until ctx is done, by https if there is a certificate, and then
// gives requests that are running that much time to end. Once the server answers, it
// calls ready, whose error ends it. In the end it calls stop, for what would not end
// by itself.
func Until(ctx context.Context, l net.Listener, s *Server, c *Certificate, ready func() error, stop func(), drain time.Duration) error {
	stopped := make(chan error, 1)
	go func() { stopped <- on(l, s, c) }()
	defer s.Close() // where it isn't shut down below
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
		s.Close() // what is still running has had its time
	}
	return nil
}

// on has s serve l until it is shut down: by https if there is a certificate.
func on(l net.Listener, s *Server, c *Certificate) error {
	if c == nil {
		return s.Serve(l)
	}
	s.TLSConfig = c.TLSConfig()
	return s.ServeTLS(l, "", "")
}

// Allowed is the value of the header Allow for each path of a route table, whose
// patterns are those of http.ServeMux with a method.
func Allowed(patterns []string) map[string]string {
	methods := map[string][]string{} // by path
	for _, pattern := range patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if method == http.MethodGet {
			methods[path] = append(methods[path], http.MethodHead)
		}
		methods[path] = append(methods[path], method)
	}
	allowed := map[string]string{}
	for path, of := range methods {
		slices.Sort(of)
		allowed[path] = strings.Join(append(of, http.MethodOptions), ", ")
	}
	return allowed
}

// Options answers OPTIONS, and reports whether it has: with Allow, and where that has
// PATCH, with the types that it takes (RFC 5789 §3.1). Any other request gets the
// header Allow alone, as a 405 has to have it.
func Options(w http.ResponseWriter, r *http.Request, allow, acceptPatch string) (answered bool) {
	w.Header().Set("Allow", allow)
	if r.Method != http.MethodOptions {
		return false
	}
	if strings.Contains(allow, http.MethodPatch) {
		w.Header().Set("Accept-Patch", acceptPatch)
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

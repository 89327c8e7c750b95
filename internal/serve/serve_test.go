package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/serve"
)

// A pipes is a listener whose connections are pipes. In a synctest bubble,
// waiting for a pipe counts as blocked.
type pipes struct {
	conns  chan net.Conn
	closed chan struct{}
	once   *sync.Once
}

func (p pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}
func (p pipes) Close() error   { p.once.Do(func() { close(p.closed) }); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} }

// dial connects to the server.
func (p pipes) dial() net.Conn {
	ours, theirs := net.Pipe()
	p.conns <- theirs
	return ours
}

// start serves the handler until the test ends.
func start(t *testing.T, o serve.Config, unencryptedHTTP2 bool, handler http.HandlerFunc) pipes {
	o.Log = slog.New(slog.DiscardHandler)
	s := serve.New(handler, o)
	if unencryptedHTTP2 {
		s.Protocols = new(http.Protocols)
		s.Protocols.SetUnencryptedHTTP2(true)
	}
	l := pipes{make(chan net.Conn), make(chan struct{}), new(sync.Once)}
	var serving sync.WaitGroup
	serving.Go(func() { s.Serve(l) })
	t.Cleanup(func() {
		s.Close()
		serving.Wait()
		<-time.After(time.Hour) // by then all goroutines have ended
	})
	return l
}

// A pausing reads and writes piece by piece, with a pause before each.
type pausing struct {
	io.Reader
	piece int
	pause time.Duration
}

func (r pausing) Read(b []byte) (int, error) {
	<-time.After(r.pause) // by the bubble's clock
	return r.Reader.Read(b[:min(len(b), r.piece)])
}

func client(l pipes, http2 bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!http2)
	protocols.SetUnencryptedHTTP2(http2)
	return &http.Client{Transport: &http.Transport{
		Protocols: protocols, DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return l.dial(), nil },
	}}
}

// A response has no time limit as a whole: a client that keeps reading gets all
// of it, and one that stops is disconnected. The handler gets an error in the
// second case.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	const length = 16 << 20 // more than an HTTP/2 client buffers
	for _, http2 := range []bool{false, true} {
		for _, tt := range []struct {
			name  string
			pause time.Duration // before each 100 KB
			whole bool
		}{
			{"a fast reader", 0, true},
			{"one that takes minutes", 10 * time.Second, true},
			{"one that stops", time.Hour, false},
		} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", tt.name, http2), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					cut := make(chan error, 1)
					l := start(t, serve.Config{}, http2, func(w http.ResponseWriter, r *http.Request) {
						_, err := w.Write(bytes.Repeat([]byte("x"), length))
						cut <- err
					})
					c := client(l, http2)
					defer c.CloseIdleConnections()
					resp, err := c.Get("http://shelf/")
					if err != nil {
						t.Fatal(err)
					}
					defer resp.Body.Close()
					body := pausing{resp.Body, 100 << 10, tt.pause}
					if !tt.whole {
						if err := <-cut; err == nil {
							t.Error("the handler was told that all was written")
						}
						if took := time.Since(began); took < serve.Patience || took > 2*serve.Patience {
							t.Errorf("let go after %v; want about %v", took, serve.Patience)
						}
						return
					}
					got, err := io.Copy(io.Discard, body)
					if err := <-cut; err != nil {
						t.Errorf("the handler's Write: %v", err)
					}
					if got != length || err != nil {
						t.Errorf("read %d bytes, %v, in %v; want all %d", got, err, time.Since(began), length)
					}
				})
			})
		}
	}
}

// A body may come slowly, but not so slowly that it never ends.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		for _, tt := range []struct {
			name          string
			length, piece int
			pause         time.Duration
			whole         bool
			within        time.Duration
		}{
			{"100 KB at 1,000 bytes a second", 100_000, 1000, time.Second, true, 2 * time.Minute},
			{"100 KB in pieces of 10 KB, each after 12 s", 100_000, 10_000, 12 * time.Second, true, 3 * time.Minute},
			{"a byte each second", 1000, 1, time.Second, false, 35 * time.Second},
			{"nothing more for a while", 100_000, 50_000, 40 * time.Second, false, 35 * time.Second},
		} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", tt.name, http2), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					began := time.Now()
					type result struct {
						n   int
						err error
						at  time.Duration
					}
					read := make(chan result, 1)
					l := start(t, serve.Config{}, http2, func(w http.ResponseWriter, r *http.Request) {
						b, err := io.ReadAll(r.Body)
						read <- result{len(b), err, time.Since(began)}
						w.Write([]byte("ok"))
					})
					c := client(l, http2)
					defer c.CloseIdleConnections()
					r, _ := http.NewRequest("POST", "http://shelf/", pausing{bytes.NewReader(make([]byte, tt.length)), tt.piece, tt.pause})
					r.ContentLength = int64(tt.length)
					if resp, err := c.Do(r); err == nil {
						resp.Body.Close()
					}
					got := <-read
					if (got.err == nil) != tt.whole || tt.whole && got.n != tt.length || got.at > tt.within {
						t.Errorf("read %d bytes, %v, after %v; want whole %v within %v", got.n, got.err, got.at, tt.whole, tt.within)
					}
				})
			})
		}
	}
}

// A stream without events is not cut, however long, because the server is not
// waiting for its client.
func TestSilentHandler(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %v", http2), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := start(t, serve.Config{}, http2, func(w http.ResponseWriter, r *http.Request) {
					for range 5 {
						select {
						case <-r.Context().Done():
							return
						case <-time.After(2 * serve.Patience):
						}
						io.WriteString(w, "x")
						http.NewResponseController(w).Flush()
					}
				})
				c := client(l, http2)
				defer c.CloseIdleConnections()
				resp, err := c.Post("http://shelf/", "text/plain", strings.NewReader("body"))
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				if body, err := io.ReadAll(resp.Body); string(body) != "xxxxx" {
					t.Errorf("read %q, %v", body, err)
				}
			})
		})
	}
}

// Responses of package net/http itself are replaced by the program's.
func TestRefuse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, request, want string }{
		{"no HTTP", "nonsense\r\n\r\n", "400 / Bad Request"},
		{"no Host", "GET /a HTTP/1.1\r\n\r\n", "400 /a Bad Request: missing required Host header"},
		{"a broken Host", "GET /a?b HTTP/1.1\r\nHost: a b\r\n\r\n", "400 /a Bad Request: malformed Host header"},
		{"two lengths", "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400 /a Bad Request"},
		{"headers that are too long", "GET /a/b HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 40<<10) + "\r\n\r\n", "431 /a/b Request Header Fields Too Large"},
		{"an unknown expectation", "GET /a HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n", "417 /a Expectation Failed"},
		{"an unknown coding", "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501 /a Not Implemented"},
		{"an unknown version", "GET /a HTTP/3.0\r\nHost: a\r\n\r\n", "505 /a HTTP Version Not Supported: unsupported protocol version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				refuse := func(w http.ResponseWriter, r *http.Request, status int, message string) {
					w.Header().Set("Content-Type", "text/test")
					fmt.Fprintf(w, "%d %s %s", status, r.URL.Path, message)
				}
				l := start(t, serve.Config{Refuse: refuse}, false, func(http.ResponseWriter, *http.Request) {})
				c := l.dial()
				defer c.Close()
				go io.WriteString(c, tt.request)
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(resp.Body)
				h := resp.Header
				if string(body) != tt.want || !strings.HasPrefix(tt.want, resp.Status[:3]) || h.Get("Content-Type") != "text/test" || h.Get("X-Content-Type-Options") != "nosniff" || !resp.Close {
					t.Errorf("%s, %v, %q; want %q", resp.Status, h, body, tt.want)
				}
			})
		})
	}
}

// A handler's response is never replaced.
func TestHandlersAnswerIsItsOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		refuse := func(http.ResponseWriter, *http.Request, int, string) { t.Error("it was replaced") }
		l := start(t, serve.Config{Refuse: refuse}, false, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.WriteHeader(400)
			io.WriteString(w, "mine")
		})
		c := client(l, false)
		defer c.CloseIdleConnections()
		resp, err := c.Get("http://shelf/")
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != "mine" {
			t.Errorf("body %q", body)
		}
	})
}

// After a request with a Transfer-Encoding the connection is closed, as RFC
// 9112 §6.1 requires if there was a Content-Length too.
func TestTransferEncodingEndsTheConnection(t *testing.T) {
	t.Parallel()
	const chunk = "1\r\nx\r\n0\r\n\r\n"
	for _, tt := range []struct {
		name, headers string
		closes        bool
	}{
		{"both", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk, true},
		{"the other way round", "Transfer-Encoding: chunked\r\nContent-Length: 11\r\n\r\n" + chunk, true},
		{"a length alone", "Content-Length: 1\r\n\r\nx", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := start(t, serve.Config{}, false, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) })
				c := l.dial()
				defer c.Close()
				go io.WriteString(c, "POST / HTTP/1.1\r\nHost: a\r\n"+tt.headers)
				resp, err := http.ReadResponse(bufio.NewReader(c), nil)
				if err != nil || resp.Close != tt.closes {
					t.Errorf("%v, closes %v; want %v", err, resp.Close, tt.closes)
				}
			})
		})
	}
}

// At the connection limit, a new client replaces an idle connection, or waits.
func TestMaxConns(t *testing.T) {
	t.Parallel()
	get := func(c net.Conn, path string) string {
		go fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			return err.Error()
		}
		io.Copy(io.Discard, resp.Body)
		return resp.Status
	}
	synctest.Test(t, func(t *testing.T) {
		l := start(t, serve.Config{MaxConns: 2}, false, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-time.After(time.Minute)
			}
		})
		first, second := l.dial(), l.dial()
		defer second.Close()
		if got := get(first, "/"); got != "200 OK" {
			t.Fatal(got)
		}
		slow := make(chan string)
		go func() { slow <- get(second, "/slow") }()
		synctest.Wait()
		began := time.Now()
		third := l.dial() // replaces the first connection, which is idle
		if got := get(third, "/"); got != "200 OK" || time.Since(began) != 0 {
			t.Errorf("the third: %s after %v", got, time.Since(began))
		}
		if _, err := first.Read(make([]byte, 1)); err == nil {
			t.Error("the first is still connected")
		}
		go func() { slow <- get(third, "/slow") }()
		synctest.Wait()
		go func() { // the server accepts it once there is room
			fourth := l.dial()
			defer fourth.Close()
			slow <- get(fourth, "/")
		}()
		for range 3 {
			if got := <-slow; got != "200 OK" {
				t.Error(got)
			}
		}
		third.Close()
	})
}

// writeCertificate creates a certificate with that validity and returns its
// files.
func writeCertificate(t *testing.T, from, to time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048) // for cipher suites of TLS 1.2
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: to}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: cert}, keyFile: {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// A certificate that clients reject is served nevertheless, and logged.
func TestCertificateOutOfItsTime(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, tt := range []struct {
		name     string
		from, to time.Time
		want     string // in the log; "": nothing
	}{
		{"good", now.Add(-time.Hour), now.Add(time.Hour), ""},
		{"expired", now.Add(-2 * time.Hour), now.Add(-time.Hour), "has expired"},
		{"not yet valid", now.Add(time.Hour), now.Add(2 * time.Hour), "not valid yet"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			certFile, keyFile := writeCertificate(t, tt.from, tt.to)
			if _, err := serve.KeepCertificate(t.Context(), certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), tt.want) || (tt.want == "") != (log.Len() == 0) {
				t.Errorf("the log says %q; want %q", log.String(), tt.want)
			}
		})
	}
}

// A client with TLS 1.2 needs a suite with forward secrecy and AEAD.
func TestCipherSuites(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeCertificate(t, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	cert, err := serve.LoadCertificate(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for suite, want := range map[uint16]bool{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: true, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: true,
		tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: false, tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: false, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: false,
		tls.TLS_RSA_WITH_AES_128_GCM_SHA256: false, tls.TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA: false,
	} {
		ours, theirs := net.Pipe()
		go func() { tls.Server(theirs, cert.TLSConfig()).Handshake(); theirs.Close() }()
		err := tls.Client(ours, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}).Handshake()
		if (err == nil) != want {
			t.Errorf("%s: %v; want it taken: %v", tls.CipherSuiteName(suite), err, want)
		}
		ours.Close()
	}
}

// TLS handshake errors can't fill the log; all other errors are logged.
func TestErrorLogIsSampled(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := serve.New(nil, serve.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for range 5 {
		s.ErrorLog.Print("http: TLS handshake error from 192.0.2.1:1: EOF")
		s.ErrorLog.Print("http: superfluous")
	}
	if h, o := strings.Count(log.String(), "handshake"), strings.Count(log.String(), "superfluous"); h != 1 || o != 5 {
		t.Errorf("%d lines of handshakes and %d others; want 1 and 5", h, o)
	}
}

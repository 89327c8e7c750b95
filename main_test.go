package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/serve"
)

// writePair makes a certificate with that serial number, for loopback, and
// writes it and its key into the folder.
func writePair(t *testing.T, dir string, serial int64) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:         true, BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	for name, text := range map[string][]byte{
		certFile: chain,
		keyFile:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	return certFile, keyFile, roots
}

// A guardLog is a log that can be read while it is written.
type guardLog struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *guardLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *guardLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serveConfig is the server with settings that were read before.
func serveConfig(ctx context.Context, c settings, stdout, stderr io.Writer) error {
	parse := func([]string) (settings, error) { return c, nil }
	return serveCommand(ctx, shell{parse: parse, stdout: stdout, stderr: stderr}, nil)
}

// guardServe runs the program's server on a port of its own until the test
// ends, and returns its URL and its log.
func guardServe(t *testing.T, flags string) (url string, log *guardLog) {
	t.Helper()
	c, err := settingsFrom("-data=memory -bcrypt-cost=4 -addr=127.0.0.1:0 "+flags, "", "")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stdout, says := io.Pipe()
	log = &guardLog{}
	ended := make(chan error, 1)
	go func() {
		err := serveConfig(ctx, c, says, log)
		says.CloseWithError(io.EOF)
		ended <- err
	}()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("the server ended with %v", err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if !ok {
		t.Fatalf("the server said %q, %v", line, err)
	}
	return url, log
}

func TestTLS(t *testing.T) {
	t.Parallel()
	certFile, keyFile, roots := writePair(t, t.TempDir(), 1)
	url, log := guardServe(t, "-tls-cert="+certFile+" -tls-key="+keyFile)
	if !strings.HasPrefix(url, "https://127.0.0.1:") || !strings.Contains(log.String(), "curl "+url) {
		t.Errorf("the server greets with %s and\n%s\nwant https", url, log)
	}
	for _, tt := range []struct {
		name   string
		client *tls.Config
		want   string // of the answer's protocol, or of the error
	}{
		{"TLS 1.3 is spoken, and HTTP/2 on it", &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}}, "HTTP/2.0 TLS 1.3"},
		{"TLS 1.2 is spoken", &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS12}, "HTTP/2.0 TLS 1.2"},
		{"TLS 1.1 is not", &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transport := &http.Transport{TLSClientConfig: tt.client, ForceAttemptHTTP2: true}
			defer transport.CloseIdleConnections()
			got := ""
			resp, err := (&http.Client{Transport: transport}).Get(url + "/")
			if err != nil {
				got = err.Error()
			} else {
				resp.Body.Close()
				got = resp.Proto + " " + tls.VersionName(resp.TLS.Version)
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s; want %s", got, tt.want)
			}
		})
	}
}

func TestTLSPairRefused(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := writePair(t, t.TempDir(), 1)
	_, otherKey, _ := writePair(t, t.TempDir(), 2)
	for _, tt := range []struct{ name, flags, want string }{
		{"a certificate without a key", "-tls-cert=" + certFile, "-tls-cert and -tls-key go together, but only one of them is set"},
		{"a key without a certificate", "-tls-key=" + keyFile, "-tls-cert and -tls-key go together, but only one of them is set"},
		{"a key of another certificate", "-tls-cert=" + certFile + " -tls-key=" + otherKey, "private key does not match public key"},
		{"a certificate that is not there", "-tls-cert=" + certFile + ".no -tls-key=" + keyFile, certFile + ".no"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := settingsFrom("-data=memory -addr=127.0.0.1:0 "+tt.flags, "", "")
			if err == nil {
				err = serveConfig(t.Context(), c, io.Discard, io.Discard)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v; want %s", err, tt.want)
			}
		})
	}
}

func TestTLSReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, err := serve.LoadCertificate(writeFiles(t, dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	serving := func() string {
		pair, err := cert.TLSConfig().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return pair.Leaf.SerialNumber.String()
	}
	writeFiles(t, dir, 2)
	if got := serving(); got != "1" {
		t.Errorf("before the reload it serves certificate %s; want 1", got)
	}
	if err := cert.Reload(); err != nil || serving() != "2" {
		t.Errorf("after the reload (%v) it serves certificate %s; want 2", err, serving())
	}
	if err := os.WriteFile(cert.CertFile, []byte("half a cert"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cert.Reload(); err == nil || serving() != "2" {
		t.Errorf("after a broken pair (%v) it serves certificate %s; want an error, and 2 as before", err, serving())
	}
}

// writeFiles is writePair without the roots.
func writeFiles(t *testing.T, dir string, serial int64) (certFile, keyFile string) {
	t.Helper()
	certFile, keyFile, _ = writePair(t, dir, serial)
	return certFile, keyFile
}

func TestHSTS(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, host, want string }{
		{"under TLS a name is bound to it", "https://shelf.example/", "max-age=31536000"},
		{"an error says so too", "https://shelf.example/api/v1/items", "max-age=31536000"},
		{"without TLS nothing may be said", "http://shelf.example/", ""},
		{"localhost is not ours to bind", "https://localhost:8443/", ""},
		{"nor is a loopback address", "https://127.0.0.1:8443/", ""},
		{"nor [::1]", "https://[::1]:8443/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGuardServer(t, "")
			r := httptest.NewRequest("GET", tt.host, nil) // sets r.TLS for https
			r.Header.Set("X-Forwarded-Proto", "https")
			if got := g.send(r).Header().Get("Strict-Transport-Security"); got != tt.want {
				t.Errorf("GET %s: Strict-Transport-Security is %q; want %q", tt.host, got, tt.want)
			}
		})
	}
}

func TestListeningWithoutTLSWarns(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeFiles(t, t.TempDir(), 1)
	for _, tt := range []struct {
		name, flags string
		want        int
	}{
		{"on loopback nobody can listen in", "-addr=127.0.0.1:0", 0},
		{"beyond it anybody on the way can", "-addr=0.0.0.0:0", 1},
		{"but not with TLS", "-addr=0.0.0.0:0 -tls-cert=" + certFile + " -tls-key=" + keyFile, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, log := guardServe(t, "-log=problems "+tt.flags)
			if got := strings.Count(log.String(), "without TLS"); got != tt.want {
				t.Errorf("the log warns %d times; want %d:\n%s", got, tt.want, log)
			}
		})
	}
}

func TestSlowLoris(t *testing.T) {
	t.Parallel()
	url, _ := guardServe(t, "")
	for i := range 1000 {
		conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	for range 10 {
		resp, err := client.Get(url + "/")
		if err != nil {
			t.Fatalf("a good client beside 1,000 half-open connections: %v", err)
		}
		resp.Body.Close()
	}
}

// A pipeListener hands out one end of pipes whose deadlines obey a bubble's
// clock.
type pipeListener struct{ conns chan net.Conn }

func (l pipeListener) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}
func (l pipeListener) Close() error   { return nil }
func (l pipeListener) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func TestSlowClientsAreLetGo(t *testing.T) {
	t.Parallel()
	const head = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
	for _, tt := range []struct {
		name, sends string
		want        time.Duration
	}{
		{"a client that sends nothing", "", 10 * time.Second},
		{"a client that never ends its headers", head, 10 * time.Second},
		{"a client that never ends its body", head + "\r\n{", 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := newGuardServer(t, "-log=off")
				l := pipeListener{make(chan net.Conn)}
				httpServer := serve.New(g, g.server.log)
				go httpServer.Serve(l)
				ours, theirs := net.Pipe()
				l.conns <- theirs
				began := time.Now()
				go ours.Write([]byte(tt.sends))
				io.Copy(io.Discard, ours) // until the server closes it
				if took := time.Since(began); took != tt.want {
					t.Errorf("let go after %v; want %v", took, tt.want)
				}
				close(l.conns)
			})
		})
	}
}

func TestHeaderLimits(t *testing.T) {
	t.Parallel()
	url, _ := guardServe(t, "")
	for _, tt := range []struct {
		name, path, header string
		want               int
	}{
		{"headers of 20 KiB are read", "/", strings.Repeat("a", 20<<10), 200},
		{"headers over 32 KiB are not", "/", strings.Repeat("a", 40<<10), 431},
		{"nor is a URL of that length", "/?" + strings.Repeat("a", 40<<10), "", 431},
	} {
		r, err := http.NewRequest("GET", url+tt.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Long", tt.header)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatalf("%s: %v", tt.name, err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.want {
			t.Errorf("%s: %d; want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
}

package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// A certificate is the pair of files that -tls-cert and -tls-key name. Another
// pair can take its place while the server runs: what renews certificates does
// so every few weeks.
type certificate struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// loadCertificate reads the pair. The error names the file.
func loadCertificate(certFile, keyFile string) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile}
	return c, c.reload()
}

// reload reads the pair again, for connections from now on. When it fails, the
// old pair stays in use.
func (c *certificate) reload() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("the TLS certificate %s and its key %s: %w", c.certFile, c.keyFile, err)
	}
	c.current.Store(&pair)
	return nil
}

// reloadOnHangup reloads whenever the process gets SIGHUP, until ctx is done.
// Windows has no such signal, and never sends it.
func (c *certificate) reloadOnHangup(ctx context.Context, log *slog.Logger) {
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
			if err := c.reload(); err != nil {
				log.Error("not reloaded; the old certificate stays in use", "error", err)
			} else {
				log.Info("certificate reloaded", "file", c.certFile)
			}
		}
	}()
}

// tlsConfig serves the current pair. The older versions are broken (RFC 8996).
func (c *certificate) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current.Load(), nil },
	}
}

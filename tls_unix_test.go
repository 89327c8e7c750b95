//go:build !windows

package main

import (
	"crypto/tls"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
)

// lineWriter hands each line of a log to the test.
type lineWriter chan string

func (w lineWriter) Write(line []byte) (int, error) {
	w <- string(line)
	return len(line), nil
}

func TestTLSReloadOnHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, err := loadCertificate(writeFiles(t, dir, 1))
	if err != nil {
		t.Fatal(err)
	}
	lines := make(lineWriter)
	cert.reloadOnHangup(t.Context(), slog.New(slog.NewTextHandler(lines, nil)))
	hangUp := func() (logged, serving string) {
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		logged = <-lines
		pair, _ := cert.tlsConfig().GetCertificate(&tls.ClientHelloInfo{})
		return logged, pair.Leaf.SerialNumber.String()
	}

	writeFiles(t, dir, 2)
	if logged, serving := hangUp(); serving != "2" || !strings.Contains(logged, "certificate reloaded") {
		t.Errorf("after SIGHUP it serves certificate %s and logs %s; want 2", serving, logged)
	}
	if err := os.Remove(cert.keyFile); err != nil {
		t.Fatal(err)
	}
	if logged, serving := hangUp(); serving != "2" || !strings.Contains(logged, "level=ERROR") || !strings.Contains(logged, cert.keyFile) {
		t.Errorf("without a key it serves certificate %s and logs %s; want 2 and the reason", serving, logged)
	}
	writeFiles(t, dir, 3)
	if _, serving := hangUp(); serving != "3" {
		t.Errorf("with a good pair again it serves certificate %s; want 3", serving)
	}
}

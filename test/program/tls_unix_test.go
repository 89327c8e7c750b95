//go:build !windows

package program_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A renewed certificate is served after SIGHUP, and the old one goes on where
// the new one can't be read.
func TestTLSReloadOnHangup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writePair(t, dir, 1)
	p := startShelf(t, dir, "-tls-cert=cert.pem", "-tls-key=key.pem", "-log=requests", "-data=memory")
	serving := func() string {
		t.Helper()
		conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.String()
	}
	hangUp := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	if got := serving(); got != "1" {
		t.Errorf("at first it serves certificate %s; want 1", got)
	}

	writePair(t, dir, 2)
	hangUp()
	p.await(p.stderr, "certificate reloaded")
	if got := serving(); got != "2" {
		t.Errorf("after SIGHUP it serves certificate %s; want 2", got)
	}
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	hangUp()
	_, logged, _ := strings.Cut(p.await(p.stderr, "the old one stays in use"), "certificate reloaded")
	if got := serving(); got != "2" || !strings.Contains(logged, "level=ERROR") || !strings.Contains(logged, "key.pem") {
		t.Errorf("without a key it serves certificate %s and logs %s; want 2 and the reason", got, logged)
	}
	writePair(t, dir, 3)
	hangUp()
	waitUntil(t, "with a good pair again it serves certificate 3", func() bool { return serving() == "3" })
}

// writePair makes a certificate with that serial number and writes it and its
// key into dir, as cert.pem and key.pem.
func writePair(t *testing.T, dir string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeTestFile(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	writeTestFile(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

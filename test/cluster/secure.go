package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// secure is the torture on members that speak TLS, let in only clients with a
// certificate, and let shelf's user do nothing but read and write the keys below
// /shelf/.
func secure(ctx context.Context, o *options) error {
	c, err := startSecurely(ctx, o)
	defer c.stop()
	if err != nil {
		return err
	}
	if err := c.strangers(ctx); err != nil {
		return err
	}
	r := newRun(ctx, o, c, c.targets())
	if err := r.traffic(min(o.long, 15*time.Second), r.breakMembers, r.breakReplicas); err != nil {
		return err
	}
	r.check()
	return errors.Join(r.report(), c.died())
}

// strangers start shelf without what the members want. It ends with one line that says
// what is missing.
func (c *cluster) strangers(ctx context.Context) error {
	for _, t := range []struct {
		name string
		env  []string
		want string
	}{
		{"no certificate", append([]string{"SHELF_ETCD_CERT=", "SHELF_ETCD_KEY="}, c.env[:2]...), "certificate required"},
		{"a certificate with a common name", append([]string{"SHELF_ETCD_CERT=" + c.pem("named"), "SHELF_ETCD_KEY=" + c.secret("named")}, c.env[:2]...), "common name"},
		{"no password", c.env[2:], "set SHELF_ETCD_USER and SHELF_ETCD_PASSWORD"},
	} {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
		cmd := exec.CommandContext(ctx, c.shelf, "-addr", "127.0.0.1:0", "-data", c.address(c.clients...))
		cmd.Dir, cmd.Env = c.dir, append([]string{"PATH=" + os.Getenv("PATH"), "SHELF_ETCD_CA=" + c.ca}, t.env...)
		out, err := cmd.CombinedOutput()
		cancel()
		said := strings.TrimSpace(string(out))
		fmt.Printf("with %s, after %.1f s: %s\n", t.name, time.Since(began).Seconds(), said)
		if err == nil || strings.Contains(said, "\n") || !strings.Contains(said, t.want) {
			return fmt.Errorf("with %s: %v, %q; want one line with %q", t.name, err, said, t.want)
		}
	}
	return nil
}

const etcdPassword = "only for this test"

// pem is the file of a certificate, and secret the file of its key.
func (c *cluster) pem(name string) string    { return filepath.Join(c.dir, name+".pem") }
func (c *cluster) secret(name string) string { return filepath.Join(c.dir, name+".key") }

func startSecurely(ctx context.Context, o *options) (*cluster, error) {
	c := newCluster(o, o.flags...)
	c.scheme = "https"
	c.ca = c.pem("ca")
	if err := c.makeCertificates(); err != nil {
		return c, err
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(c.ca)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return c, fmt.Errorf("%s: %v", c.ca, err)
	}
	mine, err := tls.LoadX509KeyPair(c.pem("client"), c.secret("client"))
	if err != nil {
		return c, err
	}
	c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{mine}}}
	if err := c.startMembers(3, "--cert-file", c.pem("member"), "--key-file", c.secret("member"), "--client-cert-auth", "--trusted-ca-file", c.ca); err != nil {
		return c, err
	}
	if err := c.awaitMembers(ctx); err != nil {
		return c, err
	}
	if err := c.enableAuth(); err != nil {
		return c, err
	}
	c.flags = append(c.flags, "-etcd-ca", c.ca)
	c.env = []string{"SHELF_ETCD_USER=shelf", "SHELF_ETCD_PASSWORD=" + etcdPassword, "SHELF_ETCD_CERT=" + c.pem("client"), "SHELF_ETCD_KEY=" + c.secret("client")}
	return c, c.startReplicas(ctx, 3)
}

// enableAuth makes a role, a user with it, and the root user that etcd wants.
func (c *cluster) enableAuth() error {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, step := range []struct {
		path string
		body map[string]any
	}{
		{"role/add", map[string]any{"name": "shelf"}},
		{"role/grant", map[string]any{"name": "shelf", "perm": map[string]any{"permType": "READWRITE", "key": b64("/shelf/"), "range_end": b64("/shelf0")}}},
		{"user/add", map[string]any{"name": "shelf", "password": etcdPassword}},
		{"user/grant", map[string]any{"user": "shelf", "role": "shelf"}},
		{"user/add", map[string]any{"name": "root", "password": etcdPassword}},
		{"user/grant", map[string]any{"user": "root", "role": "root"}},
		{"enable", map[string]any{}},
	} {
		body, err := json.Marshal(step.body)
		if err != nil {
			return err
		}
		r, err := c.client.Post(c.scheme+"://"+c.clients[0]+"/v3/auth/"+step.path, "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		text, _ := io.ReadAll(r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s: %s", step.path, r.Status, text)
		}
	}
	return nil
}

// makeCertificates writes the certificate of a new authority, and certificates and keys
// that it signs: of the members, of a client, and of a client with a common name, which
// etcd would take for the name of a user.
func (c *cluster) makeCertificates() error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	if err := c.writeCertificate("ca", authority, authority, authorityKey, authorityKey); err != nil {
		return err
	}
	for i, name := range []string{"member", "client", "named"} {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 2)), Subject: pkix.Name{Organization: []string{"a test"}},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
			IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		}
		if name == "named" {
			leaf.Subject.CommonName = "shelf"
		}
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		if err := c.writeCertificate(name, leaf, authority, key, authorityKey); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) writeCertificate(name string, of, by *x509.Certificate, key, signer *ecdsa.PrivateKey) error {
	certificate, err := x509.CreateCertificate(rand.Reader, of, by, key.Public(), signer)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(c.pem(name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}), 0o600),
		os.WriteFile(c.secret(name), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600),
	)
}

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
	"path/filepath"
	"time"
)

// secure is the torture on members that speak TLS, and let shelf's user do nothing
// but read and write the keys below /shelf/.
func secure(ctx context.Context, o *options) error {
	c, err := startSecurely(ctx, o)
	defer c.stop()
	if err != nil {
		return err
	}
	r := newRun(ctx, o, c, c.targets())
	if err := r.traffic(min(o.long, 15*time.Second), r.breakMembers, r.breakReplicas); err != nil {
		return err
	}
	r.check()
	return errors.Join(r.report(), c.died())
}

const etcdPassword = "only for this test"

func startSecurely(ctx context.Context, o *options) (*cluster, error) {
	c := newCluster(o, o.flags...)
	c.scheme = "https"
	c.ca = filepath.Join(o.dir, "ca.pem")
	certificate, key := filepath.Join(o.dir, "member.pem"), filepath.Join(o.dir, "member.key")
	if err := makeCertificates(c.ca, certificate, key); err != nil {
		return c, err
	}
	pool := x509.NewCertPool()
	text, err := os.ReadFile(c.ca)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		return c, fmt.Errorf("%s: %v", c.ca, err)
	}
	c.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	if err := c.startMembers(3, "--cert-file", certificate, "--key-file", key); err != nil {
		return c, err
	}
	if err := c.awaitMembers(ctx); err != nil {
		return c, err
	}
	if err := c.enableAuth(); err != nil {
		return c, err
	}
	c.flags = append(c.flags, "-etcd-ca", c.ca)
	c.env = []string{"SHELF_ETCD_USER=shelf", "SHELF_ETCD_PASSWORD=" + etcdPassword}
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

// makeCertificates writes the certificate of a new authority, and a certificate and a
// key for members on this machine. The certificate has no CN: etcd would take that
// for the name of a user.
func makeCertificates(ca, certificate, key string) error {
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	memberKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "the authority of a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	member := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{Organization: []string{"a test"}},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"localhost"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	memberDER, err := x509.CreateCertificate(rand.Reader, member, authority, memberKey.Public(), authorityKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(memberKey)
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authorityDER}), 0o600),
		os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: memberDER}), 0o600),
		os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
	)
}

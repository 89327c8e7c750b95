package etcd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/durable"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/journal"
)

// Settings are what an owner sets for a cluster, beside its address.
type Settings struct {
	CA, Cert, Key string // PEM files, "" for none
	AnyVersion    bool
	MaxStale      time.Duration // see db.Options
	Barrier       string        // BarrierRead or BarrierLog

	User, Password string // from the environment: UserVariable and PasswordVariable
}

// The ways in which a read makes sure that it misses nothing.
const (
	BarrierRead = "read" // a read that a quorum confirms
	BarrierLog  = "log"  // an entry in etcd's own log
)

// The variables that hold the user and the password. Other users of the machine can
// read flags.
const (
	UserVariable     = "SHELF_ETCD_USER"
	PasswordVariable = "SHELF_ETCD_PASSWORD"
)

// maxStale is the longest -max-stale.
const maxStale = time.Minute

// Table is the flags of a cluster.
func (s *Settings) Table() []config.Setting {
	return []config.Setting{
		config.Row("max-stale", "TIME", "0s", "how late a log-out at one replica may count at the\nothers, such as 50ms; 0s: at the next request", s.setStale).Under("Replicas"),
		config.Row("barrier", "HOW", BarrierRead, "how a request makes sure that it sees all: read asks\netcd's quorum; log goes through etcd's own log, which\ntakes three times as long", config.Choice(&s.Barrier, BarrierRead, BarrierLog)),
		config.Row("etcd-ca", "FILE", "", "the authority that signs etcd's certificates, PEM,\nfor etcds://; the default is the system's", config.Text(&s.CA)),
		config.Row("etcd-cert", "FILE", "", "a certificate to show to etcd, PEM", config.Text(&s.Cert)),
		config.Row("etcd-key", "FILE", "", "the private key of that certificate, PEM", config.Text(&s.Key)),
		config.Row("etcd-any-version", "", "false", "accept versions of etcd that have known faults, from\n3.5 on", config.Bool(&s.AnyVersion)),
	}
}

func (s *Settings) setStale(text string) error {
	d, err := time.ParseDuration(strings.TrimSpace(text))
	if err != nil || d < 0 || d > maxStale {
		return fmt.Errorf("a time from 0s to %v, such as 50ms", maxStale)
	}
	s.MaxStale = d
	return nil
}

// Check returns an error if the settings don't go together with -data.
func (s Settings) Check(data string) error {
	if !IsAddress(data) {
		return nil
	}
	a, err := ParseAddress(data)
	switch {
	case err != nil:
		return fmt.Errorf("-data: %w", err)
	case !a.TLS && s.CA+s.Cert+s.Key != "":
		return errors.New("-etcd-ca, -etcd-cert and -etcd-key need TLS: name the cluster etcds://")
	case (s.Cert == "") != (s.Key == ""):
		return errors.New("-etcd-cert and -etcd-key go together, but only one is set: set both or neither")
	case (s.User == "") != (s.Password == ""):
		return fmt.Errorf("%s and %s go together, but only one is set: set both or neither", UserVariable, PasswordVariable)
	}
	return nil
}

// access reads the files.
func (s Settings) access() (a Access, err error) {
	a.User, a.Password = s.User, s.Password
	a.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		text, err := durable.ReadFile(s.CA)
		if err != nil {
			return a, fmt.Errorf("-etcd-ca: %w", err)
		}
		a.TLS.RootCAs = x509.NewCertPool()
		if !a.TLS.RootCAs.AppendCertsFromPEM(text) {
			return a, fmt.Errorf("-etcd-ca: %s holds no certificate in PEM", s.CA)
		}
	}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return a, fmt.Errorf("-etcd-cert, -etcd-key: %w", err)
		}
		a.TLS.Certificates = []tls.Certificate{pair}
	}
	return a, nil
}

// Open opens the log at the address -data. create is for Options.Create, and
// log and now may be nil. Its error is one line for a person.
func (s Settings) Open(ctx context.Context, data string, create bool, log *slog.Logger, now func() time.Time) (*Log, error) {
	if err := s.Check(data); err != nil {
		return nil, err
	}
	a, err := ParseAddress(data)
	if err != nil {
		return nil, fmt.Errorf("-data: %w", err)
	}
	access, err := s.access()
	if err != nil {
		return nil, err
	}
	return Open(ctx, a, Options{Access: access, Log: log, Now: now, Create: create, AnyVersion: s.AnyVersion, ThroughLog: s.Barrier == BarrierLog})
}

// With calls do with the log at the address -data, and closes it. It creates nothing.
func (s Settings) With(data string, do func(context.Context, *Log) error) error {
	ctx := context.Background()
	l, err := s.Open(ctx, data, false, nil, nil)
	if err != nil {
		return err
	}
	return errors.Join(do(ctx, l), l.Close())
}

// Explain words an error of the log in one line for a person.
func (l *Log) Explain(err error) error { return Explain(l.client.address, err) }

// LoadFor reads the log at the address -data into tables, as journal.LoadFor does with
// a file. It changes nothing, and works beside running replicas.
func (s Settings) LoadFor(tables journal.Tables, data string) (found journal.Found, err error) {
	err = s.With(data, func(ctx context.Context, l *Log) (err error) {
		found.Lines, err = tables.Read(func(emit func([]history.Record) error) (err error) {
			found.Seq, found.Snapshot, err = l.Load(ctx, emit)
			return err
		})
		if err != nil {
			found.Seq, err = tables.LastSeq(), l.Explain(err)
		}
		found.Version, found.Size = l.format.Reads, l.State().Bytes
		return err
	})
	return found, err
}

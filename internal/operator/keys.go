package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/token"
)

// Keys describes where a server takes its keys from.
type Keys struct {
	Data       string                         // the data file beside the key file; "": data is in memory
	Alg        string                         // token.HS256 or token.EdDSA
	Secret     bool                           // a configured secret signs, and not the key file
	Configured func() (*token.Keyring, error) // returns the configured keys; nil: there are none
	Now        time.Time
	LastExpiry func() (time.Time, error) // expiry of the last token in the data file
	Etcd       etcd.Settings             // if Data is in a cluster: the keys lie there too
}

// RunKeys runs the key command that args begin with. open reads the flags.
func RunKeys(ctx context.Context, args []string, streams Streams, open func(flags []string) (Keys, error)) error {
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 || args[0] != "rotate" && args[0] != "list" {
		return config.Misused(errors.New("usage: shelf key rotate [-now [-y]] [-data FILE] [-alg ALG], or shelf key list [-data FILE]"))
	}
	rotate, args := args[0] == "rotate", args[1:]
	leaked, sure := false, true
	if rotate {
		args, leaked = config.TakeFlag(args, "now")
	}
	if leaked {
		args, sure = config.TakeFlag(args, "y")
	}
	k, err := open(args)
	switch {
	case err != nil:
		return err
	case rotate && k.Secret:
		return errors.New(token.RotateSecret)
	case rotate && k.Data == "":
		return errMemoryKeys
	case rotate:
		if err := k.rotate(ctx, streams, leaked, sure); err != nil {
			return err
		}
	}
	return k.list(streams)
}

// ReadKeys returns the keys that go with the data, and changes nothing.
func ReadKeys(cluster etcd.Settings, data, alg string, now time.Time) (keys *token.Keyring, err error) {
	if !etcd.IsAddress(data) {
		return token.ReadKeys(token.KeyPath(data), alg, now)
	}
	err = cluster.With(data, func(ctx context.Context, shared *etcd.Log) (err error) {
		keys, err = token.ReadShared(ctx, shared, alg, now)
		return err
	})
	return keys, err
}

var errMemoryKeys = config.Misused(errors.New("with -data memory there is no key file: a server makes a new key whenever it starts"))

// list prints the keys without their secrets.
func (k Keys) list(streams Streams) error {
	ring, err := k.Configured()
	switch {
	case err != nil:
		return err
	case ring != nil:
		ring.Print(streams.Out)
		return nil
	case k.Data == "":
		return errMemoryKeys
	}
	if etcd.IsAddress(k.Data) {
		return k.Etcd.With(k.Data, func(ctx context.Context, keys *etcd.Log) error {
			return token.PrintShared(ctx, streams.Out, keys, k.Alg, k.Now)
		})
	}
	path := token.KeyPath(k.Data)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no key file %s yet: shelf makes it at its first start, beside the data file; -data FILE names another data file", path)
	}
	return token.PrintKeyFile(streams.Out, path, k.Alg, k.Now)
}

// rotate creates a key that signs from the next start on. The previous key
// verifies until the last token in the store has expired; tokens that are not
// in the store are invalid anyway. A leaked key is removed at once, and the
// tokens that it signed become invalid.
//
// rotate holds the lock of the data file. A running server would sign with the
// old key after that no longer verifies, and would trust a leaked one. In a cluster
// the servers go on: they read the keys anew.
func (k Keys) rotate(ctx context.Context, streams Streams, leaked, sure bool) error {
	const consequence = "This ends the keys of %s at once. Every token that they signed is refused then, so every account has to sign in again."
	if etcd.IsAddress(k.Data) {
		if err := streams.confirm(ctx, sure, consequence, k.Data); err != nil {
			return err
		}
		streams.Interrupt.Keeps("")
		return k.Etcd.With(k.Data, func(ctx context.Context, keys *etcd.Log) error {
			return token.RotateShared(ctx, streams.Out, keys, k.Alg, leaked, k.Now, k.LastExpiry)
		})
	}
	if _, err := os.Stat(k.Data); err != nil {
		return NoDataFile(k.Data, err)
	}
	lock, err := journal.Lock(journal.OS{}, k.Data)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("a server runs on %s and would keep its key; stop the server, rotate, start it again", k.Data)
	}
	if err != nil {
		return journal.Explain(k.Data, err)
	}
	defer lock.Close()
	if err := streams.confirm(ctx, sure, consequence, k.Data); err != nil {
		return err
	}
	if leaked {
		streams.Interrupt.Keeps("")
	}
	return token.Rotate(streams.Out, token.KeyPath(k.Data), k.Alg, leaked, k.Now, func() (time.Time, error) {
		last, err := k.LastExpiry()
		if err == nil {
			streams.Interrupt.Keeps("")
		}
		return last, err
	})
}

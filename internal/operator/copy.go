package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/token"
)

// Copy is the command that copies all data and keys between a data file and a cluster,
// or between two of a kind.
type Copy struct {
	Streams
	// Load reads the data at a place into memory.
	Load func(place string) (*db.DB, error)
	// Open opens a place, which it may create.
	Open func(place string) (d *db.DB, holds func() string, err error)
	Etcd etcd.Settings
}

// Run copies what the arguments name. A file is locked meanwhile, so a running server's
// file is refused: what it writes later would be missing.
func (c Copy) Run(args []string) error {
	const usage = "usage: shelf copy FROM TO, such as: shelf copy shelf.jsonl etcd://a,b,c/shelf/"
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) != 2 || args[0] == "" || args[1] == "" || args[0][0] == '-' || args[1][0] == '-' {
		return config.Misused(errors.New(usage))
	}
	from, to := args[0], args[1]
	if from == to {
		return config.Misused(errors.New("the two places are the same"))
	}
	if !etcd.IsAddress(from) {
		if _, err := os.Stat(from); err != nil {
			return NoDataFile(from, err)
		}
		lock, err := journal.Lock(journal.OS{}, from)
		if errors.Is(err, journal.ErrLocked) {
			return fmt.Errorf("a server runs on %s; stop it, copy, and start servers on %s", from, to)
		}
		if err != nil {
			return journal.Explain(from, err)
		}
		defer lock.Close()
	}
	source, err := c.Load(from)
	if err != nil {
		return err
	}
	return c.copy(source, from, to)
}

func (c Copy) copy(source *db.DB, from, to string) (err error) {
	target, holds, err := c.Open(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if !target.Unused() {
		return fmt.Errorf("%s already holds %s: copy to a place that is empty; nothing was changed", to, holds())
	}
	c.Interrupt.Keeps(to + " holds all of " + from + ", or nothing of it")
	// The keys go first: after a crash the command can be given again.
	copied, err := c.copyKeys(from, to)
	if err != nil {
		return err
	}
	if err := target.Fill(source.Snapshot()); err != nil {
		return fmt.Errorf("%s: %w", to, err)
	}
	fmt.Fprintf(c.Out, "%s: now holds %s\n", to, holds())
	if copied {
		fmt.Fprintln(c.Out, "The signing keys are copied too, so no sign-in ends.")
	}
	return nil
}

// copyKeys copies the keys, if there are any: with a SECRET_KEY there are none.
func (c Copy) copyKeys(from, to string) (copied bool, err error) {
	var text []byte
	err = c.keys(from, func(ctx context.Context, keys token.Store) (err error) {
		text, _, err = keys.Keys(ctx)
		return err
	})
	if err != nil || len(text) == 0 {
		return false, err
	}
	err = c.keys(to, func(ctx context.Context, keys token.Store) error {
		_, revision, err := keys.Keys(ctx)
		if err != nil {
			return err
		}
		return keys.ReplaceKeys(ctx, text, revision)
	})
	return true, err
}

func (c Copy) keys(place string, do func(context.Context, token.Store) error) error {
	if etcd.IsAddress(place) {
		return c.Etcd.With(place, func(ctx context.Context, keys *etcd.Log) error { return do(ctx, keys) })
	}
	return do(context.Background(), token.KeyFile(token.KeyPath(place)))
}

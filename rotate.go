package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"example.com/shelf/internal/journal"
)

// keyCommand is the command shelf key.
func keyCommand(_ context.Context, sh shell, args []string) error {
	if wantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 || args[0] != "rotate" && args[0] != "list" {
		return errors.New("usage: shelf key rotate [-now] [-data FILE] [-alg ALG], or shelf key list [-data FILE]")
	}
	rotate, args := args[0] == "rotate", args[1:]
	isNow := func(arg string) bool { return arg == "-now" || arg == "--now" }
	leaked := rotate && slices.ContainsFunc(args, isNow)
	if leaked {
		args = slices.DeleteFunc(slices.Clone(args), isNow)
	}
	c, err := sh.parse(args)
	switch {
	case err != nil:
		return err
	case !rotate:
		return listKeys(c, sh.now(), sh.stdout)
	case c.secret != "":
		return errors.New(rotateSecret)
	case c.data == inMemory:
		return errMemoryKeys
	}
	return rotateKeys(c, leaked, sh.now(), sh.stdout)
}

var errMemoryKeys = errors.New("a server with -data memory makes a new key whenever it starts")

const rotateSecret = `SECRET_KEY is set, so it signs, and nothing was changed. To change it:
  1. put what SECRET_KEY holds now first into SECRET_KEY_FALLBACKS
     (if it has leaked, don't: what it signed is to be refused)
  2. give SECRET_KEY a new value: openssl rand -base64 48
  3. restart the server
  4. take the fallback away when the last token it signed has ended`

// rotateKeys makes a new key that signs from the next start on. The one before
// it verifies until the last token that the store knows of has ended, as no
// other token is good; if it has leaked it goes at once, and what it signed with
// it.
//
// It holds the data file's lock meanwhile. A server that ran on would sign with
// the old key for longer than that verifies, and go on trusting a leaked one.
func rotateKeys(c settings, leaked bool, now time.Time, stdout io.Writer) error {
	if _, err := os.Stat(c.data); err != nil {
		return fmt.Errorf("no data file: %w", err)
	}
	lock, err := journal.Lock(journal.OS{}, c.data)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("a server runs on %s and would go on with the key that it has: stop it, rotate, start it", c.data)
	}
	if err != nil {
		return journal.Explain(c.data, err)
	}
	defer lock.Close()

	path := keyPath(c.data)
	if leaked {
		if err := replaceKeys(path, c.alg, now); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s holds a new key and no other.\nEvery token made so far is refused: everybody has to sign in again.\n\n", path)
		return listKeys(c, now, stdout)
	}
	st, _, err := loadStore(c.data)
	if err != nil {
		return err
	}
	_, before, err := readKeyFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := rotateKey(path, c.alg, now, st.lastExpiry()); err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(k *key) bool { return k.alg != c.alg }) {
		fmt.Fprintf(stdout, "%s holds a new key, which signs from the next start on that has -alg %s.\nA server with one -alg refuses what the keys for another have signed.\n\n", path, c.alg)
	} else {
		fmt.Fprintf(stdout, "%s holds a new key, which signs from the next start on.\nNobody is signed out: the old one verifies until the last token has ended.\n\n", path)
	}
	return listKeys(c, now, stdout)
}

// listKeys prints what keys there are, and nothing of what is secret in them.
// The kid of an EdDSA key takes half a line, so each key takes two.
func listKeys(c settings, now time.Time, stdout io.Writer) error {
	ring, err := configuredKeys(c)
	switch {
	case err != nil:
		return err
	case ring != nil:
		for i, k := range ring.keys {
			use := "SECRET_KEY, signs"
			if i > 0 {
				use = fmt.Sprintf("SECRET_KEY_FALLBACKS, number %d, verifies", i)
			}
			fmt.Fprintf(stdout, "%s\n    %s, %s\n", k.id, k.alg, use)
		}
		return nil
	case c.data == inMemory:
		return errMemoryKeys
	}
	set, keys, err := readKeyFile(keyPath(c.data))
	if err != nil {
		return err
	}
	signer := slices.IndexFunc(keys, func(k *key) bool { return k.signs(c.alg) })
	for i, k := range keys {
		made := ""
		if created := set.Keys[i].Created; !created.IsZero() {
			made = "made " + created.UTC().Format(time.DateOnly) + ", "
		}
		use := "verifies"
		switch {
		case k.ended(now):
			use = "has ended"
		case k.alg != c.alg:
			use = "not in use without -alg " + k.alg
		case i == signer:
			use = "signs"
		case !k.until.IsZero():
			use = "verifies until " + k.until.UTC().Format(minuteTime)
		}
		fmt.Fprintf(stdout, "%s\n    %s, %s%s\n", k.id, k.alg, made, use)
	}
	return nil
}

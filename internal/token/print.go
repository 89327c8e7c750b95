package token

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"
)

// Print writes the kid of each key of SECRET_KEY and SECRET_KEY_FALLBACKS, and what the
// key is for. It writes nothing secret.
func (r *Keyring) Print(w io.Writer) {
	for i, k := range r.keys {
		use := "SECRET_KEY, signs"
		if i > 0 {
			use = fmt.Sprintf("SECRET_KEY_FALLBACKS, number %d, verifies", i)
		}
		fmt.Fprintf(w, "%s\n    %s, %s\n", k.ID, k.Alg, use)
	}
}

// PrintKeyFile writes the kid of each key in the file at path, and what the key is for on
// a server that signs by alg. It writes nothing secret.
func PrintKeyFile(w io.Writer, path, alg string, now time.Time) error {
	set, keys, err := ReadKeyFile(path)
	if err != nil {
		return err
	}
	printKeys(w, set, keys, alg, now)
	return nil
}

func printKeys(w io.Writer, set JWKSet, keys []*Key, alg string, now time.Time) {
	signer := slices.IndexFunc(keys, func(k *Key) bool { return k.Signs(alg) })
	for i, k := range keys {
		made := ""
		if created := set.Keys[i].Created; !created.IsZero() {
			made = "made " + created.UTC().Format(time.DateOnly) + ", "
		}
		use := "verifies"
		switch {
		case k.Ended(now):
			use = "has ended"
		case k.Alg != alg:
			use = "not in use without -alg " + k.Alg
		case i == signer:
			use = "signs"
		case !k.Until.IsZero():
			use = "verifies until " + k.Until.UTC().Format("2006-01-02 15:04 UTC")
		}
		fmt.Fprintf(w, "%s\n    %s, %s%s\n", k.ID, k.Alg, made, use)
	}
}

// Rotate makes a new key for alg in the key file at path, and writes what that means.
// The new key signs from the next start on. The old keys verify until lastExpiry, when
// the last token expires. If they have leaked, they go at once, and lastExpiry is not
// called.
func Rotate(w io.Writer, path, alg string, leaked bool, now time.Time, lastExpiry func() (time.Time, error)) error {
	if leaked {
		if err := ReplaceKeys(path, alg, now); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s holds a new key and no other.\nAll tokens so far are refused: every account has to sign in again.\n\n", path)
		return nil
	}
	until, err := lastExpiry()
	if err != nil {
		return err
	}
	_, before, err := ReadKeyFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := RotateKey(path, alg, now, until); err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(k *Key) bool { return k.Alg != alg }) {
		fmt.Fprintf(w, "%s holds a new key, which signs from the next start on that has -alg %s.\nA server with one -alg refuses tokens that keys for another have signed.\n\n", path, alg)
	} else {
		fmt.Fprintf(w, "%s holds a new key, which signs from the next start on.\nNo sign-in ends: the old key verifies until the last token has ended.\n\n", path)
	}
	return nil
}

// RotateSecret says how to change a secret that is kept elsewhere.
const RotateSecret = `SECRET_KEY is set, so it signs, and nothing was changed. To change it:
  1. put the present value of SECRET_KEY first into SECRET_KEY_FALLBACKS
     (not if it has leaked: then its tokens must be refused)
  2. give SECRET_KEY a new value: openssl rand -base64 48
  3. restart the server
  4. remove the fallback when the last token that it signed has ended`

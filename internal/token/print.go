package token

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// Print writes which keys of SECRET_KEY and SECRET_KEY_FALLBACKS are in the ring,
// and nothing of what is secret in them.
func (r *Keyring) Print(w io.Writer) {
	for i, k := range r.keys {
		use := "SECRET_KEY, signs"
		if i > 0 {
			use = fmt.Sprintf("SECRET_KEY_FALLBACKS, number %d, verifies", i)
		}
		fmt.Fprintf(w, "%s\n    %s, %s\n", k.ID, k.Alg, use)
	}
}

// PrintKeyFile writes which keys are in the file at path, and what each is for on a
// server that signs by alg, and nothing of what is secret in them. The kid of an
// EdDSA key takes half a line, so each key takes two.
func PrintKeyFile(w io.Writer, path, alg string, now time.Time) error {
	set, keys, err := ReadKeyFile(path)
	if err != nil {
		return err
	}
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
	return nil
}

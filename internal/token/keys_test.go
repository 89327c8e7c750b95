package token

import (
	"crypto/ed25519"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestSecretKeys(t *testing.T) {
	t.Parallel()
	const short = "only thirty-one bytes, not more"
	tests := []struct {
		name, secret string
		fallbacks    []string
		wantError    string // "" for success
	}{
		{"32 bytes are enough", short + "!", nil, ""},
		{"31 are not", short, nil, "SECRET_KEY: the secret has 31 bytes, HS256 takes at least 32 (RFC 7518 §3.2); make one with: openssl rand -base64 48"},
		{"an empty one is none", "", nil, "SECRET_KEY: the secret has 0 bytes, HS256 takes at least 32 (RFC 7518 §3.2); make one with: openssl rand -base64 48"},
		{"bytes count, not characters", "éàüöäßéèêôûîâçñø", nil, ""},
		{"a fallback is no weaker", tokenSecret, []string{formerSecret, short}, "SECRET_KEY_FALLBACKS, number 2: the secret has 31 bytes, HS256 takes at least 32 (RFC 7518 §3.2); make one with: openssl rand -base64 48"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := SecretKeys(tt.secret, tt.fallbacks)
			if got := errorText(err); got != tt.wantError {
				t.Errorf("secretKeys = %q; want %q", got, tt.wantError)
			}
		})
	}
}

// A secret that everybody knows or can guess signs nothing, however long it is.
func TestSecretsEverybodyKnows(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{
		"your-secret-key-here-change-in-production",
		"your_super_secret_jwt_key_change_this_in_production",
		"super-secret-jwt-token-with-at-least-32-characters-long",
		"a-string-secret-at-least-256-bits-long",
		"your-256-bit-secret-your-256-bit-secret", "your-512-bit-secret.your-512-bit-secret",
		"a-string-secret-at-least-512-bits-long-which-is-very-long",
		"please-change-this-secret-key-min-32-chars!!",
		"do-not-use-this-secret-key-in-production",
		"This is my custom Secret key for authentication",
		"THIS IS USED TO SIGN AND VERIFY JWT TOKENS, REPLACE IT WITH YOUR OWN SECRET, IT CAN BE ANY STRING",
		"changemechangemechangemechangeme",
		"<replace-this-with-a-strong-secret-key>",
		"MySuperSecretKeyForTesting1234567890",
		"reallyreallyreallyreallyverysafe",
		strings.Repeat("a", 36), strings.Repeat("0", 64), strings.Repeat("ab", 20), strings.Repeat("*", 32), strings.Repeat("hunter2", 5),
		"12345678901234567890123456789012", "0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyz123456",
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "zyxwvutsrqponmlkjihgfedcba987654", "qwertyuiopasdfghjklzxcvbnm123456",
		"192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",
		"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
		"404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
		"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
		"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",
	} {
		_, err := SecretKeys(secret, nil)
		if err == nil || !strings.Contains(err.Error(), "attackers") || strings.Contains(err.Error(), secret) {
			t.Errorf("the secret %q: %v; want a refusal that says why, without it", secret, err)
		}
	}
	for range 500 {
		random := randomBytes()
		for _, secret := range []string{
			string(random), hex.EncodeToString(random), hex.EncodeToString(random[:16]), base64.StdEncoding.EncodeToString(random),
			base32.StdEncoding.EncodeToString(random[:20]), new(big.Int).SetBytes(random).String(), NewUUID(),
		} {
			if err := checkPlaceholder(secret); err != nil {
				t.Fatalf("the random secret %q: %v", secret, err)
			}
		}
	}
	for _, secret := range []string{tokenSecret, formerSecret, "correct horse battery staple, but longer"} {
		if err := checkPlaceholder(secret); err != nil {
			t.Errorf("the secret %q: %v", secret, err)
		}
	}
}

func TestKeyIDs(t *testing.T) {
	t.Parallel()
	if a, b := HS256Key([]byte(tokenSecret)).ID, HS256Key([]byte(formerSecret)).ID; a == b || len(a) != 16 {
		t.Errorf("the kids of two secrets = %q, %q; want two of 16 characters", a, b)
	}
	// RFC 8037 appendices A.1 and A.3.
	k, err := JWK{Type: "OKP", Curve: "Ed25519", Algorithm: EdDSA, Private: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", Public: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}.key()
	if err != nil {
		t.Fatal(err)
	}
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; k.ID != want {
		t.Errorf("kid of RFC 8037's key = %q; want %q", k.ID, want)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{HS256, EdDSA} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.key")
			token := signToken(t, loadKeyFile(t, path, alg, tokenNow), tokenClaims)
			if _, err := loadKeyFile(t, path, alg, tokenNow).Verify(token, tokenNow); err != nil {
				t.Errorf("after a restart: %v", err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("mode = %o; want 600", info.Mode().Perm())
			}
			if files, _ := os.ReadDir(filepath.Dir(path)); len(files) != 1 {
				t.Errorf("the folder holds %v; want the key file alone", files)
			}
		})
	}
}

func TestKeyFileTwoStarts(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	rings := make([]*Keyring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], _, err = LoadKeys(path, HS256, tokenNow); err != nil {
				t.Errorf("loadKeys = %v", err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, ring := range rings {
		if ring.keys[0].ID != rings[0].keys[0].ID {
			t.Errorf("signs with %q, another with %q; want one key for all", ring.keys[0].ID, rings[0].keys[0].ID)
		}
	}
}

func TestKeyFileOtherAlgorithm(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	token := signToken(t, loadKeyFile(t, path, HS256, tokenNow), tokenClaims)
	_, err := loadKeyFile(t, path, EdDSA, tokenNow).Verify(token, tokenNow)
	wantRefusal(t, "verify under the other algorithm", err, BadAlgorithm, "The specified alg value is not allowed")
	if _, err := loadKeyFile(t, path, HS256, tokenNow).Verify(token, tokenNow); err != nil {
		t.Errorf("back under the first: %v", err)
	}
	if _, _, err := LoadKeys(path, "HS512", tokenNow); err == nil {
		t.Error("loadKeys for HS512 = nil; want an error")
	}
}

func TestKeyFileWarning(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // its modes say nothing about other users
	}
	path := filepath.Join(t.TempDir(), "shelf.key")
	loadKeyFile(t, path, HS256, tokenNow)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, warning, err := LoadKeys(path, HS256, tokenNow)
	want := path + " is open to other users of this machine (mode 0640), who can make tokens with it: chmod 600 " + path
	if err != nil || warning != want {
		t.Errorf("loadKeys = %q, %v; want %q", warning, err, want)
	}
}

func TestKeyFileRefused(t *testing.T) {
	t.Parallel()
	const k = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8"
	tests := []struct{ name, text, wantError string }{
		{"an empty file", "", "it is empty"},
		{"no JSON", "my secret", "line 1, column 1: a text without quotes"},
		{"other JSON", `{"name":"shelf","version":"1"}`, "it has no keys"},
		{"a lone key", `{"kty":"oct","alg":"HS256","k":"` + k + `"}`, "it has no keys"},
		{"something behind", `{"keys":[{"kty":"oct","alg":"HS256","k":"` + k + `"}]}{}`, "line 1, column 89: something follows the end: remove it, or a bracket closes too early"},
		{"a short secret", `{"keys":[{"kty":"oct","alg":"HS256","k":"c2hvcnQ"}]}`, "key 1: the secret has 5 bytes, HS256 takes at least 32 (RFC 7518 §3.2)"},
		{"no base64url", `{"keys":[{"kty":"oct","alg":"HS256","k":"` + k + `="}]}`, "key 1: its k is not base64url"},
		{"an RSA key", `{"keys":[{"kty":"RSA","alg":"RS256","n":"AQAB","e":"AQAB"}]}`, "key 1: it is neither kty oct with alg HS256 nor kty OKP with crv Ed25519 and alg EdDSA"},
		{"a secret for another algorithm", `{"keys":[{"kty":"oct","alg":"HS512","k":"` + k + `"}]}`, "key 1: it is neither kty oct with alg HS256 nor kty OKP with crv Ed25519 and alg EdDSA"},
		{"a key for encryption", `{"keys":[{"kty":"oct","alg":"HS256","use":"enc","k":"` + k + `"}]}`, "key 1: its use is not sig"},
		{"two keys of one kid", `{"keys":[{"kty":"oct","alg":"HS256","k":"` + k + `"},{"kty":"oct","alg":"HS256","k":"` + k + `"}]}`, "key 2: its kid is another key's too"},
		{"a public key alone", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","x":"` + k + `"}]}`, "key 1: its d is not 32 bytes in base64url"},
		{"a public key of another's", `{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","d":"` + k + `","x":"` + k + `"}]}`, "key 1: its x is not the public key of its d"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.key")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			want := path + " is not a key file of shelf: " + tt.wantError
			if _, _, err := LoadKeys(path, HS256, tokenNow); errorText(err) != want {
				t.Errorf("loadKeys = %v; want %s", err, want)
			}
			if err := RotateKey(path, HS256, tokenNow, tokenNow); errorText(err) != want {
				t.Errorf("rotateKey = %v; want %s", err, want)
			}
			if text, err := os.ReadFile(path); err != nil || string(text) != tt.text {
				t.Errorf("the file holds %q, %v; want it untouched", text, err)
			}
		})
	}
}

func TestRotateKey(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	before := loadKeyFile(t, path, HS256, tokenNow)
	token := signToken(t, before, tokenClaims)
	until := tokenNow.Add(10 * time.Minute)
	if err := RotateKey(path, HS256, tokenNow, until); err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, path, HS256, tokenNow)
	if after.keys[0].ID == before.keys[0].ID {
		t.Error("the old key still signs")
	}
	if _, err := after.Verify(token, until.Add(-time.Second)); err != nil {
		t.Errorf("the old key's token before it ends: %v", err)
	}
	_, err := after.Verify(token, until)
	wantRefusal(t, "verify when the old key has ended", err, BadSignature, "Signature verification failed")
	if ring := loadKeyFile(t, path, HS256, until); len(ring.keys) != 1 {
		t.Errorf("%d keys are left at the end of the old one; want 1", len(ring.keys))
	}
}

// A leaked file is a leak of every key in it: the one that signs, those that
// are retired, and those of the other algorithm.
func TestReplaceKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	leaked := []string{loadKeyFile(t, path, HS256, tokenNow).keys[0].ID, loadKeyFile(t, path, EdDSA, tokenNow).keys[0].ID}
	if err := RotateKey(path, HS256, tokenNow, tokenNow.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	leaked = append(leaked, loadKeyFile(t, path, HS256, tokenNow).keys[0].ID)
	if err := ReplaceKeys(path, HS256, tokenNow); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range leaked {
		if strings.Contains(string(text), id) {
			t.Errorf("the key file still holds %s, which has leaked:\n%s", id, text)
		}
	}
	if ring := loadKeyFile(t, path, HS256, tokenNow); len(ring.keys) != 1 {
		t.Errorf("%d keys; want the new one alone", len(ring.keys))
	}
}

// The private members must never leave the key file.
func TestPublicJWKS(t *testing.T) {
	t.Parallel()
	ed, err := JWK{Type: "OKP", Curve: "Ed25519", Algorithm: EdDSA, Private: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", Public: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}.key()
	if err != nil {
		t.Fatal(err)
	}
	ended := EdDSAKey([]byte(tokenSecret[:32]))
	ended.Until = tokenNow
	tests := []struct {
		name string
		ring *Keyring
		want string
	}{
		{"of a secret nothing is public", tokenRing(t), `{"keys":[]}`},
		{"a key that has ended is gone", NewKeyring(HS256Key([]byte(tokenSecret)), ended), `{"keys":[]}`},
		{"of an EdDSA key one half is", NewKeyring(HS256Key([]byte(tokenSecret)), ed), `{"keys":[{"kty":"OKP","use":"sig","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(tt.ring.JWKS(tokenNow))
			if err != nil || string(got) != tt.want {
				t.Errorf("publicJWKS = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

// A program that reads the set can check our tokens with nothing else in hand: the
// header's kid names the key, and Ed25519 verifies the text up to the last dot
// (RFC 7515 §5.2, RFC 8037 §3.1).
func TestJWKSVerifiesTokens(t *testing.T) {
	t.Parallel()
	former := EdDSAKey([]byte(formerSecret[:32]))
	former.Until = tokenNow.Add(time.Second)
	ring := NewKeyring(EdDSAKey([]byte(tokenSecret[:32])), former)
	body, err := json.Marshal(ring.JWKS(tokenNow))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{`"d"`, `"k"`, "until", "created"} {
		if strings.Contains(string(body), secret) {
			t.Fatalf("the set holds %s: %s", secret, body)
		}
	}
	var set struct {
		Keys []struct{ Kty, Use, Alg, Kid, Crv, X string }
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%d keys, %v; want 2", len(set.Keys), err)
	}
	for i, signer := range []*Keyring{ring, NewKeyring(former)} {
		token := signToken(t, signer, tokenClaims)
		last := strings.LastIndex(token, ".")
		signature, err := base64.RawURLEncoding.DecodeString(token[last+1:])
		if err != nil {
			t.Fatal(err)
		}
		header, err := readHeader(token[:strings.Index(token, ".")])
		if err != nil {
			t.Fatal(err)
		}
		k := set.Keys[i]
		public, err := base64.RawURLEncoding.DecodeString(k.X)
		if kid, _ := header.Text("kid"); err != nil || kid != k.Kid || k.Kty != "OKP" || k.Crv != "Ed25519" || k.Alg != "EdDSA" || k.Use != "sig" {
			t.Errorf("key %d is %+v, %v; want the Ed25519 key %s", i, k, err, kid)
		}
		if !ed25519.Verify(public, []byte(token[:last]), signature) {
			t.Errorf("key %d does not verify the token that it signed", i)
		}
	}
}

func TestConfiguredKeys(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		secret    string
		fallbacks []string
		alg       string
		wantKeys  int
		wantError string
	}{
		{"nothing set", "", nil, HS256, 0, ""},
		{"EdDSA has a key of shelf's own", "", nil, EdDSA, 0, ""},
		{"a secret", tokenSecret, nil, HS256, 1, ""},
		{"a secret and a former one", tokenSecret, []string{formerSecret}, HS256, 2, ""},
		{"a secret is nothing to sign by EdDSA with", tokenSecret, nil, EdDSA, 0, "-alg EdDSA signs with a key that shelf makes, but SECRET_KEY is set: take one of the two away"},
		{"a former one alone", "", []string{formerSecret}, HS256, 0, "SECRET_KEY_FALLBACKS is set but SECRET_KEY is not: there is no key to sign with"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ring, err := ConfiguredKeys(tt.secret, tt.fallbacks, tt.alg)
			keys := 0
			if ring != nil {
				keys = len(ring.keys)
			}
			if keys != tt.wantKeys || errorText(err) != tt.wantError {
				t.Errorf("configuredKeys = %d keys, %v; want %d, %q", keys, err, tt.wantKeys, tt.wantError)
			}
		})
	}
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func loadKeyFile(t *testing.T, path, alg string, now time.Time) *keyring {
	t.Helper()
	ring, warning, err := loadKeys(path, alg, now)
	if err != nil || warning != "" {
		t.Fatalf("loadKeys = %q, %v; want no warning and no error", warning, err)
	}
	return ring
}

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
		{"bytes count, not characters", strings.Repeat("é", 16), nil, ""},
		{"a fallback is no weaker", tokenSecret, []string{formerSecret, short}, "SECRET_KEY_FALLBACKS, number 2: the secret has 31 bytes, HS256 takes at least 32 (RFC 7518 §3.2); make one with: openssl rand -base64 48"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := secretKeys(tt.secret, tt.fallbacks)
			if got := errorText(err); got != tt.wantError {
				t.Errorf("secretKeys = %q; want %q", got, tt.wantError)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestKeyIDs(t *testing.T) {
	t.Parallel()
	if a, b := secretKey([]byte(tokenSecret)).id, secretKey([]byte(formerSecret)).id; a == b || len(a) != 16 {
		t.Errorf("the kids of two secrets = %q, %q; want two of 16 characters", a, b)
	}
	// RFC 8037 appendices A.1 and A.3.
	k, err := jwk{Type: "OKP", Curve: "Ed25519", Algorithm: algEdDSA, Private: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", Public: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}.key()
	if err != nil {
		t.Fatal(err)
	}
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; k.id != want {
		t.Errorf("kid of RFC 8037's key = %q; want %q", k.id, want)
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{algHS256, algEdDSA} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "shelf.key")
			token := signToken(t, loadKeyFile(t, path, alg, tokenNow), tokenClaims)
			if _, err := loadKeyFile(t, path, alg, tokenNow).verify(token, tokenNow); err != nil {
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
	rings := make([]*keyring, 8)
	var wg sync.WaitGroup
	for i := range rings {
		wg.Go(func() {
			var err error
			if rings[i], _, err = loadKeys(path, algHS256, tokenNow); err != nil {
				t.Errorf("loadKeys = %v", err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, ring := range rings {
		if ring.keys[0].id != rings[0].keys[0].id {
			t.Errorf("signs with %q, another with %q; want one key for all", ring.keys[0].id, rings[0].keys[0].id)
		}
	}
}

func TestKeyFileOtherAlgorithm(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	token := signToken(t, loadKeyFile(t, path, algHS256, tokenNow), tokenClaims)
	_, err := loadKeyFile(t, path, algEdDSA, tokenNow).verify(token, tokenNow)
	wantRefusal(t, "verify under the other algorithm", err, tokenMalformed, "The specified alg value is not allowed")
	if _, err := loadKeyFile(t, path, algHS256, tokenNow).verify(token, tokenNow); err != nil {
		t.Errorf("back under the first: %v", err)
	}
	if _, _, err := loadKeys(path, "HS512", tokenNow); err == nil {
		t.Error("loadKeys for HS512 = nil; want an error")
	}
}

func TestKeyFileWarning(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		return // its modes say nothing about other users
	}
	path := filepath.Join(t.TempDir(), "shelf.key")
	loadKeyFile(t, path, algHS256, tokenNow)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	_, warning, err := loadKeys(path, algHS256, tokenNow)
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
		{"no JSON", "my secret", "invalid character 'm' looking for beginning of value"},
		{"other JSON", `{"name":"shelf","version":"1"}`, "it has no keys"},
		{"a lone key", `{"kty":"oct","alg":"HS256","k":"` + k + `"}`, "it has no keys"},
		{"something behind", `{"keys":[{"kty":"oct","alg":"HS256","k":"` + k + `"}]}{}`, "invalid character '{' after top-level value"},
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
			if _, _, err := loadKeys(path, algHS256, tokenNow); errorText(err) != want {
				t.Errorf("loadKeys = %v; want %s", err, want)
			}
			if err := rotateKey(path, algHS256, tokenNow, tokenNow); errorText(err) != want {
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
	before := loadKeyFile(t, path, algHS256, tokenNow)
	token := signToken(t, before, tokenClaims)
	until := tokenNow.Add(10 * time.Minute)
	if err := rotateKey(path, algHS256, tokenNow, until); err != nil {
		t.Fatal(err)
	}
	after := loadKeyFile(t, path, algHS256, tokenNow)
	if after.keys[0].id == before.keys[0].id {
		t.Error("the old key still signs")
	}
	if _, err := after.verify(token, until.Add(-time.Second)); err != nil {
		t.Errorf("the old key's token before it ends: %v", err)
	}
	_, err := after.verify(token, until)
	wantRefusal(t, "verify when the old key has ended", err, tokenMalformed, "Signature verification failed")
	if ring := loadKeyFile(t, path, algHS256, until); len(ring.keys) != 1 {
		t.Errorf("%d keys are left at the end of the old one; want 1", len(ring.keys))
	}
}

// A leaked file is a leak of every key in it: the one that signs, those that
// are retired, and those of the other algorithm.
func TestReplaceKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "shelf.key")
	leaked := []string{loadKeyFile(t, path, algHS256, tokenNow).keys[0].id, loadKeyFile(t, path, algEdDSA, tokenNow).keys[0].id}
	if err := rotateKey(path, algHS256, tokenNow, tokenNow.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	leaked = append(leaked, loadKeyFile(t, path, algHS256, tokenNow).keys[0].id)
	if err := replaceKeys(path, algHS256, tokenNow); err != nil {
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
	if ring := loadKeyFile(t, path, algHS256, tokenNow); len(ring.keys) != 1 {
		t.Errorf("%d keys; want the new one alone", len(ring.keys))
	}
}

// The private members must never leave the key file.
func TestPublicJWKS(t *testing.T) {
	t.Parallel()
	ed, err := jwk{Type: "OKP", Curve: "Ed25519", Algorithm: algEdDSA, Private: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", Public: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}.key()
	if err != nil {
		t.Fatal(err)
	}
	ended := edKey([]byte(tokenSecret[:32]))
	ended.until = tokenNow
	tests := []struct {
		name string
		ring *keyring
		want string
	}{
		{"of a secret nothing is public", tokenRing(t), `{"keys":[]}`},
		{"a key that has ended is gone", newKeyring(secretKey([]byte(tokenSecret)), ended), `{"keys":[]}`},
		{"of an EdDSA key one half is", newKeyring(secretKey([]byte(tokenSecret)), ed), `{"keys":[{"kty":"OKP","use":"sig","alg":"EdDSA","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.Marshal(tt.ring.publicJWKS(tokenNow))
			if err != nil || string(got) != tt.want {
				t.Errorf("publicJWKS = %s, %v; want %s", got, err, tt.want)
			}
		})
	}
}

package token_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/shelf/internal/token"
)

var now = time.Date(2026, time.November, 22, 14, 5, 0, 0, time.UTC)

// A token is signed, sent, and verified.
func Example() {
	keys := token.MemoryKeys(token.HS256)
	text, err := keys.Sign(token.NewClaims("0f8fad5b", token.Access, now, now.Add(15*time.Minute)))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("parts:", len(strings.Split(text, ".")))

	claims, err := keys.Verify(text, now.Add(time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(claims.Type, "token for", claims.Subject, "until", claims.ExpiresAt.UTC().Format(time.TimeOnly))

	_, err = keys.Verify(text, now.Add(15*time.Minute))
	fmt.Println(err)
	// Output:
	// parts: 3
	// access token for 0f8fad5b until 14:20:00
	// expired 0s ago
}

// Anyone can read a token. Only a program with the key can make one.
func ExampleKeyring_Verify() {
	keys := token.MemoryKeys(token.HS256)
	text, err := keys.Sign(token.NewClaims("0f8fad5b", token.Access, now, now.Add(15*time.Minute)))
	if err != nil {
		log.Fatal(err)
	}
	parts := strings.Split(text, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"admin","exp":9999999999}`))

	for _, text := range []string{
		none + "." + parts[1] + ".",              // no signature
		parts[0] + "." + forged + "." + parts[2], // other claims
		text + "A",
		"hello",
	} {
		_, err := keys.Verify(text, now)
		refusal, _ := errors.AsType[*token.Error](err)
		fmt.Println(refusal.Reason == token.BadAlgorithm, refusal.Message)
	}
	// Output:
	// true The specified alg value is not allowed
	// false Signature verification failed
	// false Signature verification failed
	// false Not enough segments
}

// A request has its token in the Authorization header.
func ExampleBearer() {
	fmt.Println(token.Bearer([]string{"Bearer eyJh.eyJz.c2ln"}))
	fmt.Println(token.Bearer([]string{"Basic YW5uOnB3"}))
	// Output:
	// eyJh.eyJz.c2ln <nil>
	//  Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'
}

// HS256 needs a secret that can't be guessed.
func ExampleSecretKeys() {
	_, err := token.SecretKeys("secret", nil)
	fmt.Println(err)
	_, err = token.SecretKeys("your-256-bit-secret-your-256-bit-secret", nil)
	fmt.Println(err)
	// Output:
	// SECRET_KEY: the secret has 6 bytes, HS256 takes at least 32 (RFC 7518 §3.2); make one with: openssl rand -base64 48
	// SECRET_KEY: this is a placeholder, which attackers try first; make one with: openssl rand -base64 48
}

// A Cache answers as its Keyring does, and sooner.
func ExampleCache() {
	keys := token.MemoryKeys(token.EdDSA)
	var verifier token.Verifier = token.NewCache(keys)
	text, err := keys.Sign(token.NewClaims("0f8fad5b", token.Access, now, now.Add(15*time.Minute)))
	if err != nil {
		log.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Minute, time.Hour} {
		_, err := verifier.Verify(text, now.Add(after))
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
	// expired 45m0s ago
}

// After a rotation a new key signs. The old key verifies until its last token has
// expired, so no sign-in ends.
func ExampleRotateKey() {
	folder, err := os.MkdirTemp("", "shelf")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "shelf.key")

	before, _, err := token.LoadKeys(path, token.HS256, now) // makes the file
	if err != nil {
		log.Fatal(err)
	}
	lastExpiry := now.Add(time.Hour)
	text, err := before.Sign(token.NewClaims("0f8fad5b", token.Refresh, now, lastExpiry))
	if err != nil {
		log.Fatal(err)
	}
	if err := token.RotateKey(path, token.HS256, now, lastExpiry); err != nil {
		log.Fatal(err)
	}
	after, _, err := token.LoadKeys(path, token.HS256, now)
	if err != nil {
		log.Fatal(err)
	}
	_, err = after.Verify(text, now.Add(30*time.Minute))
	fmt.Println(len(after.Keys()), "keys;", err)
	// Output: 2 keys; <nil>
}

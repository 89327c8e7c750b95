package token

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// The parser refuses an algorithm by itself, before it asks for a key: also when the
// key that it would get fits.
func TestParserChoosesTheAlgorithm(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token string
		key   any
	}{
		"none":  {b64(`{"alg":"none"}`) + "." + b64(payload()) + ".", jwt.UnsafeAllowNoneSignatureType},
		"HS512": {forgeWith(sha512.New, `{"alg":"HS512"}`, payload(), tokenSecret), []byte(tokenSecret)},
	} {
		var asked bool
		_, err := newParser([]string{HS256}, tokenNow, leeway).ParseWithClaims(tt.token, &Claims{}, func(*jwt.Token) (any, error) {
			asked = true
			return tt.key, nil
		})
		if err == nil || asked {
			t.Errorf("%s: the parser says %v, and whether it asked for a key is %t; want a refusal before", name, err, asked)
		}
	}
}

func TestSign(t *testing.T) {
	t.Parallel()
	ring := tokenRing(t)
	header := fmt.Sprintf(`{"alg":"HS256","kid":%q,"typ":"JWT"}`, ring.keys[0].ID)
	if got, want := signToken(t, ring, tokenClaims), forge(header, payload(), tokenSecret); got != want {
		t.Errorf("sign = %s; want %s", got, want)
	}
}

func TestSignThenVerify(t *testing.T) {
	t.Parallel()
	rings := map[string]*Keyring{"HS256": tokenRing(t), "EdDSA": NewKeyring(EdDSAKey([]byte(tokenSecret[:32]))), "memory": MemoryKeys(HS256), "EdDSA in memory": MemoryKeys(EdDSA)}
	for name, ring := range rings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ring.Verify(signToken(t, ring, tokenClaims), tokenNow)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(*got, tokenClaims) {
				t.Errorf("verify = %+v; want %+v", *got, tokenClaims)
			}
		})
	}
}

// The example keys and tokens of the RFCs: what they say isn't ours, but that
// we get as far as to find fault with it shows that the signature was accepted.
func TestVerifyRFCExamples(t *testing.T) {
	t.Parallel()
	rfc7515 := JWK{Type: "oct", Algorithm: HS256, Secret: "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}
	rfc8037 := JWK{Type: "OKP", Curve: "Ed25519", Algorithm: EdDSA, Private: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", Public: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	const (
		a1 = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
		a4 = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
	)
	tests := []struct {
		name    string
		key     JWK
		token   string
		now     int64
		reason  Reason
		message string
	}{
		{"RFC 7515 A.1 a second before it ends", rfc7515, a1, 1300819379, BadClaims, "Missing claim: sub"},
		{"RFC 7515 A.1 the second that it ends", rfc7515, a1, 1300819380, Expired, "Token has expired"},
		{"RFC 7515 A.1 with another signature", rfc7515, strings.Replace(a1, ".dBj", ".eBj", 1), 1300819379, BadSignature, "Signature verification failed"},
		{"RFC 8037 A.4, whose payload is no JSON", rfc8037, a4, 1300819379, BadTimes, "Invalid payload string: must be a json object"},
		{"RFC 8037 A.4 with another signature", rfc8037, strings.Replace(a4, ".hgy", ".hgz", 1), 1300819379, BadSignature, "Signature verification failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			k, err := tt.key.key()
			if err != nil {
				t.Fatal(err)
			}
			_, err = judge(t, NewKeyring(k), tt.token, time.Unix(tt.now, 0))
			wantRefusal(t, "verify", err, tt.reason, tt.message)
		})
	}
}

func TestVerifyAccepts(t *testing.T) {
	t.Parallel()
	const hs256 = `{"alg":"HS256"}`
	former := fmt.Sprintf(`{"alg":"HS256","kid":%q}`, HS256Key([]byte(formerSecret)).ID)
	tests := []struct{ name, token string }{
		{"a token without kid is checked by the signing key", forge(hs256, payload(), tokenSecret)},
		{"a former secret's token by its kid", forge(former, payload(), formerSecret)},
		{"without iat, nbf, iss, public_id and fresh", forge(hs256, payload("iat", "", "nbf", "", "iss", "", "public_id", "", "fresh", ""), tokenSecret)},
		{"a refresh token", forge(hs256, payload("type", `"refresh"`), tokenSecret)},
		{"unknown claims", forge(hs256, payload("role", `{"admin":[true]}`), tokenSecret)},
		{"blanks and line breaks between the members", forge("{ \"alg\" : \"HS256\" }\n", "\r\n"+payload()+" ", tokenSecret)},
		{"keys named in the header are never used", forge(`{"alg":"HS256","jku":"https://evil.example/","x5u":"https://evil.example/","jwk":{"kty":"oct","k":"AAAA"}}`, payload(), tokenSecret)},
		{"the last second", forge(hs256, payload("exp", "1795356301"), tokenSecret)},
		{"iat and nbf in five seconds", forge(hs256, payload("iat", "1795356305", "nbf", "1795356305"), tokenSecret)},
		{"iat and nbf at this very second", forge(hs256, payload("iat", "1795356300", "nbf", "1795356300"), tokenSecret)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := judge(t, tokenRing(t), tt.token, tokenNow)
			if err != nil {
				t.Fatalf("verify = %v", err)
			}
			if c.Subject != tokenClaims.Subject || c.ID != tokenClaims.ID {
				t.Errorf("verify = %+v; want the subject and ID of %+v", c, tokenClaims)
			}
		})
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	ring := tokenRing(t)
	const hs256 = `{"alg":"HS256"}`
	good := forge(hs256, payload(), tokenSecret)
	header, rest, _ := strings.Cut(good, ".")
	body, signature, _ := strings.Cut(rest, ".")
	// claim makes a token that is signed well and says something wrong.
	claim := func(changes ...string) string { return forge(hs256, payload(changes...), tokenSecret) }
	head := func(header string) string { return forge(header, payload(), tokenSecret) }

	const (
		algRefused = "The specified alg value is not allowed"
		badSign    = "Signature verification failed"
		noObject   = "Invalid payload string: must be a json object"
		noHeader   = "Invalid header string: must be a json object"
		noCrit     = "Critical header parameters (crit) are not supported"
		noKid      = "Key ID header parameter must be a string"
		badExp     = "Expiration Time claim (exp) must be an integer."
	)
	tests := []struct {
		name, token string
		reason      Reason
		message     string
	}{
		// The text.
		{"nothing", "", BadText, "Not enough segments"},
		{"garbage", "garbage", BadText, "Not enough segments"},
		{"two segments", header + "." + body, BadText, "Not enough segments"},
		{"a.b.c", "a.b.c", BadText, "Invalid header padding"},
		{"dots only", "..", BadText, noHeader},
		{"four segments", good + ".abcd", BadText, "Invalid payload padding"},
		{"five segments, as of an encrypted token", good + ".abcd.abcd", BadText, "Invalid payload padding"},
		{"a header that is no JSON", b64("alg") + "." + body + "." + signature, BadText, noHeader},
		{"a header that is a list", head(`["HS256"]`), BadText, noHeader},
		{"a header that is null", head(`null`), BadText, noHeader},
		{"a header with = at its end", header + "=." + body + "." + signature, BadText, "Invalid header padding"},
		{"a payload with = at its end", header + "." + body + "==." + signature, BadText, "Invalid payload padding"},
		{"a signature with = at its end", good + "=", BadText, "Invalid crypto padding"},
		{"@ appended", good + "@", BadText, "Invalid crypto padding"},
		{"@@@@ appended, which Python skips", good + "@@@@", BadText, "Invalid crypto padding"},
		{"the alphabet of plain base64", header + "." + body + "." + signature[:42] + "+", BadText, "Invalid crypto padding"},
		{"a blank in the payload", header + "." + body[:8] + " " + body[8:] + "." + signature, BadText, "Invalid payload padding"},
		{"a line break, which encoding/base64 skips", header + "." + body[:8] + "\n" + body[8:] + "." + signature, BadText, "The token has a line break in it"},
		{"a carriage return at the end", good + "\r", BadText, "The token has a line break in it"},
		{"one byte over 8 KiB", good + strings.Repeat("A", MaxLength+1-len(good)), BadText, "The token is longer than 8 KiB"},
		{"8 KiB", good + strings.Repeat("A", MaxLength-len(good)), BadSignature, badSign},

		// The algorithm.
		{"alg none", b64(`{"alg":"none"}`) + "." + body + ".", BadAlgorithm, algRefused},
		{"alg None", b64(`{"alg":"None"}`) + "." + body + ".", BadAlgorithm, algRefused},
		{"alg NONE, signed", head(`{"alg":"NONE"}`), BadAlgorithm, algRefused},
		{"alg hs256", head(`{"alg":"hs256"}`), BadAlgorithm, algRefused},
		{"alg HS512", forgeWith(sha512.New, `{"alg":"HS512"}`, payload(), tokenSecret), BadAlgorithm, algRefused},
		{"alg RS256", head(`{"alg":"RS256"}`), BadAlgorithm, algRefused},
		{"alg EdDSA", head(`{"alg":"EdDSA"}`), BadAlgorithm, algRefused},
		{"alg absent", head(`{"typ":"JWT"}`), BadAlgorithm, algRefused},
		{"alg a number", head(`{"alg":256}`), BadAlgorithm, algRefused},
		{"alg a list", head(`{"alg":["HS256"]}`), BadAlgorithm, algRefused},
		{"Alg, as names count by case", head(`{"Alg":"HS256"}`), BadAlgorithm, algRefused},
		{"alg twice, none first", head(`{"alg":"none","alg":"HS256"}`), BadText, noHeader},
		{"alg twice, none last", head(`{"alg":"HS256","alg":"none"}`), BadText, noHeader},
		{"alg twice, once escaped", head(`{"alg":"none","\u0061lg":"HS256"}`), BadText, noHeader},
		{"alg none and four segments: the text is named first", b64(`{"alg":"none"}`) + "." + body + ".a.b", BadText, "Invalid payload padding"},

		// The key.
		{"crit with b64", head(`{"alg":"HS256","crit":["b64"],"b64":false}`), BadAlgorithm, noCrit},
		{"crit with exp", head(`{"alg":"HS256","crit":["exp"]}`), BadAlgorithm, noCrit},
		{"crit empty", head(`{"alg":"HS256","crit":[]}`), BadAlgorithm, noCrit},
		{"crit null", head(`{"alg":"HS256","crit":null}`), BadAlgorithm, noCrit},
		{"kid a path", head(`{"alg":"HS256","kid":"../../dev/null"}`), BadSignature, badSign},
		{"kid a query", head(`{"alg":"HS256","kid":"' OR 1=1 --"}`), BadSignature, badSign},
		{"kid empty", head(`{"alg":"HS256","kid":""}`), BadSignature, badSign},
		{"kid a list", head(`{"alg":"HS256","kid":["a"]}`), BadSignature, noKid},
		{"kid null", head(`{"alg":"HS256","kid":null}`), BadSignature, noKid},
		{"a former secret without its kid", forge(hs256, payload(), formerSecret), BadSignature, badSign},
		{"a former secret's kid, signed with the new one", head(fmt.Sprintf(`{"alg":"HS256","kid":%q}`, ring.keys[1].ID)), BadSignature, badSign},
		{"its own key in the header", forge(fmt.Sprintf(`{"alg":"HS256","jwk":{"kty":"oct","k":%q}}`, b64(formerSecret)), payload(), formerSecret), BadSignature, badSign},

		// The signature.
		{"another key", forge(hs256, payload(), "another secret that has more than thirty-two bytes"), BadSignature, badSign},
		{"an empty key", forge(hs256, payload(), ""), BadSignature, badSign},
		{"one letter appended", good + "A", BadSignature, badSign},
		{"the last letter cut", good[:len(good)-1], BadSignature, badSign},
		{"two letters cut", good[:len(good)-2], BadSignature, badSign},
		{"half a signature", good[:len(good)-20], BadSignature, badSign},
		{"an empty signature", header + "." + body + ".", BadSignature, badSign},
		{"another payload", header + "." + b64(payload("fresh", "false")) + "." + signature, BadSignature, badSign},
		{"another payload that is no JSON", header + ".f" + body[1:] + "." + signature, BadSignature, badSign},
		{"an idle bit at the end of the header", seal(sha256.New, nextLetter(b64(hs256+" "))+"."+body, tokenSecret), BadSignature, badSign},
		{"an idle bit at the end of the payload", seal(sha256.New, header+"."+nextLetter(b64(payload("x", "1"))), tokenSecret), BadSignature, badSign},
		{"an idle bit at the end of the signature", nextLetter(good), BadSignature, badSign},
		{"expired as well", header + "." + b64(payload("exp", "1")) + "." + signature, BadSignature, badSign},

		// The payload.
		{"a payload that is no JSON", forge(hs256, "eyJ", tokenSecret), BadTimes, noObject},
		{"a payload that is a list", forge(hs256, "["+payload()+"]", tokenSecret), BadTimes, noObject},
		{"a payload that is a string", forge(hs256, `"sub"`, tokenSecret), BadTimes, noObject},
		{"a payload that is null", forge(hs256, "null", tokenSecret), BadTimes, noObject},
		{"an empty payload", forge(hs256, "", tokenSecret), BadTimes, noObject},
		{"two payloads", forge(hs256, payload()+payload(), tokenSecret), BadTimes, noObject},
		{"sub twice", forge(hs256, `{"sub":"x",`+payload()[1:], tokenSecret), BadTimes, noObject},
		{"exp twice, once escaped", forge(hs256, `{"e\u0078p":9999999999,`+payload()[1:], tokenSecret), BadTimes, noObject},
		{"bytes that are no UTF-8", claim("sub", "\"\xff\""), BadTimes, noObject},
		{"5000 lists in each other, unsigned", header + "." + b64(strings.Repeat("[", 5000)) + "." + signature, BadSignature, badSign},

		// The times.
		{"exp absent", claim("exp", ""), BadTimes, "Missing claim: exp"},
		{"exp null", claim("exp", "null"), BadTimes, badExp},
		{"exp a string", claim("exp", `"1795357140"`), BadTimes, badExp},
		{"exp with a fraction", claim("exp", "1795357140.5"), BadTimes, badExp},
		{"exp 1e400", claim("exp", "1e400"), BadTimes, badExp},
		{"exp 1e10", claim("exp", "1e10"), BadTimes, badExp},
		{"exp beyond 64 bits", claim("exp", "9223372036854775808"), BadTimes, badExp},
		{"exp that would overflow time.Time", claim("exp", "9223372036854775807"), BadTimes, badExp},
		{"exp a list", claim("exp", "[1795357140]"), BadTimes, badExp},
		{"exp under another case", claim("exp", "", "Exp", "1795357140"), BadTimes, "Missing claim: exp"},
		{"nbf a string", claim("nbf", `"now"`), BadTimes, "Not Before claim (nbf) must be an integer."},
		{"nbf in six seconds", claim("nbf", "1795356306"), BadTimes, "The token is not yet valid (nbf)"},
		{"iat true", claim("iat", "true"), BadTimes, "Issued At claim (iat) must be an integer."},
		{"iat in six seconds", claim("iat", "1795356306"), BadTimes, "The token is not yet valid (iat)"},

		// The other claims.
		{"sub absent", claim("sub", "", "public_id", ""), BadClaims, "Missing claim: sub"},
		{"sub a number", claim("sub", "1"), BadClaims, "Invalid claim: sub"},
		{"sub null", claim("sub", "null"), BadClaims, "Invalid claim: sub"},
		{"sub empty", claim("sub", `""`, "public_id", `""`), BadClaims, "Invalid claim: sub"},
		{"sub a list", claim("sub", `["0f8fad5b-d9cb-469f-a165-70867728950e"]`), BadClaims, "Invalid claim: sub"},
		{"jti absent", claim("jti", ""), BadClaims, "Missing claim: jti"},
		{"jti a number", claim("jti", "7"), BadClaims, "Invalid claim: jti"},
		{"type absent", claim("type", ""), BadClaims, "Missing claim: type"},
		{"type of a third kind", claim("type", `"id"`), BadClaims, "Invalid claim: type"},
		{"type a boolean", claim("type", "true"), BadClaims, "Invalid claim: type"},
		{"another public_id", claim("public_id", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`), BadClaims, "Invalid claim: public_id"},
		{"public_id null", claim("public_id", "null"), BadClaims, "Invalid claim: public_id"},
		{"another issuer", claim("iss", `"joe"`), BadClaims, "Invalid claim: iss"},
		{"iss a list with ours in it", claim("iss", `["shelf"]`), BadClaims, "Invalid claim: iss"},
		{"aud", claim("aud", `"shelf"`), BadClaims, "Invalid claim: aud"},
		{"aud null", claim("aud", "null"), BadClaims, "Invalid claim: aud"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := judge(t, ring, tt.token, tokenNow)
			wantRefusal(t, "verify", err, tt.reason, tt.message)
		})
	}
}

// A token with two faults is refused for the one that comes first in the order of the
// reasons, as docs/reading.md lists them.
func TestVerifyNamesTheFirstFault(t *testing.T) {
	t.Parallel()
	const good = `{"alg":"HS256","typ":"JWT"}`
	twice := strings.TrimSuffix(payload("exp", "1"), "}") + `,"sub":"other"}`
	for _, tt := range []struct {
		name  string
		token string
		want  Reason
	}{
		{"a header with alg twice, and alg none", b64(`{"alg":"none","alg":"none"}`) + "." + b64(payload()) + ".", BadText},
		{"alg none, and an unknown key", b64(`{"alg":"none","kid":"x"}`) + "." + b64(payload()) + ".", BadAlgorithm},
		{"an extension, and an unknown key", forge(`{"alg":"HS256","crit":["x"],"kid":"x"}`, payload(), tokenSecret), BadAlgorithm},
		{"another's signature, and expired", forge(good, payload("exp", "1"), "another's"), BadSignature},
		{"expired, and sub twice", forge(good, twice, tokenSecret), BadTimes},
		{"from the future, and without a jti", forge(good, payload("iat", "2795356240", "jti", ""), tokenSecret), BadTimes},
		{"expired, and without a jti", forge(good, payload("exp", "1", "jti", ""), tokenSecret), Expired},
		{"without a jti, and with an aud", forge(good, payload("jti", "", "aud", `"x"`), tokenSecret), BadClaims},
	} {
		_, err := tokenRing(t).Verify(tt.token, tokenNow)
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != tt.want {
			t.Errorf("%s: %v; want the reason %d", tt.name, err, tt.want)
		}
	}
}

func TestVerifyExpired(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, exp, detail string
	}{
		{"this very second", "1795356300", "expired 0s ago"},
		{"three minutes ago", "1795356108", "expired 3m12s ago"},
		{"at the beginning of time", "0", "expired 498710h5m0s ago"},
		{"before it", "-1", "expired 498710h5m1s ago"},
		{"on a day that no Duration reaches back to", "-99999999999999", "expired 2562047h47m16s ago"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Without sub: the times come before the other claims.
			_, err := judge(t, tokenRing(t), forge(`{"alg":"HS256"}`, payload("exp", tt.exp, "sub", ""), tokenSecret), tokenNow)
			wantRefusal(t, "verify", err, Expired, "Token has expired")
			if e := err.(*Error); e.Description() != tt.detail {
				t.Errorf("description = %q; want %q", e.Description(), tt.detail)
			}
		})
	}
}

// Each refusal has its reason, and error_description says in words what was wrong (RFC
// 6750 §3).
func TestVerifyRefusalSaysWhy(t *testing.T) {
	t.Parallel()
	const hs256 = `{"alg":"HS256"}`
	good := forge(hs256, payload(), tokenSecret)
	tests := []struct {
		name, token string
		reason      Reason
		description string
	}{
		{"half a token", good[:40], BadText, "Not enough segments"},
		{"a header with alg twice", forge(`{"alg":"HS256","alg":"HS256"}`, payload(), tokenSecret), BadText, "Invalid header string: 'alg' must be given only once"},
		{"alg none", forge(`{"alg":"none"}`, payload(), ""), BadAlgorithm, "The specified alg value is not allowed"},
		{"crit", forge(`{"alg":"HS256","crit":["b64"]}`, payload(), tokenSecret), BadAlgorithm, "Critical header parameters (crit) are not supported"},
		{"a key that is not ours", forge(`{"alg":"HS256","kid":"k1"}`, payload(), tokenSecret), BadSignature, "Signature verification failed: no key has this kid"},
		{"another's signature", forge(hs256, payload(), formerSecret), BadSignature, "Signature verification failed"},
		{"another's signature and out of date", forge(hs256, payload("exp", "1"), formerSecret), BadSignature, "Signature verification failed"},
		{"a claim given twice", forge(hs256, `{"sub":"x",`+payload()[1:], tokenSecret), BadTimes, "Invalid payload string: 'sub' must be given only once"},
		{"out of date", claimToken("exp", "1795356108"), Expired, "expired 3m12s ago"},
		{"valid only from later on", claimToken("nbf", "1795356492"), BadTimes, "not valid for another 3m12s (nbf)"},
		{"made in the future", claimToken("iat", "1795359900"), BadTimes, "issued 1h0m0s in the future (iat)"},
		{"made in a future that no Duration reaches", claimToken("iat", "99999999999999"), BadTimes, "issued 2562047h47m16s in the future (iat)"},
		{"without exp", claimToken("exp", ""), BadTimes, "Missing claim: exp"},
		{"of another issuer", claimToken("iss", `"joe"`), BadClaims, "Invalid claim: iss"},
		{"for another audience, without jti", claimToken("aud", `"joe"`, "jti", ""), BadClaims, "Missing claim: jti"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := judge(t, tokenRing(t), tt.token, tokenNow)
			var e *Error
			if !errors.As(err, &e) || e.Reason != tt.reason || e.Description() != tt.description {
				t.Errorf("verify = %#v; want reason %d, %q", err, tt.reason, tt.description)
			}
		})
	}
}

// A public key is no secret: who signs with it by HMAC must not get in, not even
// where HS256 is in use beside it.
func TestVerifyAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	ed := EdDSAKey([]byte(tokenSecret[:32]))
	public := string(ed.verifying.(ed25519.PublicKey))
	withKid := fmt.Sprintf(`{"alg":"HS256","kid":%q}`, ed.ID)
	rings := map[string]*Keyring{
		"EdDSA alone":             NewKeyring(ed),
		"EdDSA with HS256 beside": NewKeyring(ed, HS256Key([]byte(tokenSecret))),
		"HS256 with EdDSA beside": NewKeyring(HS256Key([]byte(tokenSecret)), ed),
	}
	for name, ring := range rings {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := judge(t, ring, forge(withKid, payload(), public), tokenNow)
			wantRefusal(t, "verify", err, BadAlgorithm, "The specified alg value is not allowed")
			if _, err := ring.Verify(forge(`{"alg":"HS256"}`, payload(), public), tokenNow); err == nil {
				t.Error("a token signed with the public key was accepted")
			}
			if _, err := ring.Verify(signToken(t, NewKeyring(ed), tokenClaims), tokenNow); err != nil {
				t.Errorf("a token signed with the private key: %v", err)
			}
		})
	}
}

func TestVerifyRetiredKey(t *testing.T) {
	t.Parallel()
	former := HS256Key([]byte(formerSecret))
	former.Until = tokenNow
	token := signToken(t, NewKeyring(former), tokenClaims)
	ring := NewKeyring(HS256Key([]byte(tokenSecret)), former)
	if _, err := ring.Verify(token, tokenNow.Add(-time.Second)); err != nil {
		t.Errorf("before its time is over: %v", err)
	}
	_, err := ring.Verify(token, tokenNow)
	wantRefusal(t, "verify once its time is over", err, BadSignature, "Signature verification failed")
}

// A Cache says of a token that it has verified before what a Keyring says of it: the
// token may have expired since, its key may have ended.
func TestCacheAgain(t *testing.T) {
	t.Parallel()
	retired := *HS256Key([]byte(tokenSecret))
	retired.Until = tokenClaims.ExpiresAt.Add(-time.Minute)
	keys := []*Key{HS256Key([]byte(formerSecret)), &retired}
	token := signToken(t, NewKeyring(&retired), tokenClaims)
	cache := NewCache(NewKeyring(keys...))
	if _, err := cache.Verify(token, tokenNow); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		text string
		at   time.Time
		want string
	}{
		{"it is good again", token, tokenNow, "<nil>"},
		{"it is good at its first moment", token, tokenClaims.IssuedAt.Time, "<nil>"},
		{"the clock was put back by five seconds", token, tokenClaims.IssuedAt.Add(-5 * time.Second), "<nil>"},
		{"the clock was put back by six", token, tokenClaims.IssuedAt.Add(-6 * time.Second), "issued 6s in the future (iat)"},
		{"its key has ended", token, retired.Until, "Signature verification failed: no key has this kid"},
		{"both have ended", token, tokenClaims.ExpiresAt.Time, "Signature verification failed: no key has this kid"},
		{"one letter of it is another", nextLetter(token[:len(token)-1]) + token[len(token)-1:], tokenNow, "Signature verification failed"},
		{"it is good still", token, tokenNow, "<nil>"},
	} {
		claims, err := cache.Verify(tt.text, tt.at)
		first, firstErr := NewKeyring(keys...).Verify(tt.text, tt.at)
		if fmt.Sprint(err) != tt.want || fmt.Sprint(firstErr) != tt.want || !reflect.DeepEqual(claims, first) {
			t.Errorf("%s: %+v, %v; and at first %+v, %v; want %s", tt.name, claims, err, first, firstErr, tt.want)
		}
	}
	other := NewCache(NewKeyring(keys[0]))
	if _, err := other.Verify(token, tokenNow); err == nil {
		t.Error("a ring without its key takes it")
	}
	forged := signToken(t, NewKeyring(HS256Key([]byte("a secret of another server, of more than thirty-two bytes"))), tokenClaims)
	place, hash := cache.place(forged)
	place.Store(&verifiedToken{token, hash, &retired, cache.keys.Ring(), &tokenClaims})
	if _, err := cache.Verify(forged, tokenNow); err == nil {
		t.Error("another token with the same hash passes for it")
	}
}

// Each time of a remembered token is judged by itself.
func TestCacheJudgesEachTime(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		token string
		at    time.Time
		want  Reason
	}{
		"the token has expired":           {claimToken(), tokenClaims.ExpiresAt.Time, Expired},
		"the clock went back before nbf":  {claimToken("iat", ""), tokenClaims.NotBefore.Add(-6 * time.Second), BadTimes},
		"the clock went back before iat":  {claimToken("nbf", ""), tokenClaims.IssuedAt.Add(-6 * time.Second), BadTimes},
		"it has neither, and has expired": {claimToken("iat", "", "nbf", ""), tokenClaims.ExpiresAt.Time, Expired},
	} {
		cache := NewCache(tokenRing(t))
		if _, err := cache.Verify(tt.token, tokenNow); err != nil {
			t.Fatalf("%s: at first %v", name, err)
		}
		_, err := cache.Verify(tt.token, tt.at)
		if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != tt.want {
			t.Errorf("%s: %v; want reason %d", name, err, tt.want)
		}
	}
}

// A Cache remembers short tokens that are good, in a table that doesn't grow.
func TestCacheIsSmall(t *testing.T) {
	t.Parallel()
	cache := NewCache(tokenRing(t))
	remembered := func(token string) bool {
		cache.Verify(token, tokenNow)
		place, _ := cache.place(token)
		v := place.Load()
		return v != nil && v.text == token
	}
	for name, tt := range map[string]struct {
		token string
		want  bool
	}{
		"a good one":                 {claimToken(), true},
		"one with a wrong signature": {claimToken() + "x", false},
		"an expired one":             {claimToken("exp", "1"), false},
		"one with bad claims":        {claimToken("type", `"other"`), false},
		"a long one":                 {claimToken("x", fmt.Sprintf("%q", strings.Repeat("x", maxRemembered))), false},
	} {
		if got := remembered(tt.token); got != tt.want {
			t.Errorf("%s: remembered is %t; want %t", name, got, tt.want)
		}
	}
	for i := range 2 * len(cache.places) {
		if token := claimToken("n", fmt.Sprint(i)); !remembered(token) {
			t.Fatalf("token %d is not remembered", i)
		}
	}
}

func TestBearer(t *testing.T) {
	t.Parallel()
	const (
		noBearer = "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"
		bad      = "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"
	)
	tests := []struct {
		name    string
		lines   []string
		token   string
		reason  Reason
		message string // "" for success
	}{
		{"no header", nil, "", Missing, "Missing Authorization Header"},
		{"an empty one", []string{""}, "", Missing, "Missing Authorization Header"},
		{"a blank one", []string{"  "}, "", Missing, "Missing Authorization Header"},
		{"another scheme", []string{"Basic YTpi"}, "", NotBearer, noBearer},
		{"another scheme before ours", []string{"Basic YTpi, Bearer a.b.c"}, "", NotBearer, noBearer},
		{"a bare token", []string{"a.b.c"}, "", NotBearer, noBearer},
		{"a longer word", []string{"Bearers a.b.c"}, "", NotBearer, noBearer},
		{"a tab after the scheme", []string{"Bearer\ta.b.c"}, "", NotBearer, noBearer},
		{"no token", []string{"Bearer"}, "", Empty, bad},
		{"blanks for a token", []string{"Bearer   "}, "", Empty, bad},
		{"two tokens", []string{"Bearer a.b.c d.e.f"}, "", BadHeader, bad},
		{"two tokens with a tab between", []string{"Bearer a.b.c\td.e.f"}, "", BadHeader, bad},
		{"two headers", []string{"Bearer a.b.c", "Bearer a.b.c"}, "", BadHeader, bad},
		{"two empty headers", []string{"", ""}, "", BadHeader, bad},
		{"a token", []string{"Bearer a.b.c"}, "a.b.c", 0, ""},
		{"small letters", []string{"bearer a.b.c"}, "a.b.c", 0, ""},
		{"capitals", []string{"BEARER a.b.c"}, "a.b.c", 0, ""},
		{"several blanks", []string{" Bearer   a.b.c "}, "a.b.c", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			what := fmt.Sprintf("Bearer(%q)", tt.lines)
			token, err := Bearer(tt.lines)
			if tt.message != "" {
				wantRefusal(t, what, err, tt.reason, tt.message)
				return
			}
			if token != tt.token || err != nil {
				t.Errorf("%s = %q, %v; want %q", what, token, err, tt.token)
			}
		})
	}
}

func TestNewUUID(t *testing.T) {
	t.Parallel()
	v4 := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for range 1000 {
		id := NewUUID()
		if !v4.MatchString(id) || seen[id] {
			t.Fatalf("NewUUID = %q; want a new UUID of version 4", id)
		}
		seen[id] = true
	}
}

// Whatever is accepted carries the one signature that the key gives its text, in
// the one spelling there is.
func FuzzVerify(f *testing.F) {
	ring := tokenRing(f)
	cache := NewCache(ring)
	good := signToken(f, ring, tokenClaims)
	for _, seed := range []string{good, good + "A", nextLetter(good), good + ".", "a.b.c", "..", good[:len(good)-1],
		forge(`{"alg":"HS256"}`, payload(), tokenSecret), forge(`{"alg":"HS256","crit":["b64"]}`, payload(), tokenSecret),
		forge(`{"alg":"none"}`, payload(), ""), forge(`{"alg":"HS256"}`, payload("exp", "1e400"), tokenSecret),
		forge(`{"alg":"HS256","kid":["a"]}`, `[[[[]]]]`, tokenSecret)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ring.Verify(text, tokenNow)
		for range 2 {
			if again, errAgain := cache.Verify(text, tokenNow); !reflect.DeepEqual(c, again) || !reflect.DeepEqual(err, errAgain) {
				t.Fatalf("Verify(%q) = %v, %v; of a Cache %v, %v", text, c, err, again, errAgain)
			}
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" || c != nil {
				t.Fatalf("Verify(%q) = %v, %#v; want an *Error alone", text, c, err)
			}
			return
		}
		parts := strings.Split(text, ".")
		if len(parts) != 3 {
			t.Fatalf("accepted with %d segments: %q", len(parts), text)
		}
		header, errHeader := base64.RawURLEncoding.DecodeString(parts[0])
		payload, errPayload := base64.RawURLEncoding.DecodeString(parts[1])
		signed := text == forge(string(header), string(payload), tokenSecret) || text == forge(string(header), string(payload), formerSecret)
		if errHeader != nil || errPayload != nil || !signed {
			t.Fatalf("accepted, but not signed by a key of ours: %q", text)
		}
	})
}

// The same for what a key did sign, whatever that is: nothing panics, and what
// is accepted says all that it must.
func FuzzVerifySigned(f *testing.F) {
	ring := tokenRing(f)
	f.Add(`{"alg":"HS256"}`, payload())
	f.Add(`{"alg":"HS256","kid":null}`, payload("aud", "[]"))
	f.Add(`{"alg":"HS256"}`, payload("exp", "-9223372036854775808"))
	f.Add(`{"alg":"HS256","alg":"HS256"}`, `null`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		c, err := ring.Verify(forge(header, payload, tokenSecret), tokenNow)
		if err != nil {
			return
		}
		if c.Subject == "" || c.ID == "" || c.Type != Access && c.Type != Refresh || !tokenNow.Before(c.ExpiresAt.Time) {
			t.Fatalf("accepted %s as %+v", payload, c)
		}
	})
}

func FuzzBearer(f *testing.F) {
	for _, seed := range []string{"", " ", "Bearer", "bearer  a.b.c", "Bearer a b", "Basic YTpi", "Bearer\ta", "a.b.c"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		token, err := Bearer([]string{line})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || token != "" {
				t.Fatalf("Bearer(%q) = %q, %#v; want an *Error alone", line, token, err)
			}
			return
		}
		blanks := strings.Count(line, " ")
		if token == "" || strings.ContainsAny(token, " \t") || len("Bearer")+blanks+len(token) != len(line) {
			t.Fatalf("Bearer(%q) = %q", line, token)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	ring := tokenRing(b)
	token := signToken(b, ring, tokenClaims)
	for name, v := range map[string]Verifier{"keyring": ring, "cache": NewCache(ring)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(token, tokenNow); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

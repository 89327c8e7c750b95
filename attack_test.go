package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shelf/internal/token"
)

// An attackCase is one row of the table: a sentence that says what an attacker is
// denied, the document that says so, and the proof. Where console/attacks.json
// has the attack too, its id stands for both. run attacks a, a server of its own
// with the program's own flags; a row that needs others starts another with
// newAPI(t, …).
type attackCase struct {
	name   string
	source string // "" where the name is an id
	run    func(t *testing.T, a *api)
}

// Every attack goes through ServeHTTP of the whole server: of one without a cache of
// verified tokens, and of one whose cache has each token already, if the token was
// ever good.
func TestAttack(t *testing.T) {
	t.Parallel()
	for _, row := range slices.Concat(tokenAttacks, accountAttacks, labAttacks) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.run(t, newAPI(t).withoutCache())
		})
		t.Run(row.name+", with a warm cache", func(t *testing.T) {
			t.Parallel()
			row.run(t, newAPI(t).warm())
		})
	}
}

// withoutCache is a, made to verify every token anew.
func (a *api) withoutCache() *api {
	a.uncached = true
	a.signBy(a.keys.Ring().Keys()...)
	return a
}

// warm is a, made to verify every token once before it is sent.
func (a *api) warm() *api {
	a.first = func(text string) { a.verifier.Verify(text, a.now()) }
	return a
}

// The table itself: no sentence stands twice, each says where its rule comes
// from, and none has got lost, nor any attack of console/attacks.json.
func TestAttackTable(t *testing.T) {
	t.Parallel()
	rows := slices.Concat(tokenAttacks, accountAttacks, labAttacks)
	if len(rows) < 80 {
		t.Errorf("the table has %d rows; want 80 at least", len(rows))
	}
	seen, shared := map[string]bool{}, map[string]bool{}
	for _, row := range attackRowsOf(t) {
		shared[row.ID] = true
	}
	for _, row := range rows {
		if row.name == "" || seen[row.name] {
			t.Errorf("%q stands twice, or says nothing", row.name)
		}
		if (row.source == "") != shared[row.name] || row.run == nil {
			t.Errorf("%q has no source, or two, or no proof", row.name)
		}
		seen[row.name] = true
	}
	for id := range shared {
		if !seen[id] {
			t.Errorf("%s is in console/attacks.json, but not here", id)
		}
	}
}

// What the server says to tokens.
const (
	badAlgorithm = "The specified alg value is not allowed"
	badSignature = "Signature verification failed"
	badPayload   = "Invalid payload string: must be a json object"
	badParts     = "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"
	revoked      = "Token has been revoked"
	userGone     = "User not found"
)

const hs256 = `{"alg":"HS256","typ":"JWT"}`

// tokenAttacks are the rows about tokens and the life of a session. Where a row
// forges with the server's own secret, that secret is taken to be stolen, or
// shared with another program: the signature is good and the rest is wrong.
var tokenAttacks = []attackCase{
	// The algorithm.
	{"alg-none", "",
		refused(422, badAlgorithm, unsigned(`{"alg":"none","typ":"JWT"}`))},
	{"alg-none-respelt", "",
		refused(422, badAlgorithm, unsigned(`{"alg":"None"}`), unsigned(`{"alg":"NONE"}`), unsigned(`{"alg":"nOnE"}`), unsigned(`{"alg":" none"}`))},
	{"alg none is refused with a good signature behind it", "RFC 8725 §3.1",
		refused(422, badAlgorithm, headed(`{"alg":"none"}`))},
	{"a token without alg is refused", "RFC 7515 §4.1.1",
		refused(422, badAlgorithm, headed(`{"typ":"JWT"}`), headed(`{"alg":null}`), headed(`{"alg":""}`), headed(`{}`))},
	{"an alg in small letters is no alg of ours", "RFC 7515 §4.1.1",
		refused(422, badAlgorithm, headed(`{"alg":"hs256"}`), headed(`{"ALG":"HS256"}`))},
	{"an alg that is a list with ours in it is refused", "RFC 7515 §4.1.1",
		refused(422, badAlgorithm, headed(`{"alg":["HS256"]}`), headed(`{"alg":{"0":"HS256"}}`))},
	{"our own secret by another HMAC is refused", "RFC 8725 §3.1",
		refused(422, badAlgorithm, func(a *api) string {
			return forgeWith(sha512.New, `{"alg":"HS512"}`, a.annsClaims(), tokenSecret)
		}, func(a *api) string {
			return forgeWith(sha512.New384, `{"alg":"HS384"}`, a.annsClaims(), tokenSecret)
		})},
	{"alg-swapped", "",
		refused(422, badAlgorithm, headed(`{"alg":"RS256"}`), headed(`{"alg":"PS256"}`), headed(`{"alg":"ES256"}`), headed(`{"alg":"EdDSA"}`), headed(`{"alg":"Ed25519"}`))},
	{"an EdDSA token is refused where HS256 is in use", "RFC 8725 §3.1",
		refused(422, badAlgorithm, func(a *api) string {
			return sealEd(`{"alg":"EdDSA"}`, a.annsClaims(), evesKey)
		}, func(a *api) string { // with the secret for a seed, and with its own kid
			return sealEd(headerWithKid("EdDSA", a.keys.Ring().Keys()[0].ID), a.annsClaims(), ed25519.NewKeyFromSeed([]byte(tokenSecret[:32])))
		})},
	{"an HS256 token signed with the public Ed25519 key is refused", "RFC 8725 §2.1",
		func(t *testing.T, a *api) {
			public := a.signByEdDSA()
			x, err := base64.RawURLEncoding.DecodeString(public.Public)
			if err != nil {
				t.Fatal(err)
			}
			a.refuses(forge(hs256, a.annsClaims(), string(x)), 422, badAlgorithm)
			a.refuses(forge(headerWithKid("HS256", public.ID), a.annsClaims(), string(x)), 422, badAlgorithm)
		}},
	{"an HS256 token signed with the public key as it is written in a file is refused", "RFC 8725 §2.1",
		func(t *testing.T, a *api) {
			public := a.signByEdDSA()
			der, err := x509.MarshalPKIXPublicKey(ed25519.NewKeyFromSeed([]byte(tokenSecret[:32])).Public())
			if err != nil {
				t.Fatal(err)
			}
			set, err := json.Marshal(token.JWKSet{Keys: []token.JWK{public}})
			if err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{
				public.Public, string(der), string(set),
				string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			} {
				a.refuses(forge(headerWithKid("HS256", public.ID), a.annsClaims(), secret), 422, badAlgorithm)
			}
		}},
	{"the public Ed25519 key is no secret even where HS256 is in use beside it", "RFC 8725 §3.1",
		func(t *testing.T, a *api) {
			ed, private := token.EdDSAKey([]byte(formerSecret[:32])), ed25519.NewKeyFromSeed([]byte(formerSecret[:32]))
			a.signBy(token.HS256Key([]byte(tokenSecret)), ed)
			public := string(private.Public().(ed25519.PublicKey))
			a.opens(sealEd(headerWithKid("EdDSA", ed.ID), a.annsClaims(), private))
			a.refuses(forge(headerWithKid("HS256", ed.ID), a.annsClaims(), public), 422, badAlgorithm)
			a.refuses(forge(hs256, a.annsClaims(), public), 422, badSignature)
		}},

	// The signature.
	{"signature-missing", "",
		refused(422, badSignature, altered(func(header, payload, _ string) string { return header + "." + payload + "." }))},
	{"a token of two parts is refused", "RFC 7515 §3.1",
		refused(422, "Not enough segments", altered(func(header, payload, _ string) string { return header + "." + payload }))},
	{"half a signature is refused", "RFC 7515 §5.2",
		refused(422, badSignature, altered(func(header, payload, signature string) string { return header + "." + payload + "." + signature[:20] }))},
	{"a signature of zeros is refused", "CVE-2022-21449; CWE-347",
		refused(422, badSignature, altered(func(header, payload, _ string) string {
			return header + "." + payload + "." + b64(string(make([]byte, sha256.Size)))
		}))},
	{"an Ed25519 signature of zeros is refused", "CVE-2022-21449; CWE-347",
		func(t *testing.T, a *api) {
			a.signByEdDSA()
			header, rest, _ := strings.Cut(a.session("ann").Access, ".")
			payload, _, _ := strings.Cut(rest, ".")
			a.refuses(header+"."+payload+"."+b64(string(make([]byte, ed25519.SignatureSize))), 422, badSignature)
		}},
	{"an Ed25519 signature has no second form", "RFC 8032 §5.1.7",
		func(t *testing.T, a *api) {
			a.signByEdDSA()
			text := a.session("ann").Access
			a.opens(text)
			dot := strings.LastIndex(text, ".")
			signature, err := base64.RawURLEncoding.DecodeString(text[dot+1:])
			if err != nil {
				t.Fatal(err)
			}
			a.refuses(text[:dot+1]+b64(string(addGroupOrder(signature))), 422, badSignature)
		}},
	{"a payload that was edited is refused", "RFC 7515 §5.2",
		refused(422, badSignature, altered(func(header, _, signature string) string {
			return header + "." + b64(payload("admin", "true")) + "." + signature
		}), altered(func(header, payload, signature string) string {
			return header + "." + nextLetter(payload[:41]) + payload[41:] + "." + signature
		}))},
	{"payload-edited", "",
		func(t *testing.T, a *api) {
			header, rest, _ := strings.Cut(a.session("ann").Access, ".")
			_, signature, _ := strings.Cut(rest, ".")
			a.clock.advance(time.Hour)
			a.refuses(header+"."+b64(payload("exp", "1999999999"))+"."+signature, 422, badSignature)
		}},
	{"signature-changed", "",
		refused(422, badSignature, altered(func(header, payload, signature string) string {
			return header + "." + payload + "." + nextLetter(signature[:1]) + signature[1:]
		}), altered(func(header, payload, signature string) string {
			return header + "." + payload + "." + signature[:20] + nextLetter(signature[20:21]) + signature[21:]
		}))},
	{"a header that was edited is refused", "RFC 7515 §5.2",
		refused(422, badSignature, altered(func(_, payload, signature string) string {
			return b64(hs256+" ") + "." + payload + "." + signature
		}))},
	{"the signature of another token is refused", "RFC 7515 §5.2",
		refused(422, badSignature, func(a *api) string {
			ann, bob := a.session("ann").Access, a.session("bob").Access
			return ann[:strings.LastIndex(ann, ".")] + bob[strings.LastIndex(bob, "."):]
		})},

	// The key.
	{"another's secret opens nothing", "RFC 8725 §3.3",
		refused(422, badSignature, signedWith("a secret of somebody else, of more than thirty-two bytes"))},
	{"an empty secret opens nothing", "RFC 8725 §2.2",
		refused(422, badSignature, signedWith(""), signedWith("\x00"))},
	{"other-key", "",
		refused(422, badSignature, signedWith("secret"), signedWith("your-256-bit-secret"), signedWith("Th1s1ss3cr3t"), signedWith("jwt-secret-string"), signedWith("null"))},
	{"kid-elsewhere", "",
		refused(422, badSignature, withKid(`"../../../../../../dev/null"`, ""), withKid(`"/dev/null"`, "\x00"), withKid(`"file:///dev/null"`, ""))},
	{"a kid that is SQL brings no key of its own", "RFC 8725 §3.10; CWE-89",
		refused(422, badSignature, withKid(`"x'UNION/**/SELECT/**/'eve'--"`, "eve"))},
	{"a kid that is an address is not fetched", "RFC 8725 §2.9; CWE-918",
		fetchesNothing(func(url string) string { return fmt.Sprintf(`{"alg":"HS256","kid":%q}`, url) })},
	{"a kid that is no string is refused", "RFC 7515 §4.1.4",
		func(t *testing.T, a *api) {
			ours := a.keys.Ring().Keys()[0].ID
			for _, kid := range []string{fmt.Sprintf("[%q]", ours), fmt.Sprintf("{%q:1}", ours), "0", "null", "true"} {
				a.refuses(withKid(kid, tokenSecret)(a), 422, "Key ID header parameter must be a string")
			}
		}},
	{"a kid that no key has is refused, though our own secret signed", "RFC 8725 §3.10",
		refused(422, badSignature, withKid(`"k1"`, tokenSecret), withKid(`""`, tokenSecret))},
	{"a kid with anything added is another kid", "RFC 7515 §4.1.4",
		refused(422, badSignature, func(a *api) string {
			return forge(headerWithKid("HS256", " "+a.keys.Ring().Keys()[0].ID), a.annsClaims(), tokenSecret)
		}, func(a *api) string {
			return forge(headerWithKid("HS256", a.keys.Ring().Keys()[0].ID+"\x00"), a.annsClaims(), tokenSecret)
		})},
	{"a kid that names another key of ours does not vouch for this one", "RFC 7515 §4.1.4",
		refused(422, badSignature, func(a *api) string {
			return forge(headerWithKid("HS256", a.keys.Ring().Keys()[1].ID), a.annsClaims(), tokenSecret)
		}, func(a *api) string {
			return forge(headerWithKid("HS256", a.keys.Ring().Keys()[0].ID), a.annsClaims(), formerSecret)
		})},
	{"a former secret is not tried for a token without kid", "RFC 7515 §6",
		refused(422, badSignature, signedWith(formerSecret))},
	{"a token signed with a secret that was rotated out is refused", "CWE-324",
		func(t *testing.T, a *api) {
			text := a.session("ann").Access
			a.opens(text)
			former := a.keys.Ring().Keys()[0]
			a.signBy(token.HS256Key([]byte("the secret after that one, which now signs alone")), former)
			a.opens(text) // as long as it is a fallback
			a.signBy(a.keys.Ring().Keys()[0])
			a.refuses(text, 422, badSignature)
		}},
	{"a retired key verifies until its time is over", "CWE-324",
		func(t *testing.T, a *api) {
			text := a.session("ann").Access
			former := *a.keys.Ring().Keys()[0]
			former.Until = tokenNow.Add(time.Minute)
			a.signBy(token.HS256Key([]byte("the secret after that one, which now signs alone")), &former)
			a.opens(text)
			a.clock.advance(time.Minute)
			a.refuses(text, 422, badSignature)
		}},

	// Keys that a token brings along.
	{"a jku is not fetched", "RFC 8725 §3.10; CWE-918",
		fetchesNothing(func(url string) string { return fmt.Sprintf(`{"alg":"HS256","jku":%q}`, url) })},
	{"an x5u is not fetched", "RFC 8725 §3.10; CWE-918",
		fetchesNothing(func(url string) string { return fmt.Sprintf(`{"alg":"HS256","x5u":%q}`, url) })},
	{"jwk-embedded", "",
		brings(func(key token.JWK, _ string) string {
			text, _ := json.Marshal(key)
			return fmt.Sprintf(`"jwk":%s`, text)
		})},
	{"a certificate in the header is not trusted", "RFC 7515 §4.1.6; CWE-347",
		brings(func(_ token.JWK, der string) string { return fmt.Sprintf(`"x5c":[%q],"x5t":"x"`, der) })},

	// What the header asks for.
	{"crit-unknown", "",
		refused(422, "Critical header parameters (crit) are not supported",
			headed(`{"alg":"HS256","crit":["eve"],"eve":1}`), headed(`{"alg":"HS256","crit":["b64"],"b64":true}`),
			headed(`{"alg":"HS256","crit":["exp"],"exp":1}`))},
	{"a crit that is not as it should be is refused", "RFC 7515 §4.1.11",
		refused(422, "Critical header parameters (crit) are not supported",
			headed(`{"alg":"HS256","crit":[]}`), headed(`{"alg":"HS256","crit":null}`), headed(`{"alg":"HS256","crit":"alg"}`))},
	{"a payload that is not encoded is refused", "RFC 7797 §6",
		refused(422, "Invalid payload padding", func(a *api) string {
			return seal(sha256.New, b64(`{"alg":"HS256","b64":false}`)+"."+a.annsClaims(), tokenSecret)
		})},
	{"a token in a token is not unpacked", "RFC 8725 §3.3",
		refused(422, badPayload, func(a *api) string {
			return forge(`{"alg":"HS256","cty":"JWT"}`, unsigned(`{"alg":"none"}`)(a), tokenSecret)
		}, func(a *api) string {
			return forge(`{"alg":"HS256","cty":"JWT"}`, fmt.Sprintf("%q", a.session("ann").Access), tokenSecret)
		})},

	// The form.
	{"a token of five parts, which is a JWE, is refused", "RFC 7515 §9",
		refused(422, "Invalid payload padding", func(*api) string {
			return strings.Join([]string{b64(`{"alg":"dir","enc":"A256GCM"}`), "", b64("twelve bytes"), b64("text"), b64("sixteen bytes...")}, ".")
		}, altered(func(header, payload, signature string) string {
			return header + "." + payload + "." + signature + ".."
		}))},
	{"a token in JSON is refused", "RFC 7519 §1",
		refused(422, "Not enough segments", altered(func(header, payload, signature string) string {
			return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, header, payload, signature)
		}))},
	{"a payload that travels elsewhere is refused", "RFC 7515 §5.2",
		refused(422, badSignature, altered(func(header, _, signature string) string { return header + ".." + signature }))},
	{"signature-respelt", "",
		refused(422, badSignature, spelt(nextLetter), func(a *api) string {
			payload := a.annsClaims()
			for len(payload)%3 == 0 { // no bit of it would be idle
				payload += " "
			}
			return seal(sha256.New, b64(hs256)+"."+nextLetter(b64(payload)), tokenSecret)
		})},
	{"a token has one spelling: no padding", "RFC 7515 §2",
		refused(422, "Invalid crypto padding", spelt(func(text string) string { return text + "=" }))},
	{"a token has one spelling: no line breaks", "RFC 7515 §2",
		refused(422, "The token has a line break in it",
			spelt(func(text string) string { return text[:20] + "\n" + text[20:] }),
			spelt(func(text string) string { return text[:len(text)-5] + "\r\n" + text[len(text)-5:] }))},
	{"a token has one spelling: the other alphabet of base64 is not read", "RFC 7515 §2",
		refused(422, "Invalid crypto padding", func(a *api) string {
			text := ""
			for n := 0; !strings.ContainsAny(text, "-_"); n++ {
				text = forge(hs256, a.annsClaims("n", fmt.Sprint(n)), tokenSecret)
			}
			dot := strings.LastIndex(text, ".")
			return text[:dot] + strings.NewReplacer("-", "+", "_", "/").Replace(text[dot:])
		})},
	{"over-long", "",
		refused(422, "The token is longer than 8 KiB", saying("x", fmt.Sprintf("%q", strings.Repeat("x", 8<<10))))},
	{"thousands of dots are refused", "CVE-2025-30204; CWE-405",
		func(t *testing.T, a *api) {
			a.refuses(strings.Repeat(".", 10_000), 422, "The token is longer than 8 KiB")
			a.refuses(strings.Repeat(".", 8<<10), 422, "Invalid header string: must be a json object")
			a.refuses(a.session("ann").Access+strings.Repeat(".", 5000), 422, "Invalid payload padding")
		}},
	{"a payload of lists in lists ends nothing but itself", "CWE-674",
		refused(422, badPayload, func(*api) string { return forge(hs256, strings.Repeat("[", 5000), tokenSecret) },
			func(*api) string {
				return forge(hs256, strings.Repeat("[", 2500)+strings.Repeat("]", 2500), tokenSecret)
			})},
	{"a payload that is no object is refused", "RFC 7519 §7.2",
		refused(422, badPayload, paying("null"), paying("1"), paying(`"sub"`), paying(`[{"sub":"ann"}]`), paying(""))},
	{"a payload that is not in UTF-8 is refused", "RFC 8725 §3.7",
		refused(422, badPayload, func(a *api) string {
			var utf16 []byte
			for _, c := range []byte(a.annsClaims()) {
				utf16 = append(utf16, 0, c)
			}
			return forge(hs256, string(utf16), tokenSecret)
		}, saying("x", "\"\xff\""))},
	{"duplicate-claims", "",
		refused(422, badSignature, func(a *api) string {
			header, rest, _ := strings.Cut(a.session("ann").Access, ".")
			_, signature, _ := strings.Cut(rest, ".")
			return header + "." + b64(strings.TrimSuffix(a.annsClaims(), "}")+`,"sub":`+a.claim("bob", "sub")+"}") + "." + signature
		})},
	{"a claim that is given twice is refused, though our own secret signed", "RFC 7519 §4",
		refused(422, badPayload, func(a *api) string {
			return forge(hs256, `{"exp":1999999999,`+a.annsClaims()[1:], tokenSecret)
		}, func(a *api) string {
			return forge(hs256, strings.TrimSuffix(a.annsClaims(), "}")+`,"sub":"eve"}`, tokenSecret)
		})},
	{"a claim that is given twice, once in escapes, is refused", "RFC 7519 §4",
		refused(422, badPayload, func(a *api) string {
			return forge(hs256, `{"s\u0075b":"eve",`+a.annsClaims()[1:], tokenSecret)
		})},
	{"a header parameter that is given twice is refused", "RFC 7515 §4",
		refused(422, "Invalid header string: must be a json object",
			headed(`{"alg":"none","alg":"HS256"}`), headed(`{"alg":"HS256","kid":"a","kid":"b"}`), headed(`{"alg":"HS256","\u0061lg":"HS256"}`))},
	{"a claim in other letters does not stand in for it", "RFC 7519 §10.1.1; CWE-178",
		func(t *testing.T, a *api) {
			a.refuses(saying("exp", "", "EXP", "1999999999")(a), 422, "Missing claim: exp")
			a.refuses(saying("sub", "", "public_id", "", "Sub", `"eve"`)(a), 422, "Missing claim: sub")
			a.refuses(saying("jti", "", "JTI", `"eve"`)(a), 422, "Missing claim: jti")
			a.refuses(saying("type", "", "Type", `"access"`)(a), 422, "Missing claim: type")
		}},

	// The times.
	{"a token without exp is refused", "RFC 7519 §4.1.4", refused(422, "Missing claim: exp", saying("exp", ""))},
	{"an exp that is a string is refused", "RFC 7519 §2", refused(422, badExp, saying("exp", `"1999999999"`), saying("exp", "null"), saying("exp", "true"))},
	{"an exp with a fraction is refused", "CWE-1287", refused(422, badExp, saying("exp", "1999999999.5"), saying("exp", "2e9"))},
	{"an exp that overflows is refused", "CWE-190",
		refused(422, badExp, saying("exp", "9223372036854775807"), saying("exp", "18446744073709551616"), saying("exp", "1e400"), saying("exp", "-9223372036854775809"))},
	{"an exp of long ago is refused, however long", "RFC 7519 §4.1.4",
		refused(401, "Token has expired", saying("exp", "1"), saying("exp", "0"), saying("exp", "-1"), saying("exp", "-1999999999"))},
	{"a token is refused in the very second that it ends in", "RFC 7519 §4.1.4",
		refused(401, "Token has expired", saying("exp", "1795356300"))},
	{"a token is refused before its nbf", "RFC 7519 §4.1.5",
		refused(422, "The token is not yet valid (nbf)", saying("nbf", "1795356306"))},
	{"not-yet-valid", "",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			a.clock.advance(-6 * time.Second)
			a.refuses(ann.Access, 422, "The token is not yet valid (iat)")
			a.clock.advance(6 * time.Second)
			a.opens(ann.Access)
		}},
	{"a token that will be issued later is refused", "PyJWT; RFC 7519 §4.1.6 leaves it open",
		refused(422, "The token is not yet valid (iat)", saying("iat", "1795356306"))},
	{"an exp that was forged does not outlive the record of the token", "CWE-613",
		func(t *testing.T, a *api) {
			forged := saying("exp", "1999999999")(a)
			a.opens(forged) // until the token that it is made of ends
			a.clock.advance(a.config.accessTTL)
			a.refuses(forged, 401, revoked)
		}},

	// What else it says.
	{"a token for another audience is refused", "RFC 7519 §4.1.3",
		refused(422, "Invalid claim: aud", saying("aud", `"bookshop"`), saying("aud", `["bookshop"]`), saying("aud", "null"), saying("aud", "[]"))},
	{"a token of another issuer is refused", "RFC 8725 §3.8",
		refused(422, "Invalid claim: iss", saying("iss", `"bookshop"`), saying("iss", `"shelf "`), saying("iss", `["shelf"]`), saying("iss", "null"))},
	{"a token without jti is refused", "RFC 7519 §4.1.7", refused(422, "Missing claim: jti", saying("jti", ""))},
	{"a token without type is refused", "RFC 8725 §3.12", refused(422, "Missing claim: type", saying("type", ""))},
	{"a type that is neither of ours is refused", "RFC 8725 §3.12",
		refused(422, "Invalid claim: type", saying("type", `"id"`), saying("type", `"Access"`), saying("type", `["access"]`), saying("type", "null"))},
	{"a sub that is no string is refused", "RFC 7519 §4.1.2",
		refused(422, "Invalid claim: sub", saying("sub", "1", "public_id", "1"), saying("sub", "null"), saying("sub", `[""]`), saying("sub", `{"$ne":null}`), saying("sub", `""`))},
	{"a jti that is no string is refused", "RFC 7519 §4.1.7",
		refused(422, "Invalid claim: jti", saying("jti", "1"), saying("jti", "null"), saying("jti", `{"$ne":""}`), saying("jti", `""`))},
	{"a public_id that is another's is refused", "RFC 8725 §3.8",
		refused(422, "Invalid claim: public_id", saying("public_id", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`), saying("public_id", "null"))},
	{"a sub that is a user's id, name or e-mail finds no user", "RFC 8725 §3.8",
		refused(401, userGone, saying("sub", `"1"`, "public_id", ""), saying("sub", `"ann"`, "public_id", ""), saying("sub", `"ann@example.com"`, "public_id", ""))},
	{"a stolen secret alone opens nothing: the server has no record of the token", "RFC 7519 §4.1.7",
		refused(401, revoked, saying("jti", `"7c9e6679-7425-40de-944b-e07fc1f90ae7"`))},
	{"a token with the sub of another user is refused", "RFC 8725 §3.8; CWE-639",
		refused(401, revoked, func(a *api) string { return saying("sub", a.claim("bob", "sub"), "public_id", "")(a) })},
	{"a token with the jti of another user's token is refused", "RFC 8725 §3.8; CWE-639",
		refused(401, revoked, func(a *api) string { return saying("jti", a.claim("bob", "jti"))(a) })},
	{"a claim that says admin makes no admin", "CWE-269",
		func(t *testing.T, a *api) {
			text := saying("admin", "true", "role", `"admin"`, "is_admin", "1")(a)
			a.opens(text)
			a.as("").bearing(text).send("GET /api/v1/users").want(403, "Only admins can access this endpoint")
		}},
	{"a token of another shelf with the same SECRET_KEY is refused", "RFC 8725 §2.7",
		func(t *testing.T, a *api) {
			other := newAPI(t)
			text := other.session("ann").Access
			other.opens(text)
			a.session("ann") // has the same e-mail, id and password
			a.refuses(text, 401, userGone)
		}},

	// The two types.
	{"refresh-as-access", "",
		func(t *testing.T, a *api) {
			a.refuses(a.session("ann").Refresh, 422, "Only non-refresh tokens are allowed")
		}},
	{"a refresh token opens nothing of its account", "RFC 8725 §3.12",
		func(t *testing.T, a *api) {
			c := a.as("").bearing(a.session("ann").Refresh)
			for _, request := range []string{
				"GET /api/v1/auth/me", "GET /api/v1/auth/tokens", "PUT /api/v1/auth/tokens/1", "POST /api/v1/auth/password",
				"DELETE /api/v1/auth/sessions", "DELETE /api/v1/auth/me", "GET /api/v1/events", "GET /api/v1/users",
			} {
				c.send(request).want(422, "Only non-refresh tokens are allowed")
			}
		}},
	{"access-as-refresh", "",
		func(t *testing.T, a *api) {
			a.as("ann").send("POST /api/v1/auth/refresh").want(422, "Only refresh tokens are allowed")
		}},
	{"type-edited", "",
		func(t *testing.T, a *api) {
			parts := strings.Split(a.session("ann").Refresh, ".")
			text, err := base64.RawURLEncoding.DecodeString(parts[1])
			if err != nil {
				t.Fatal(err)
			}
			text = bytes.Replace(text, []byte(`"type":"refresh"`), []byte(`"type":"access"`), 1)
			a.refuses(parts[0]+"."+b64(string(text))+"."+parts[2], 422, badSignature)
		}},
	{"a refresh token that calls itself an access token is refused, though our own secret signed", "RFC 8725 §3.12",
		func(t *testing.T, a *api) {
			c, err := a.keys.Verify(a.session("ann").Refresh, a.now())
			if err != nil {
				t.Fatal(err)
			}
			a.refuses(saying("jti", fmt.Sprintf("%q", c.ID))(a), 401, revoked)
		}},
	{"an access token that calls itself a refresh token is refused", "RFC 8725 §3.12",
		func(t *testing.T, a *api) {
			a.as("").bearing(saying("type", `"refresh"`)(a)).send("POST /api/v1/auth/refresh").want(401, revoked)
		}},

	// Where tokens are read.
	{"token-in-query", "",
		func(t *testing.T, a *api) {
			for _, name := range []string{"access_token", "token", "jwt", "x-access-token", "Authorization"} {
				query := "?" + url.Values{name: {a.session("ann").Access}}.Encode()
				a.as("").send("GET /api/v1/items"+query).want(401, missingHeader)
				a.as("").send("GET /bookapi/books"+query).want(401, missingToken)
			}
		}},
	{"token-in-cookie", "",
		func(t *testing.T, a *api) {
			for _, name := range []string{"access_token", "access_token_cookie", "token", "Authorization", "x-access-token"} {
				c := a.as("").with("Cookie", name+"="+a.session("ann").Access)
				c.send("GET /api/v1/items").want(401, missingHeader)
				c.send("GET /bookapi/books").want(401, missingToken)
			}
		}},
	{"a token in the body is not read", "RFC 6750 §2.2",
		func(t *testing.T, a *api) {
			in := asForm("access_token", a.session("ann").Access, "title", "Dune", "author", "Herbert")
			a.as("").send("POST /api/v1/items", in).want(401, missingHeader)
			a.as("").send("POST /bookapi/books", in).want(401, missingToken)
		}},
	{"a token as a Basic password is not read", "RFC 6750 §2.1",
		func(t *testing.T, a *api) {
			text := a.session("ann").Access
			a.as("").with("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("ann:"+text))).
				send("GET /api/v1/items").want(401, noBearer)
			for _, scheme := range []string{"Basic", "JWT", "Token", "Digest", "BearerX"} {
				a.as("").with("Authorization", scheme+" "+text).send("GET /api/v1/items").want(401, noBearer)
			}
		}},
	{"two-headers", "",
		func(t *testing.T, a *api) {
			good, bad := "Bearer "+a.session("ann").Access, "Bearer "+unsigned(`{"alg":"none"}`)(a)
			for _, lines := range [][2]string{{good, bad}, {bad, good}, {good, good}, {good, ""}, {"", good}, {good, "Basic YTpi"}} {
				a.as("").with("Authorization", lines[0]).with("Authorization", lines[1]).
					send("GET /api/v1/items").want(422, badParts)
			}
		}},
	{"of two tokens joined by a comma neither is read", "RFC 9110 §5.3; CWE-436",
		func(t *testing.T, a *api) {
			text := a.session("ann").Access
			a.as("").with("Authorization", "Bearer "+text+", Bearer "+text).send("GET /api/v1/items").want(422, badParts)
			a.as("").with("Authorization", "Bearer "+text+","+text).send("GET /api/v1/items").want(422, "Invalid payload padding")
			a.as("").with("X-Access-Token", text+", "+text).send("GET /bookapi/books").want(401, "Invalid token!")
		}},
	{"of two x-access-token lines neither is read", "RFC 9110 §5.3; CWE-436",
		func(t *testing.T, a *api) {
			good, bad := a.session("ann").Access, unsigned(`{"alg":"none"}`)(a)
			for _, lines := range [][2]string{{good, bad}, {bad, good}, {good, good}, {good, ""}, {"", good}} {
				a.as("").with("X-Access-Token", lines[0]).with("X-Access-Token", lines[1]).
					send("GET /bookapi/books").want(401, "Invalid token!")
			}
		}},
	{"an x-access-token does not open the catalog", "CWE-436",
		func(t *testing.T, a *api) {
			c := a.as("").with("X-Access-Token", a.session("ann").Access)
			c.send("GET /bookapi/books").want(200, "")
			c.send("GET /api/v1/items").want(401, missingHeader)
			c.with("Authorization", "Bearer x").send("GET /api/v1/items").want(422, "Not enough segments")
		}},
	{"a bearer token does not open the books", "CWE-436",
		func(t *testing.T, a *api) {
			a.as("ann").send("GET /bookapi/books").want(401, missingToken)
			a.as("ann").with("X-Access-Token", "x").send("GET /bookapi/books").want(401, "Invalid token!")
		}},
	{"a token in a proxy's header is not read", "RFC 9110 §11.7.2",
		func(t *testing.T, a *api) {
			for _, name := range []string{"Proxy-Authorization", "X-Forwarded-Authorization", "X-Authorization", "X-Forwarded-User", "Authentication"} {
				a.as("").with(name, "Bearer "+a.session("ann").Access).send("GET /api/v1/items").want(401, missingHeader)
			}
		}},
	{"no route of either API but sign-up and sign-in is open without a token", "CWE-306",
		func(t *testing.T, a *api) {
			for _, rt := range a.routes() {
				_, path, _ := strings.Cut(rt.pattern, " ")
				request := strings.NewReplacer("{id}", "1", "{field}", "itemname").Replace(rt.pattern)
				switch {
				case path == "/api/v1/auth/signup", path == "/api/v1/auth/signin":
				case strings.HasPrefix(path, "/api/v1/"):
					a.as("").send(request).want(401, missingHeader)
				case strings.HasPrefix(path, "/bookapi/"):
					a.as("").send(request).want(401, missingToken)
				}
			}
		}},

	// How a session ends.
	{"replay-after-logout", "",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			renewed := a.renew(ann)
			a.as("ann").send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			a.hasEnded(ann)
			a.refuses(renewed, 401, revoked)
		}},
	{"a log-out by the refresh token ends the access token too", "RFC 9700 §4.14.2",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/logout").want(200, "Successfully logged out")
			a.hasEnded(ann)
		}},
	{"a log-out by a token that was refreshed ends the sign-in it comes from", "OWASP ASVS 5, 7.4.1",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			a.as("").bearing(a.renew(ann)).send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			a.hasEnded(ann)
		}},
	{"a log-out survives a restart", "OWASP ASVS 5, 7.4.1",
		func(t *testing.T, _ *api) {
			a := newAPI(t, onDisk(t))
			ann, stays := a.session("ann"), a.signIn("signin", "ann")
			a.as("ann").send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			a = a.restart()
			a.hasEnded(ann)
			a.goesOn(stays)
		}},
	{"a log-out ends no other account's session", "CWE-639",
		func(t *testing.T, a *api) {
			bob, other := a.session("bob"), a.signIn("signup", "ann")
			ann := a.signIn("signin", "ann")
			a.as("").bearing(ann.Access).send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			a.hasEnded(ann)
			a.goesOn(other)
			a.goesOn(bob)
		}},
	{"a log-out everywhere ends every sign-in", "OWASP ASVS 5, 7.4.1",
		func(t *testing.T, a *api) {
			bob, ann, other := a.session("bob"), a.session("ann"), a.signIn("signin", "ann")
			renewed := a.renew(other)
			a.as("ann").send("DELETE /api/v1/auth/sessions").wantStatus(200)
			a.hasEnded(ann)
			a.hasEnded(other)
			a.refuses(renewed, 401, revoked)
			a.goesOn(bob)
		}},
	{"a change of password ends every other sign-in", "OWASP ASVS 5, 7.4.3",
		func(t *testing.T, a *api) {
			ann, thief := a.session("ann"), a.signIn("signin", "ann")
			renewed := a.renew(thief)
			a.as("ann").send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", "n3w-pass")).wantStatus(200)
			a.hasEnded(thief)
			a.refuses(renewed, 401, revoked)
			a.goesOn(ann)
		}},
	{"a change of password survives a restart", "RFC 9700 §4.14.2",
		func(t *testing.T, _ *api) {
			a := newAPI(t, onDisk(t))
			thief := a.signIn("signup", "ann")
			a.sessions["ann"] = a.signIn("signin", "ann")
			a.as("ann").send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", "n3w-pass")).wantStatus(200)
			a = a.restart()
			a.hasEnded(thief)
			a.as("").send("POST /api/v1/auth/signin", annDetails).want(401, "Bad email or password")
		}},
	{"a disabled account is out at once", "OWASP ASVS 5, 7.4.2",
		func(t *testing.T, a *api) {
			ann, root := a.session("ann"), a.asAdmin("root")
			a.goesOn(ann)
			root.send(a.path("PATCH", ann), asJSON(`{"disabled": true}`)).wantStatus(200)
			a.refuses(ann.Access, 401, "Account is disabled")
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, "Account is disabled")
		}},
	{"an account that is enabled again is not signed in again", "OWASP ASVS 5, 7.4.2",
		func(t *testing.T, a *api) {
			ann, root := a.session("ann"), a.asAdmin("root")
			root.send(a.path("PATCH", ann), asJSON(`{"disabled": true}`)).wantStatus(200)
			root.send(a.path("PATCH", ann), asJSON(`{"disabled": false}`)).wantStatus(200)
			a.hasEnded(ann)
			a.goesOn(a.signIn("signin", "ann"))
		}},
	{"a deleted account is out at once", "OWASP ASVS 5, 7.4.2",
		func(t *testing.T, a *api) {
			ann, root := a.session("ann"), a.asAdmin("root")
			a.goesOn(ann)
			root.send(a.path("DELETE", ann)).wantStatus(200)
			a.refuses(ann.Access, 401, userGone)
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, userGone)
		}},
	{"a token of an account that was deleted and made again is refused", "RFC 7519 §4.1.2",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			a.as("ann").send("DELETE /api/v1/auth/me", asForm("password", annPassword)).wantStatus(200)
			a.goesOn(a.signIn("signup", "ann"))
			a.refuses(ann.Access, 401, userGone)
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, userGone)
		}},
	{"an admin who is one no more can do no more than others, with the same token", "CWE-613",
		func(t *testing.T, a *api) {
			former, root := a.asAdmin("ann"), a.asAdmin("root")
			former.send("GET /api/v1/users").wantStatus(200)
			root.send(a.path("PATCH", a.session("ann")), asJSON(`{"admin": false}`)).wantStatus(200)
			former.send("GET /api/v1/users").want(403, "Only admins can access this endpoint")
		}},
	{"a token that its owner has revoked is refused, also after a restart", "CWE-613",
		func(t *testing.T, _ *api) {
			a := newAPI(t, onDisk(t))
			a.session("ann")
			lost := a.signIn("signin", "ann") // tokens 3 and 4
			for _, id := range []string{"3", "4"} {
				a.as("ann").send("PUT /api/v1/auth/tokens/"+id, asForm("revoke", "true")).want(200, "Token successfully revoked")
			}
			a.hasEnded(lost)
			a = a.restart()
			a.hasEnded(lost)
		}},
	{"a token that a log-out ended is not restored", "CWE-613",
		func(t *testing.T, a *api) {
			a.session("ann")
			out := a.signIn("signin", "ann") // tokens 3 and 4
			a.as("").bearing(out.Access).send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
			for _, id := range []string{"3", "4"} {
				a.as("ann").send("PUT /api/v1/auth/tokens/"+id, asForm("revoke", "false")).
					want(409, "The specified token has ended and can't be restored")
			}
			a.hasEnded(out)
		}},
	{"a token that a change of password ended is not restored", "OWASP ASVS 5, 7.4.3",
		func(t *testing.T, a *api) {
			a.session("ann")
			thief := a.signIn("signin", "ann") // tokens 3 and 4
			a.as("ann").send("POST /api/v1/auth/password", asForm("current_password", annPassword, "new_password", "n3w-pass")).wantStatus(200)
			for _, id := range []string{"3", "4"} {
				a.as("ann").send("PUT /api/v1/auth/tokens/"+id, asForm("revoke", "false")).
					want(409, "The specified token has ended and can't be restored")
			}
			a.hasEnded(thief)
		}},
	{"a token that is revoked can't restore itself", "CWE-613",
		func(t *testing.T, a *api) {
			a.as("ann").send("PUT /api/v1/auth/tokens/1", asForm("revoke", "true")).want(200, "Token successfully revoked")
			a.as("ann").send("PUT /api/v1/auth/tokens/1", asForm("revoke", "false")).want(401, revoked)
		}},
	{"a token restores none of its own sign-in, and another sign-in does", "CWE-613",
		func(t *testing.T, a *api) {
			const own = "A token of the same sign-in can't restore it: sign in again"
			ann := a.session("ann")                                                               // tokens 1 and 2
			made := row[session](a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh")) // token 3
			for _, id := range []string{"2", "1"} {                                               // by which and with which it was made
				a.as("").bearing(made.Access).send("PUT /api/v1/auth/tokens/"+id, asForm("revoke", "true")).wantStatus(200)
				a.as("").bearing(made.Access).send("PUT /api/v1/auth/tokens/"+id, asForm("revoke", "false")).want(409, own)
			}
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, revoked)
			newer := a.as("").bearing(a.signIn("signin", "ann").Access)
			newer.send("PUT /api/v1/auth/tokens/2", asForm("revoke", "false")).want(200, "Token successfully restored")
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").wantStatus(200)
		}},
	{"no caller revokes or restores another's token", "CWE-639",
		func(t *testing.T, a *api) {
			ann := a.session("ann") // tokens 1 and 2
			for _, c := range []*client{a.as("eve"), a.asAdmin("root")} {
				c.send("PUT /api/v1/auth/tokens/2", asForm("revoke", "true")).want(404, "The specified token was not found")
				a.goesOn(ann)
			}
			a.as("ann").send("PUT /api/v1/auth/tokens/1", asForm("revoke", "true")).want(200, "Token successfully revoked")
			a.as("eve").send("PUT /api/v1/auth/tokens/1", asForm("revoke", "false")).want(404, "The specified token was not found")
			a.refuses(ann.Access, 401, revoked)
		}},
	{"expired", "",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			a.clock.advance(15*time.Minute - time.Second)
			a.opens(ann.Access)
			a.clock.advance(time.Second)
			a.refuses(ann.Access, 401, "Token has expired")
		}},
	{"a refresh token ends after its thirty days, however often it is used", "OWASP ASVS 5, 7.3.2",
		func(t *testing.T, a *api) {
			ann := a.session("ann")
			for range 30 {
				a.renew(ann)
				a.clock.advance(24 * time.Hour)
			}
			a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh").want(401, "Token has expired")
			a.as("").bearing(ann.Refresh).send("DELETE /api/v1/auth/logout").want(401, "Token has expired")
		}},
	{"a log-out in the midst of a refresh leaves no token alive", "CWE-367",
		func(t *testing.T, a *api) {
			a.session("ann")
			loggedOut, clock := true, a.now
			for moment := 1; loggedOut; moment++ { // whenever the refresh looks at the clock, until it doesn't
				ann, looks := a.signIn("signin", "ann"), 0
				loggedOut = false
				a.now = func() time.Time {
					if looks++; looks == moment {
						loggedOut = true
						a.as("").bearing(ann.Access).send("DELETE /api/v1/auth/logout").want(200, "Successfully logged out")
					}
					return clock()
				}
				ans := a.as("").bearing(ann.Refresh).send("POST /api/v1/auth/refresh")
				a.now = clock
				if loggedOut && ans.status == 200 {
					a.refuses(row[session](ans).Access, 401, revoked)
				}
			}
		}},
}

const (
	badExp        = "Expiration Time claim (exp) must be an integer."
	missingHeader = "Missing Authorization Header"
	missingToken  = "A valid token is missing!"
)

// A forgery makes a token that the server a never gave to anybody.
type forgery func(a *api) string

// refused is the proof that tokens are refused. Before each, the token that
// differs from it in nothing but its fault is seen to open both APIs.
func refused(status int, says string, forgeries ...forgery) func(*testing.T, *api) {
	return func(t *testing.T, a *api) {
		for _, f := range forgeries {
			a.opens(a.session("ann").Access)
			a.opens(saying()(a))
			a.refuses(f(a), status, says)
		}
	}
}

// saying forges ann's access token with other claims, given as payload takes
// them, and signs it as the server would.
func saying(changes ...string) forgery {
	return func(a *api) string { return forge(hs256, a.annsClaims(changes...), tokenSecret) }
}

// paying is saying for a whole payload.
func paying(payload string) forgery {
	return func(*api) string { return forge(hs256, payload, tokenSecret) }
}

// headed forges it with another header, which the server's secret signs as well.
func headed(header string) forgery {
	return func(a *api) string { return forge(header, a.annsClaims(), tokenSecret) }
}

// signedWith forges it with another secret.
func signedWith(secret string) forgery {
	return func(a *api) string { return forge(hs256, a.annsClaims(), secret) }
}

// withKid forges it with a kid, in JSON, and another secret.
func withKid(kid, secret string) forgery {
	return func(a *api) string { return forge(`{"alg":"HS256","kid":`+kid+`}`, a.annsClaims(), secret) }
}

// unsigned forges it with another header and no signature.
func unsigned(header string) forgery {
	return func(a *api) string { return b64(header) + "." + b64(a.annsClaims()) + "." }
}

// spelt writes ann's own access token in another way.
func spelt(other func(text string) string) forgery {
	return func(a *api) string { return other(a.session("ann").Access) }
}

// altered puts ann's own access token together in another way.
func altered(other func(header, payload, signature string) string) forgery {
	return func(a *api) string {
		parts := strings.Split(a.session("ann").Access, ".")
		return other(parts[0], parts[1], parts[2])
	}
}

func headerWithKid(alg, kid string) string {
	text, _ := json.Marshal(map[string]string{"alg": alg, "kid": kid})
	return string(text)
}

// evesKey is an attacker's own.
var evesKey = ed25519.NewKeyFromSeed([]byte("a seed that the attacker chose.."))

// sealEd makes a token by EdDSA.
func sealEd(header, payload string, key ed25519.PrivateKey) string {
	text := b64(header) + "." + b64(payload)
	return text + "." + b64(string(ed25519.Sign(key, []byte(text))))
}

// addGroupOrder adds to the number S in the second half of an Ed25519 signature
// the order of the group that it counts in. Who doesn't check that S is smaller
// than that accepts the sum too.
func addGroupOrder(signature []byte) []byte {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(signature[32:])
	slices.Reverse(s) // it is written with the lowest byte first
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return slices.Concat(signature[:32], sum)
}

// fetchesNothing is the proof that the server does not call an address that a
// header names, neither for a token that an attacker signed nor for a good one.
func fetchesNothing(header func(url string) string) func(*testing.T, *api) {
	return func(t *testing.T, a *api) {
		var calls atomic.Int32
		trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			fmt.Fprintf(w, `{"keys":[{"kty":"oct","alg":"HS256","k":%q}]}`, b64("eve"))
		}))
		defer trap.Close()
		a.refuses(forge(header(trap.URL), a.annsClaims(), "eve"), 422, badSignature)
		a.as("").bearing(forge(header(trap.URL), a.annsClaims(), tokenSecret)).send("GET /api/v1/items")
		if n := calls.Load(); n > 0 {
			t.Errorf("the server called the attacker's %d times", n)
		}
	}
}

// brings is the proof that a key in a token's own header doesn't verify it, be
// the server one of HS256 or of EdDSA. members writes the key, or a certificate
// for it, as header parameters.
func brings(members func(key token.JWK, der string) string) func(*testing.T, *api) {
	return func(t *testing.T, a *api) {
		public := evesKey.Public().(ed25519.PublicKey)
		certificate, err := x509.CreateCertificate(nil, &x509.Certificate{SerialNumber: big.NewInt(1)}, &x509.Certificate{}, public, evesKey)
		if err != nil {
			t.Fatal(err)
		}
		der := base64.StdEncoding.EncodeToString(certificate) // not base64url (RFC 7515 §4.1.6)
		symmetric := members(token.JWK{Type: "oct", Algorithm: token.HS256, Secret: b64("eve")}, der)
		asymmetric := members(token.JWK{Type: "OKP", Algorithm: token.EdDSA, Curve: "Ed25519", Public: b64(string(public))}, der)

		a.refuses(forge(`{"alg":"HS256",`+symmetric+`}`, a.annsClaims(), "eve"), 422, badSignature)
		a.refuses(sealEd(`{"alg":"EdDSA",`+asymmetric+`}`, a.annsClaims(), evesKey), 422, badAlgorithm)
		a = newAPI(t).warm()
		a.signByEdDSA()
		a.refuses(sealEd(`{"alg":"EdDSA",`+asymmetric+`}`, a.annsClaims(), evesKey), 422, badSignature)
		a.refuses(forge(`{"alg":"HS256",`+symmetric+`}`, a.annsClaims(), "eve"), 422, badAlgorithm)
	}
}

// annsClaims is what ann's access token says, with changes as payload takes them.
func (a *api) annsClaims(changes ...string) string {
	a.t.Helper()
	own := []string{"sub", a.claim("ann", "sub"), "public_id", a.claim("ann", "sub"), "jti", a.claim("ann", "jti")}
	return payload(append(own, changes...)...)
}

// claim is what name's access token says under the name of a claim, in JSON.
func (a *api) claim(name, claim string) string {
	a.t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(a.session(name).Access, ".")[1])
	if err != nil {
		a.t.Fatal(err)
	}
	var claims map[string]json.RawMessage
	if err := json.Unmarshal(text, &claims); err != nil {
		a.t.Fatal(err)
	}
	return string(claims[claim])
}

// signByEdDSA makes a a server with -alg EdDSA, before anybody has signed in. It
// returns the public key as it tells it to everybody.
func (a *api) signByEdDSA() token.JWK {
	a.t.Helper()
	a.signBy(token.EdDSAKey([]byte(tokenSecret[:32])))
	r := httptest.NewRequest("GET", "http://localhost:8080/.well-known/jwks.json", nil)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	var set token.JWKSet
	if err := json.Unmarshal(w.Body.Bytes(), &set); err != nil || len(set.Keys) != 1 {
		a.t.Fatalf("the public keys are %s, %v; want one", w.Body, err)
	}
	return set.Keys[0]
}

// opens checks that both APIs take a token.
func (a *api) opens(text string) {
	a.t.Helper()
	a.as("").bearing(text).send("GET /api/v1/items").want(200, "")
	a.as("").with("X-Access-Token", text).send("GET /bookapi/books").want(200, "")
}

// refuses checks that neither API takes a token, and that the catalog says so in
// those words and in the standard's place.
func (a *api) refuses(text string, status int, says string) {
	a.t.Helper()
	ans := a.as("").bearing(text).send("GET /api/v1/items").want(status, says)
	if challenge := ans.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
		a.t.Errorf("%v: WWW-Authenticate is %q; want invalid_token (RFC 6750 §3.1)", ans, challenge)
	}
	bookStatus, bookSays := 401, "Invalid token!"
	switch says {
	case "Token has expired":
		bookSays = "Token has expired!"
	case userGone:
		bookStatus, bookSays = 404, "User not found!"
	}
	a.as("").with("X-Access-Token", text).send("GET /bookapi/books").want(bookStatus, bookSays)
}

// goesOn checks that a session is alive.
func (a *api) goesOn(s session) {
	a.t.Helper()
	a.opens(s.Access)
	a.opens(a.renew(s))
}

// hasEnded checks that a session is over, by whatever token of it.
func (a *api) hasEnded(s session) {
	a.t.Helper()
	a.refuses(s.Access, 401, revoked)
	a.as("").bearing(s.Refresh).send("POST /api/v1/auth/refresh").want(401, revoked)
	a.as("").bearing(s.Access).send("DELETE /api/v1/auth/logout").want(401, revoked)
	a.as("").bearing(s.Refresh).send("DELETE /api/v1/auth/logout").want(401, revoked)
}

// renew is a new access token for a session's refresh token.
func (a *api) renew(s session) string {
	a.t.Helper()
	return row[session](a.as("").bearing(s.Refresh).send("POST /api/v1/auth/refresh").wantStatus(200)).Access
}

// path is a request about a session's account, as an admin sends it.
func (a *api) path(method string, s session) string {
	return fmt.Sprintf("%s /api/v1/users/%d", method, s.User.ID)
}

// wantStatus checks the status alone.
func (a *answer) wantStatus(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%v; want %d", a, status)
	}
	return a
}

// cellar is a file that strangers may hardly read: "hush" stands in what ann alone
// may read.
const cellar = `{
	"diaries": [{"id": 1, "title": "hush a", "userId": 1}, {"id": 2, "title": "bob's", "userId": "b7"},
		{"id": 3, "title": "hush b", "userId": "1"}, {"id": 4, "title": "hush: nobody's"}],
	"entries": [{"id": 1, "text": "hush", "diaryId": 1, "userId": 1}, {"id": 2, "text": "bob's", "diaryId": 2, "userId": "b7"},
		{"id": 3, "text": "hush", "diaryId": 2, "userId": 1}],
	"posts": [{"id": 1, "title": "ann's", "userId": 1}, {"id": 2, "title": "nobody's"}],
	"comments": [{"id": 1, "body": "bob's", "postId": 1, "userId": "b7"}],
	"notices": [{"id": 1, "title": "for all"}],
	"manuals": [{"id": 1, "title": "for accounts"}],
	"vaults": [{"id": 1, "title": "hush", "userId": 1}],
	"boards": [{"id": 1, "title": "anyone's", "userId": 1}],
	"walls": [{"id": 1, "title": "anyone's to read"}],
	"rooms": [{"id": 1, "title": "accounts'"}],
	"gallery": [{"id": 1, "title": "ann's, shown", "userId": 1}, {"id": 2, "title": "nobody's"}],
	"user": [{"id": 77, "name": "no account"}],
	"motto": {"text": "ours"},
	"pin": {"text": "hush", "userId": 1},
	"users": [{"id": 1, "email": "ann@example.com", "password": "secret", "note": "hush"},
		{"id": "b7", "email": "bob@example.com", "password": "secret", "role": "admin"}]
}`

const cellarGuards = "-guard=diaries=600 -guard=entries=600 -guard=pin=600 -guard=notices=444 -guard=manuals=440 -guard=vaults=400 " +
	"-guard=boards=666 -guard=walls=664 -guard=rooms=660 -guard=gallery=644"

// What a refusal says.
const (
	signInFirst = `"Missing authorization header"`
	notYours    = `"Private resource access: entity must have a reference to the owner id"`
	notFromYou  = `"Private resource creation: request body must have a reference to the owner id"`
	notToYou    = `"Private resource replacement: request body must have a reference to the owner id"`
	readOnly    = `"Read only"`
)

// A guardAttack is a way around a guard, in a sentence, and what is answered instead.
// Each begins with the cellar as it was. eve has an account of her own.
type guardAttack struct {
	name  string
	steps [][3]string // as in TestCollections
}

var guardAttacks = []guardAttack{
	{"a list of another's rows is read without a token", [][3]string{
		{"- GET /diaries", "401", signInFirst},
		{"- GET /diaries/1", "401", signInFirst},
		{"- GET /posts", "401", signInFirst},
		{"- GET /rooms", "401", signInFirst},
		{"- GET /manuals", "401", signInFirst},
		{"- GET /vaults", "401", signInFirst},
		{"- GET /pin", "401", signInFirst},
		{"- GET /users", "401", signInFirst},
		{"- GET /users/1", "401", signInFirst},
		{"- GET /notices", "200", `[{"id":1,"title":"for all"}]`},
	}},
	{"a list shows all rows once one of them is the caller's", [][3]string{
		{"bob GET /diaries", "200", `[{"id":2,"title":"bob's","userId":"b7"}]`},
		{"bob GET /entries", "200", `[{"id":2,"text":"bob's","diaryId":2,"userId":"b7"}]`},
		{"eve GET /diaries", "200", `[]`},
		{"eve GET /vaults", "200", `[]`},
		{"eve GET /users", "200", `[{"email":"eve@example.com","id":4}]`},
	}},
	{"a row that isn't the caller's is read by its id", [][3]string{
		{"eve GET /diaries/1", "403", notYours},
		{"eve GET /diaries/4", "403", notYours},
		{"eve GET /vaults/1", "403", notYours},
		{"eve GET /pin", "403", notYours},
		{"eve GET /users/1", "403", notYours},
	}},
	{"accounts are found by trying ids: those that there are answer as those that there aren't", [][3]string{
		{"eve GET /users/b7", "403", notYours},
		{"eve GET /users/999", "403", notYours},
		{"eve GET /users/nobody", "403", notYours},
		{"eve DELETE /users/999", "403", notYours},
		{"eve PATCH /users/b7 {}", "403", notYours},
	}},
	{"a list is asked with a filter on what the caller may not read", [][3]string{
		{"eve GET /diaries?userId=1", "200", `[]`},
		{"eve GET /diaries?title_like=.", "200", `[]`},
		{"eve GET /diaries?userId_ne=4", "200", `[]`},
		{"eve GET /diaries?id=1&id=2&id=3", "200", `[]`},
		{"eve GET /diaries?id[]=1&id[0]=2", "200", `[]`},
		{"bob GET /diaries?id=1&id=2&userId=1&userId=b7", "200", `[{"id":2…`},
		{"eve GET /diaries?q=hush", "200", `[]`},
		{"eve GET /diaries?nothing=1", "200", `[]`},
		{"bob GET /diaries?titel=x", "200", `[]`},
	}},
	{"a page, a slice or a sort shows more than the list", [][3]string{
		{"eve GET /diaries?_page=1&_limit=10", "200", `[]`},
		{"eve GET /diaries?_start=0&_end=10", "200", `[]`},
		{"bob GET /diaries?_sort=title&_order=desc", "200", `[{"id":2…`},
		{"eve GET /diaries?_sort=secret", "200", `[]`},
		{"bob GET /diaries?_sort=secret", "400", `{"error":"Invalid query: _sort names a field that no row has…`},
		{"eve GET /diaries?_sort=title&_sort=id", "400", `{"error":"Invalid query: _sort must be given only once…`},
	}},
	{"another's rows come in by _embed", [][3]string{
		{"eve GET /posts?_embed=diaries", "200", `[{"id":1,"title":"ann's","userId":1,"diaries":[]},{"id":2,"title":"nobody's","diaries":[]}]`},
		{"bob GET /diaries?_embed=entries", "200", `[{"id":2,"title":"bob's","userId":"b7","entries":[{"id":2,"text":"bob's","diaryId":2,"userId":"b7"}]}]`},
		{"eve GET /users?_embed=diaries", "200", `[{"email":"eve@example.com","id":4,"diaries":[]}]`},
		{"- GET /boards?_embed=entries", "200", `[{"id":1,"title":"anyone's","userId":1,"entries":[]}]`},
		{"- GET /boards/1?_embed=posts&_embed=users&_embed=vaults", "200", `{"id":1,"title":"anyone's","userId":1,"posts":[],"users":[],"vaults":[]}`},
	}},
	{"another's row comes in by _expand", [][3]string{
		{"- GET /boards?_expand=user", "200", `[{"id":1,"title":"anyone's","userId":1}]`},
		{"eve GET /gallery?_expand=user", "200", `[{"id":1,"title":"ann's, shown","userId":1},{"id":2,"title":"nobody's"}]`},
		{"eve POST /boards {\"diaryId\":1,\"vaultId\":1,\"pinId\":1,\"userId\":1}", "201", `{"diaryId":1,"vaultId":1,"pinId":1,"userId":1,"id":2}`},
		{"eve GET /boards/2?_expand=diary&_expand=vault&_expand=user&_expand=pin", "200", `{"diaryId":1,"vaultId":1,"pinId":1,"userId":1,"id":2}`},
	}},
	{"another's rows are read below their parent", [][3]string{
		{"eve GET /diaries/1/entries", "200", `[]`},
		{"bob GET /diaries/2/entries", "200", `[{"id":2…`},
		{"eve GET /users/1/diaries", "200", `[]`},
		{"- GET /users/1/diaries", "401", signInFirst},
		{"- GET /posts/1/diaries", "401", signInFirst},
		{"eve GET /posts/1/pin", "403", notYours},
		{"eve GET /nothing/1/vaults", "200", `[]`},
		{"eve GET /posts/1/users", "200", `[]`},
	}},
	{"a row is written below a parent that the caller can't read", [][3]string{
		{"eve POST /diaries/1/entries {}", "403", notYours},
		{"eve POST /users/1/posts {}", "403", notYours},
		{"eve POST /user/1/posts {}", "404", `{}`},
		{"- POST /users/1/boards {}", "401", signInFirst},
	}},
	{"all is read at /db", [][3]string{
		{"- GET /db", "401", signInFirst},
		{"eve GET /db", "403", notYours},
		{"bob GET /db", "403", notYours},
		{"eve HEAD /db", "403", ``},
		{"eve GET /666/db", "403", notYours},
		{"eve GET /db/", "403", notYours},
		{"eve GET /db/diaries", "404", `{}`},
		{"eve POST /db/mine", "403", `"Only admins can access this endpoint"`},
		{"- POST /db/mine", "401", signInFirst},
	}},
	{"HEAD passes unchecked", [][3]string{
		{"- HEAD /diaries/1", "401", ``},
		{"eve HEAD /diaries/1", "403", ``},
		{"eve HEAD /users/1", "403", ``},
		{"- HEAD /rooms", "401", ``},
	}},
	{"a guard in the address opens what the server closes", [][3]string{
		{"- GET /666/diaries", "401", signInFirst},
		{"eve GET /666/diaries/1", "403", notYours},
		{"eve GET /666/users/1", "403", notYours},
		{"- POST /666/posts {}", "401", signInFirst},
		{"- POST /666/notices {}", "403", readOnly},
		{"eve POST /664/vaults {}", "403", readOnly},
		{"- GET /664/rooms", "401", signInFirst},
		{"eve PATCH /666/posts/1 {\"title\":\"eve's\"}", "403", notYours},
	}},
	{"an address is spelt so that no guard is found", [][3]string{
		{"- GET /000/diaries", "404", `{}`},
		{"- GET /777/diaries", "404", `{}`},
		{"- GET /650/diaries", "404", `{}`},
		{"- GET /0640/diaries", "404", `{}`},
		{"- GET /666/666/diaries", "404", `{}`},
		{"- GET /%36%36%36/diaries", "404", `{}`},
		{"- GET /666", "404", `{}`},
		{"- GET /diaries/", "401", signInFirst},
		{"- GET /d%69aries/1", "401", signInFirst},
		{"- GET /diaries/%31", "401", signInFirst},
		{"eve GET /d%69aries/%31", "403", notYours},
		{"- GET /Diaries", "404", `{}`},
		{"- GET /DIARIES/1", "404", `{}`},
		{"- GET /diaries%2F1", "404", `{}`},
		{"- GET /diaries;x=1", "404", `{}`},
		{"- GET /diaries%00", "404", `{}`},
		{"eve GET /diaries/01", "404", `{}`},
		{"eve GET /diaries/1.0", "404", `{}`},
		{"eve GET /diaries/%201", "404", `{}`},
	}},
	{"a row is made in another's name", [][3]string{
		{"eve POST /posts {\"userId\":1}", "403", notFromYou},
		{"eve POST /posts {\"userId\":\"1\"}", "403", notFromYou},
		{"eve POST /posts {\"userId\":1.0}", "403", notFromYou},
		{"eve POST /posts {\"userId\":10e-1}", "403", notFromYou},
		{"eve POST /posts {\"userId\":[4]}", "403", notFromYou},
		{"eve POST /posts {\"userId\":{\"id\":4}}", "403", notFromYou},
		{"eve POST /posts {\"userId\":true}", "403", notFromYou},
		{"eve POST /posts {\"userId\":0}", "403", notFromYou},
		{"eve POST /posts {\"userId\":\" 4\"}", "403", notFromYou},
		{"eve POST /posts {\"userId\":\"04\"}", "403", notFromYou},
		{"eve POST /posts {\"\\u0075serId\":1}", "403", notFromYou},
		{"eve POST /posts {\"userId\":4,\"\\u0075serId\":1}", "400", `{"error":"Invalid request body: 'userId' must be given only once…`},
		{"eve POST /posts userId=1", "403", notFromYou},
		{"eve POST /posts userId=4&userId=1", "403", notFromYou},
		{"eve POST /600/boards {\"userId\":1}", "403", notFromYou},
		{"eve POST /posts {\"userId\":null}", "201", `{"userId":4,"id":3}`},
		{"eve POST /posts {\"userId\":\"\"}", "201", `{"userId":4,"id":4}`},
		{"eve POST /posts {\"UserID\":1}", "201", `{"UserID":1,"userId":4,"id":5}`},
		{"eve POST /posts {\"userId\":\"4\"}", "201", `{"userId":"4","id":6}`},
		{"eve POST /posts?userId=1 {}", "201", `{"userId":4,"id":7}`},
	}},
	{"a row is taken over, or given away", [][3]string{
		{"eve PUT /posts/1 {\"title\":\"mine\",\"userId\":4}", "403", notYours},
		{"eve PATCH /posts/1 {\"userId\":4}", "403", notYours},
		{"eve PATCH /posts/1 {\"userId\":null}", "403", notYours},
		{"eve DELETE /posts/1", "403", notYours},
		{"ann PATCH /posts/1 {\"userId\":4}", "403", notToYou},
		{"ann PATCH /posts/1 {\"userId\":null}", "403", notToYou},
		{"ann PATCH /posts/1 {\"userId\":[1]}", "403", notToYou},
		{"ann PUT /posts/1 {\"title\":\"z\",\"userId\":[1]}", "200", `{"title":"z","userId":1,"id":1}`},
		{"ann PUT /posts/1 {\"userId\":false}", "403", notToYou},
		{"ann PUT /posts/1 {\"userId\":\"b7\"}", "403", notToYou},
		{"ann PUT /posts/1 {\"title\":\"x\",\"userId\":null}", "200", `{"title":"x","userId":1,"id":1}`},
		{"ann PUT /posts/1 {\"title\":\"y\"}", "200", `{"title":"y","userId":1,"id":1}`},
		{"eve PATCH /posts/2 {\"userId\":4}", "403", notToYou},
		{"eve PUT /posts/2 {\"userId\":4}", "403", notToYou},
		{"eve PUT /posts/2 {\"userId\":true}", "403", notToYou},
		{"eve PUT /motto {\"userId\":4}", "403", notToYou},
		{"eve POST /motto {\"userId\":4}", "403", notToYou},
		{"eve PATCH /motto {\"text\":\"all's\"}", "200", `{"text":"all's"}`},
	}},
	{"rows without an owner are written under a guard that was set", [][3]string{
		{"eve PATCH /gallery/2 {\"title\":\"x\"}", "403", notYours},
		{"eve DELETE /diaries/4", "403", notYours},
		{"eve PATCH /600/posts/2 {}", "403", notYours},
		{"eve PUT /640/motto {}", "403", notYours},
		{"eve PUT /pin {}", "403", notYours},
		{"eve POST /pin {}", "403", notYours},
		{"eve PATCH /pin {\"userId\":4}", "403", notYours},
	}},
	{"what is to be read only is written", [][3]string{
		{"- POST /notices {}", "403", readOnly},
		{"ann PATCH /notices/1 {}", "403", readOnly},
		{"- POST /manuals {}", "401", signInFirst},
		{"ann POST /manuals {}", "403", readOnly},
		{"ann DELETE /vaults/1", "403", readOnly},
		{"- DELETE /walls/1", "401", signInFirst},
		{"- POST /gallery {}", "401", signInFirst},
	}},
	{"the method is sent in a header or in the query", [][3]string{
		{"- POST /boards/1?_method=DELETE {}", "404", `{}`},
		{"- GET /boards/1", "200", `{"id":1…`},
	}},
	{"the id of another's row is used again in another type", [][3]string{
		{"eve POST /posts {\"id\":\"1\"}", "409", `{"error":"the id is taken…`},
		{"eve POST /posts {\"id\":1.0}", "409", `{"error":"the id is taken…`},
		{"eve POST /posts {\"id\":1e0}", "409", `{"error":"the id is taken…`},
		{"eve PATCH /posts/2 {\"id\":1}", "200", `{"id":2,"title":"nobody's"}`},
		{"eve POST /posts {\"id\":[1]}", "400", `{"error":"id must be a number or a text…`},
		{"eve POST /posts {\"id\":\"..\"}", "400", `{"error":"the id \"..\" can't stand in an address…`},
		{"eve POST /posts {\"id\":9007199254740993}", "400", `{"error":"the id 9007199254740993 must be a whole number…`},
		{"eve POST /posts {\"id\":9000000}", "400", `{"error":"the id 9000000 is more than 1000000 above…`},
	}},
	{"a row is made and deleted, so that another account's rows go with it", [][3]string{
		{"eve POST /user {\"id\":1}", "201", `{"id":1,"userId":4}`},
		{"eve DELETE /user/1", "200", `{}`},
		{"ann GET /posts/1", "200", `{"id":1…`},
		{"ann GET /diaries", "200", `[{"id":1,…`},
		{"ann DELETE /posts/1", "200", `{}`},
		{"bob GET /comments/1", "404", `{}`},
	}},
	{"an account gives itself rights when it is made", [][3]string{
		{`- POST /register {"email":"max@example.com","password":"secret","id":1,"role":"admin","admin":true,"disabled":true,"public_id":"x","userId":1}`, "201", `{"accessToken":"…`},
		{"max GET /users", "200", `[{"email":"max@example.com","public_id":"x","userId":1,"id":4}]`},
		{"max GET /db", "403", notYours},
		{"max GET /users/1", "403", notYours},
		{"max PATCH /users/4 {\"admin\":true,\"role\":\"admin\",\"id\":1,\"hash\":\"x\"}", "200", `{"email":"max@example.com","public_id":"x","userId":1,"id":4,"hash":"x"}`},
		{"max GET /db", "403", notYours},
		{"bob GET /db", "403", notYours},
	}},
	{"an address is taken twice, in other letters", [][3]string{
		{`- POST /register {"email":"ANN@Example.COM","password":"secret"}`, "400", `"Email already exists"`},
		{`- POST /444/users {"email":"ann@example.com","password":"secret"}`, "400", `"Email already exists"`},
		{`eve PATCH /users/4 {"email":"Ann@example.com","current_password":"secret"}`, "400", `"Email already exists"`},
		{`eve PATCH /users/4 {"email":"","password":""}`, "200", `{"email":"eve@example.com","id":4}`},
		{`eve PUT /users/4 {"email":null,"password":null}`, "200", `{"email":"eve@example.com","id":4}`},
		{`eve PATCH /users/4 {"email":["x@y"]}`, "400", `"email must be a text"`},
		{`- POST /register {"email":["x@y"],"password":"secret"}`, "400", `"Email and password are required"`},
		{`- POST /register {"email":{"a":1},"password":["secret"]}`, "400", `"Email and password are required"`},
	}},
	{"a hash is found by filter, search or sort", [][3]string{
		{"ann GET /users?password_like=.", "200", `[]`},
		{"ann GET /users?hash_like=.", "200", `[]`},
		{"ann GET /users?q=$2a$", "200", `[]`},
		{"ann GET /users?_sort=password", "400", `"Invalid query: _sort names a field that no row has…`},
		{"ann GET /users?password_ne=x", "200", `[{"id":1,"email":"ann@example.com","note":"hush"}]`},
		{"eve GET /users?email=ann@example.com", "200", `[]`},
		{"ann PATCH /users/1 {\"note\":\"x\"}", "200", `{"id":1,"email":"ann@example.com","note":"x"}`},
	}},
	{"the password that a form repeats is kept in clear", [][3]string{
		{`- POST /register {"email":"kim@example.com","password":"secret","confirmPassword":"secret","name":"secret"}`, "201", `{"accessToken":"…`},
		{"kim GET /users", "200", `[{"email":"kim@example.com","name":"secret","id":4}]`},
		{`kim PATCH /users/4 {"password":"hidden","password_confirmation":"hidden","current_password":"secret"}`, "200", `{"email":"kim@example.com","name":"secret","id":4}`},
		{`kim PUT /users/4 {"password":"hush!","repeatPassword":"hush!","current_password":"hidden"}`, "200", `{"email":"kim@example.com","id":4}`},
	}},
	{"a token outlives the change of the password", [][3]string{
		{"ann GET /users/1", "200", `{"id":1…`},
		{"ann/2 GET /users/1", "200", `{"id":1…`},
		{`ann PATCH /users/1 {"password":"another","current_password":"secret"}`, "200", `{"id":1…`},
		{"ann GET /users/1", "200", `{"id":1…`},
		{"ann/2 GET /users/1", "401", `"jwt revoked"`},
		{"ann/2 GET /notices", "401", `"jwt revoked"`},
	}},
	{"a token outlives its account", [][3]string{
		{"eve/2 GET /posts", "200", `[{…`},
		{`eve DELETE /users/4 {"password":"wrong"}`, "403", `"Wrong password"`},
		{`eve DELETE /users/4 {"password":"secret"}`, "200", `{}`},
		{"eve GET /posts", "401", `"jwt revoked"`},
		{"eve/2 GET /posts", "401", `"jwt revoked"`},
		{"eve/2 POST /posts {}", "401", `"jwt revoked"`},
	}},
	{"an account is changed, taken over or deleted by another", [][3]string{
		{`eve PATCH /users/1 {"password":"hidden","current_password":"secret"}`, "403", notYours},
		{`eve PUT /users/1 {}`, "403", notYours},
		{`eve DELETE /users/1 {"password":"secret"}`, "403", notYours},
		{`- DELETE /users/1`, "401", signInFirst},
		{`eve PATCH /users/4 {"password":"hidden"}`, "400", `"current_password is required…`},
		{`eve PATCH /users/4 {"password":"hidden","current_password":""}`, "400", `"current_password is required…`},
		{`eve PATCH /users/4 {"password":"hidden","current_password":["secret"]}`, "400", `"current_password must be a text"`},
		{`eve PATCH /444/users/4 {}`, "403", readOnly},
		{`eve DELETE /users`, "404", `{}`},
		{`eve PUT /users {}`, "404", `{}`},
	}},
	{"a visitor's expression holds the server up", [][3]string{
		{"- GET /notices?title_like=(a%2B)%2B%24", "200", `[]`},
		{"- GET /notices?title_like=[", "400", `{"error":"Invalid query: title_like must be a regular expression…`},
		{"- GET /notices?title_like=((((a{1,99}){1,99}){1,99}){1,99})", "400", `{"error":"Invalid query: title_like…`},
	}},
	{"what makes no sense is answered with a stack", [][3]string{
		{"- GET /notices?_sort=title&_sort=id", "400", `{"error":"Invalid query…`},
		{"- GET /notices?_expand=user", "200", `[{"id":1,"title":"for all"}]`},
		{"- GET /notices?title=%zz", "400", `{"error":"Invalid query…`},
		{"- GET /notices/__proto__", "404", `{}`},
		{"- GET /__proto__", "404", `{}`},
		{"- GET /constructor/1/notices", "200", `[]`},
	}},
}

// Each way around a guard is answered as the row says, and no answer to a stranger
// holds what is another's.
func TestGuardAttacks(t *testing.T) {
	t.Parallel()
	for _, attack := range guardAttacks {
		t.Run(attack.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, cellar, strings.Fields(cellarGuards)...)
			for _, step := range attack.steps {
				w := s.do(step[0])
				body := strings.TrimSuffix(w.Body.String(), "\n")
				begin, _, isBegin := strings.Cut(step[2], "…")
				if step[1] != statusText(w.Code) || isBegin && !strings.HasPrefix(body, begin) || !isBegin && body != begin && !strings.Contains(step[0], " HEAD ") {
					t.Errorf("%s = %d %s\nwant %s %s", step[0], w.Code, body, step[1], step[2])
				}
				answer := fmt.Sprint(body, w.Header())
				if !strings.HasPrefix(step[0], "ann") && strings.Contains(answer, "hush") && !strings.Contains(step[0], "hush") || strings.Contains(answer, "$2a$") {
					t.Errorf("%s tells what is another's: %s", step[0], answer)
				}
				if n := w.Header().Get("X-Total-Count"); n != "" && n != "0" && strings.HasPrefix(step[0], "eve") {
					t.Errorf("%s counts %s rows that are another's", step[0], n)
				}
			}
		})
	}
}

// What headers give away, or let in.
func TestGuardAttacksByHeader(t *testing.T) {
	t.Parallel()
	s := open(t, cellar, strings.Fields(cellarGuards)...)
	tagOf := func(request string) string { return s.do(request).Header().Get("ETag") }
	diary := tagOf("ann GET /diaries/1")
	for _, tt := range []struct {
		name, request string
		headers       []string
		status        int
	}{
		{"a tag of another's row tells that it is still the same", "eve GET /diaries/1", []string{"If-None-Match", diary}, 403},
		{"any tag at all does", "eve GET /diaries/1", []string{"If-None-Match", "*"}, 403},
		{"any tag does without a token", "- HEAD /diaries/1", []string{"If-None-Match", "*"}, 401},
		{"the tag of a list of another's does", "eve GET /diaries", []string{"If-None-Match", tagOf("ann GET /diaries")}, 200},
		{"If-Match asks whether a row is as guessed", `eve PATCH /diaries/1 {"a":1}`, []string{"If-Match", diary}, 403},
		{"If-Match with another guess is answered otherwise", `eve PATCH /diaries/1 {"a":1}`, []string{"If-Match", `"0"`}, 403},
		{"If-Match without a token", "- DELETE /diaries/1", []string{"If-Match", `"0"`}, 401},
		{"a POST that is allowed becomes a DELETE", "- POST /boards {}", []string{"X-HTTP-Method-Override", "DELETE"}, 400},
		{"the same below a row", "- POST /posts/1/boards {}", []string{"X-HTTP-Method-Override", "PATCH"}, 400},
		{"the method of a single resource is another", `eve POST /motto {"a":1}`, []string{"X-HTTP-Method-Override", "DELETE"}, 400},
		{"a page of another origin adds a row where all may", `- POST /boards {"a":1}`, []string{"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"}, 403},
		{"a form of another origin does", `- POST /boards a=1`, []string{"Origin", "null"}, 403},
		{"a page of another origin changes a row", `- PATCH /boards/1 {"a":1}`, []string{"Origin", "https://evil.example"}, 403},
		{"a page of another origin deletes a row", `- DELETE /boards/1`, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"a page of another origin makes an account", `- POST /register {"email":"x@y.z","password":"secret"}`, []string{"Origin", "https://evil.example"}, 403},
		{"a page of another origin tries a password", `- POST /login {"email":"ann@example.com","password":"secret"}`, []string{"Origin", "https://evil.example"}, 403},
		{"a page asks by a name that it made lead here", "- GET /notices", []string{"Host", "evil.example"}, 421},
		{"the scheme is spelt so that the token is none", "- GET /diaries", []string{"Authorization", "Basic YW5uOnNlY3JldA=="}, 401},
		{"a broken token is passed over where none is needed", "- GET /notices", []string{"Authorization", "Bearer x.y.z"}, 401},
	} {
		w := s.do(tt.request, tt.headers...)
		if w.Code != tt.status || strings.Contains(w.Body.String(), "hush") {
			t.Errorf("%s: %s = %d %s; want %d", tt.name, tt.request, w.Code, w.Body, tt.status)
		}
		if tag := w.Header().Get("ETag"); tag != "" && tag == diary {
			t.Errorf("%s: the answer has the tag of another's row", tt.name)
		}
	}
	for _, header := range []string{"X-Forwarded-Host", "X-Original-URL", "X-Forwarded-Prefix", "Forwarded"} {
		w := s.do("- POST /boards {}", header, "host=evil.example")
		if at := w.Header().Get("Location"); w.Code != 201 || !strings.HasPrefix(at, "http://localhost:8080/boards/") {
			t.Errorf("%s of a client makes the Location %q", header, at)
		}
		w = s.do("- GET /boards?_page=1&_limit=1&x=%22%3E%3Chttps://evil.example%3E", header, "host=evil.example")
		if link := w.Header().Get("Link"); strings.Contains(link, "<https://evil") || strings.Contains(link, "//evil.example/") {
			t.Errorf("%s of a client makes the Link %q", header, link)
		}
	}
	if body := s.do("ann GET /diaries?_limit=5").Body.String(); !strings.Contains(body, "hush b") || strings.Contains(body, `"a":1`) {
		t.Errorf("ann's diaries have been changed: %s", body)
	}
}

// Where all is open, accounts stay closed.
func TestGuardAttacksOnOpen(t *testing.T) {
	t.Parallel()
	s := open(t, cellar, "-open", "-guard=diaries=600", "-guard=entries=400", "-guard=pin=600", "-guard=vaults=400")
	for _, step := range [][3]string{
		{"- GET /users", "401", signInFirst},
		{"- GET /users/1", "401", signInFirst},
		{"- GET /666/users/1", "401", signInFirst},
		{"- PATCH /users/1 {\"note\":1}", "401", signInFirst},
		{"- DELETE /users/1", "401", signInFirst},
		{"eve GET /users/1", "403", notYours},
		{"- GET /diaries", "401", signInFirst},
		{"- GET /db", "200", `{"posts":[…`},
		{"eve GET /db", "200", `{"diaries":[],"entries":[],"posts":[…`},
		{"- GET /posts?_expand=user&_embed=diaries&_embed=users", "200", `[{"id":1,"title":"ann's","userId":1,"diaries":[],"users":[]}…`},
		{"- GET /posts/1/diaries", "401", signInFirst},
		{"- POST /db/mine", "401", signInFirst},
		{"- POST /posts {\"userId\":1}", "201", `{"userId":1,"id":3}`},
	} {
		w := s.do(step[0])
		body := strings.TrimSuffix(w.Body.String(), "\n")
		begin, _, isBegin := strings.Cut(step[2], "…")
		if step[1] != statusText(w.Code) || isBegin && !strings.HasPrefix(body, begin) || !isBegin && body != begin || strings.Contains(body, "hush") || strings.Contains(body, "example.com") && !strings.HasPrefix(step[0], "eve") {
			t.Errorf("%s = %d %s\nwant %s %s", step[0], w.Code, body, step[1], step[2])
		}
	}
}

// A sign-in takes a hash computation, whether the account is there or not: with no
// worker free, each waits in vain.
func TestMemberSignInTime(t *testing.T) {
	t.Parallel()
	s := open(t, strings.Replace(cellar, `"users": [`, `"users": [{"email": "no@example.com", "password": null},`, 1))
	guesses := []string{
		`{"email":"ann@example.com","password":"wrong"}`,
		`{"email":"ANN@example.com","password":"wrong"}`,
		`{"email":"unknown@example.com","password":"wrong"}`,
		`{"email":"no@example.com","password":"wrong"}`,
		`{"username":"ann","password":"wrong"}`,
		`{"username":"no@example.com","password":"wrong"}`,
	}
	for _, guess := range guesses {
		if w := s.do("- POST /signin " + guess); w.Code != 400 || strings.TrimSpace(w.Body.String()) != `"Incorrect email or password"` {
			t.Errorf("%s = %d %s", guess, w.Code, w.Body)
		}
	}
	s.hashes.Patience = time.Millisecond
	defer holdWorkers(s.hashes)()
	for _, guess := range guesses {
		if w := s.do("- POST /signin " + guess); w.Code != 503 {
			t.Errorf("%s without a worker = %d %s; want 503", guess, w.Code, w.Body)
		}
	}
}

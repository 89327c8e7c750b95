package attack

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"example.com/shelf/internal/strictjson"
	"example.com/shelf/internal/token"
)

// A forger prepares what one attack sends. It knows what any client knows: its
// own tokens, the server's public data, and no key.
type forger func(context.Context, *assault) (shot, error)

// forgers has the forger of each row, by id. Unless a row says otherwise, a
// forged token keeps the header of a valid one, so that it differs only in its
// fault.
var forgers = map[string]forger{
	"payload-edited": retouched(func(t *JWS) {
		t.Payload = Edited(t.Payload, "exp", t.Time("exp").AddDate(10, 0, 0).Unix())
	}),
	"type-edited": func(_ context.Context, a *assault) (shot, error) {
		t, err := Dismantle(a.eve.refresh)
		if err != nil {
			return shot{}, err
		}
		t.Payload = Edited(t.Payload, "type", token.Access)
		return a.withRefreshToken(t.String()), nil
	},
	"duplicate-claims": func(_ context.Context, a *assault) (shot, error) {
		t, err := Dismantle(a.eve.access)
		anns, annsErr := Dismantle(a.ann.access)
		if err := errors.Join(err, annsErr); err != nil {
			return shot{}, err
		}
		text := strictjson.Encode(Members(t.Payload))
		text = fmt.Appendf(text[:len(text)-1], `,"sub":%s}`, Members(anns.Payload)["sub"])
		t.Payload = base64.RawURLEncoding.EncodeToString(text)
		return bearerShot(t.String()), nil
	},

	"signature-missing": retouched(func(t *JWS) { t.Signature = "" }),
	"signature-changed": retouched(func(t *JWS) {
		t.Signature = neighbour(t.Signature[0]) + t.Signature[1:]
	}),
	"signature-respelt": retouched(func(t *JWS) { // the last letter has two unused bits for 32 bytes, four for 64
		last := len(t.Signature) - 1
		t.Signature = t.Signature[:last] + neighbour(t.Signature[last])
	}),
	"other-key": retouched(func(t *JWS) { t.sign("secret") }),

	"alg-none":         retouched(unsecured("none")),
	"alg-none-respelt": retouched(unsecured("nOnE")),
	"alg-swapped":      swapAlg,

	"kid-elsewhere": retouched(func(t *JWS) {
		t.Header = Edited(t.Header, "kid", "../../../../../../dev/null")
		t.sign("")
	}),
	"jwk-embedded": retouched(func(t *JWS) {
		const secret = "a secret that the attacker made up"
		own := token.JWK{Type: "oct", Algorithm: token.HS256, Secret: base64.RawURLEncoding.EncodeToString([]byte(secret))}
		if t.Alg() == token.EdDSA {
			public := seeded(secret).Public().(ed25519.PublicKey)
			own = token.JWK{Type: "OKP", Algorithm: token.EdDSA, Curve: "Ed25519", Public: base64.RawURLEncoding.EncodeToString(public)}
		}
		t.Header = EncodePart(map[string]any{"alg": t.Alg(), "typ": "JWT", "jwk": own})
		t.sign(secret)
	}),
	"crit-unknown": retouched(func(t *JWS) {
		t.Header = Edited(Edited(t.Header, "crit", []string{"eve"}), "eve", 1)
	}),
	"over-long": retouched(func(t *JWS) { t.Payload = Edited(t.Payload, "x", strings.Repeat("x", token.MaxLength)) }),

	"token-in-query": func(_ context.Context, a *assault) (shot, error) {
		return shot{query: "?access_token=" + a.eve.access}, nil
	},
	"token-in-cookie": func(_ context.Context, a *assault) (shot, error) {
		return shot{cookie: "access_token=" + a.eve.access}, nil
	},
	"two-headers": func(ctx context.Context, a *assault) (shot, error) {
		forged, err := retouched(unsecured("none"))(ctx, a)
		return shot{bearers: append([]string{a.eve.access}, forged.bearers...)}, err
	},

	"refresh-as-access": func(_ context.Context, a *assault) (shot, error) {
		return a.withRefreshToken(a.eve.refresh), nil
	},
	"access-as-refresh":   genuine,
	"replay-after-logout": replayAfterLogout,
	"held-past-logout":    heldPastLogout,
	"held-past-deletion":  heldPastDeletion,
	"restores-itself":     restoreItself,
	"refresh-replayed":    replayRefresh,

	"others-item-changed": func(ctx context.Context, a *assault) (shot, error) {
		s := a.onItem()
		s.body = `{"itemname":"mine now"}`
		return s, nil
	},
	"others-item-deleted": func(ctx context.Context, a *assault) (shot, error) { return a.onItem(), nil },
	"admin-at-signup": func(_ context.Context, a *assault) (shot, error) {
		s := bearerShot(a.ann.access)
		s.control.token = a.ann.access
		return s, nil
	},
	"renamed-by-thief": func(ctx context.Context, a *assault) (shot, error) {
		who, err := a.reader(ctx)
		if err != nil {
			return shot{}, err
		}
		s := bearerShot(who.access)
		s.control.token = who.access
		s.body = string(strictjson.Encode(map[string]string{"username": who.username + "-mine"}))
		return s, nil
	},

	"expired":       genuineAt(func(t JWS) time.Time { return t.Time("exp") }),
	"not-yet-valid": genuineAt(func(t JWS) time.Time { return t.Time("nbf").Add(-time.Minute) }),
}

// genuine returns the attacker's own access token, unchanged.
func genuine(_ context.Context, a *assault) (shot, error) { return bearerShot(a.eve.access), nil }

// genuineAt sends the attacker's own access token at another time, taken from
// the token.
func genuineAt(when func(JWS) time.Time) forger {
	return func(_ context.Context, a *assault) (shot, error) {
		t, err := Dismantle(a.eve.access)
		s := bearerShot(a.eve.access)
		s.at = when(t)
		return s, err
	}
}

// retouched changes the attacker's own access token.
func retouched(touch func(t *JWS)) forger {
	return func(_ context.Context, a *assault) (shot, error) {
		t, err := Dismantle(a.eve.access)
		if err != nil {
			return shot{}, err
		}
		touch(&t)
		return bearerShot(t.String()), nil
	}
}

// unsecured replaces the header by one that claims to need no signature (RFC
// 7519 §6).
func unsecured(alg string) func(t *JWS) {
	return func(t *JWS) {
		t.Header, t.Signature = EncodePart(map[string]string{"alg": alg, "typ": "JWT"}), ""
	}
}

// swapAlg exchanges HS256 and a public-key algorithm. If the server publishes a
// key, the token is signed by HS256 with that key as its secret. A server that
// uses the key for any algorithm named in the token would accept it.
func swapAlg(ctx context.Context, a *assault) (shot, error) {
	t, err := Dismantle(a.eve.access)
	if err != nil {
		return shot{}, err
	}
	if t.Alg() != token.EdDSA {
		t.Header = Edited(t.Header, "alg", "RS256")
		return bearerShot(t.String()), nil
	}
	published, err := a.publicKey(ctx)
	if err != nil {
		return shot{}, err
	}
	t.Header = Edited(t.Header, "alg", token.HS256)
	t.sign(string(published))
	return bearerShot(t.String()), nil
}

// publicKey returns the first key that the server publishes.
func (a *assault) publicKey(ctx context.Context) ([]byte, error) {
	const path = "GET /.well-known/jwks.json"
	got, err := a.send(ctx, path, shot{})
	var set token.JWKSet
	if err == nil {
		err = json.Unmarshal(got.body, &set)
	}
	if err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf("%s has no key: %w", path, errors.Join(err, got))
	}
	return base64.RawURLEncoding.DecodeString(set.Keys[0].Public)
}

// signInAgain signs the attacker in once more.
func (a *assault) signInAgain(ctx context.Context) (throwaway, error) {
	again := a.eve
	return again, a.enter(ctx, "POST /api/v1/auth/signin", &again, nil)
}

// replayAfterLogout signs in once more, checks that the token works, and logs
// out.
func replayAfterLogout(ctx context.Context, a *assault) (shot, error) {
	leaving, err := a.signInAgain(ctx)
	if err != nil {
		return shot{}, err
	}
	s := bearerShot(leaving.access)
	if _, err := a.need(ctx, whoAmI, s); err != nil {
		return shot{}, err
	}
	_, err = a.need(ctx, "DELETE /api/v1/auth/logout", s)
	return s, err
}

// held returns a write whose body is held back while meanwhile runs.
func held(token string, meanwhile func(s shot) error) shot {
	s := bearerShot(token)
	s.control.token = token
	s.body, s.meanwhile = `{"firstname":"Eve"}`, func() error { return meanwhile(bearerShot(token)) }
	return s
}

// heldPastLogout signs in once more, and logs out while a body is held back.
func heldPastLogout(ctx context.Context, a *assault) (shot, error) {
	leaving, err := a.signInAgain(ctx)
	return held(leaving.access, func(s shot) error {
		_, err := a.need(ctx, "DELETE /api/v1/auth/logout", s)
		return err
	}), err
}

// heldPastDeletion deletes a third account while its own request's body is held
// back.
func heldPastDeletion(ctx context.Context, a *assault) (shot, error) {
	going, err := a.another(ctx)
	return held(going.access, func(s shot) error { return a.delete(ctx, going, s) }), err
}

// restoreItself signs in once more and revokes the refresh token, as an owner
// does after a theft. Then the thief uses the access token of that sign-in.
func restoreItself(ctx context.Context, a *assault) (shot, error) {
	again, err := a.signInAgain(ctx)
	if err != nil {
		return shot{}, err
	}
	s := bearerShot(again.access)
	if a.token, err = a.tokenID(ctx, s, again.refresh); err != nil {
		return shot{}, err
	}
	s.control.token = again.access
	s.body = `{"revoke":true}`
	if _, err = a.need(ctx, a.path("PUT /api/v1/auth/tokens/{token}"), s); err != nil {
		return shot{}, err
	}
	s.body = `{"revoke":false}`
	return s, nil
}

// tokenID returns the id of a token from its owner's list of tokens.
func (a *assault) tokenID(ctx context.Context, s shot, text string) (int, error) {
	const list = "GET /api/v1/auth/tokens"
	got, err := a.need(ctx, list, s)
	if err != nil {
		return 0, err
	}
	t, err := Dismantle(text)
	var tokens struct {
		Data []struct {
			ID  int    `json:"token_id"`
			JTI string `json:"jti"`
		}
	}
	if err := errors.Join(err, json.Unmarshal(got.body, &tokens)); err != nil {
		return 0, err
	}
	for _, one := range tokens.Data {
		if string(strictjson.Encode(one.JTI)) == string(Members(t.Payload)["jti"]) {
			return one.ID, nil
		}
	}
	return 0, errors.New(list + " has no such token")
}

// errNotRotated means that a refresh token can be used more than once.
var errNotRotated = errors.New("the server doesn't rotate refresh tokens")

// replayRefresh signs in once more. The thief uses the refresh token, and then
// its successor. The owner then uses the first one, which shows the theft to
// the server. The thief tries the newest token.
func replayRefresh(ctx context.Context, a *assault) (shot, error) {
	again, err := a.signInAgain(ctx)
	stolen := again.refresh
	for i := 0; i < 2 && err == nil; i++ {
		stolen, err = a.rotated(ctx, stolen)
	}
	if err == nil {
		_, err = a.send(ctx, refreshing, bearerShot(again.refresh))
	}
	return bearerShot(stolen), err
}

const refreshing = "POST /api/v1/auth/refresh"

// rotated uses a refresh token and returns its successor, or errNotRotated if
// there is none.
func (a *assault) rotated(ctx context.Context, refresh string) (string, error) {
	got, err := a.need(ctx, refreshing, bearerShot(refresh))
	if err != nil {
		return "", err
	}
	var next struct {
		Refresh string `json:"refresh_token"`
	}
	switch err := got.element(&next); {
	case err != nil:
		return "", err
	case next.Refresh == "":
		return "", errNotRotated
	}
	return next.Refresh, nil
}

// onItem returns the attacker's token for a request to ann's item, which every
// user may read.
func (a *assault) onItem() shot {
	s := bearerShot(a.eve.access)
	s.control.request = "GET /api/v1/items/{item}"
	return s
}

// withRefreshToken sends a refresh token, or a token made from one. The control
// is that the refresh token gets a new access token.
func (a *assault) withRefreshToken(token string) shot {
	s := bearerShot(token)
	s.control.request, s.control.token = refreshing, a.eve.refresh
	return s
}

func bearerShot(token string) shot { return shot{bearers: []string{token}} }

// A JWS is a token in its three parts (RFC 7515 §3.1).
type JWS struct{ Header, Payload, Signature string }

func (t JWS) String() string { return t.Header + "." + t.Payload + "." + t.Signature }

// Dismantle splits a token. It fails for a text that is not a signed JWT.
func Dismantle(token string) (JWS, error) {
	parts := strings.Split(token, ".")
	bad := errors.New("the server's own token is not a signed JWT")
	if len(parts) != 3 || Members(parts[0]) == nil || Members(parts[1]) == nil {
		return JWS{}, bad
	}
	if signature, err := base64.RawURLEncoding.DecodeString(parts[2]); err != nil || len(signature) == 0 {
		return JWS{}, bad
	}
	return JWS{parts[0], parts[1], parts[2]}, nil
}

func (t JWS) Alg() (alg string) {
	json.Unmarshal(Members(t.Header)["alg"], &alg)
	return alg
}

// Time returns a time in the claims.
func (t JWS) Time(claim string) time.Time {
	var seconds int64
	json.Unmarshal(Members(t.Payload)[claim], &seconds)
	return time.Unix(seconds, 0)
}

// sign signs with a secret of the attacker's, by the token's kind of algorithm.
func (t *JWS) sign(secret string) {
	text := t.Header + "." + t.Payload
	var signature []byte
	if t.Alg() == token.EdDSA {
		signature = ed25519.Sign(seeded(secret), []byte(text))
	} else {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	t.Signature = base64.RawURLEncoding.EncodeToString(signature)
}

// seeded returns an Ed25519 key made from any text.
func seeded(secret string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(secret))
	return ed25519.NewKeyFromSeed(seed[:])
}

// Members returns the members of a part of a token, or nil if it is no JSON
// object.
func Members(part string) (m map[string]json.RawMessage) {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil || json.Unmarshal(text, &m) != nil {
		return nil
	}
	return m
}

// Edited returns a part of a token with one member changed.
func Edited(part, name string, value any) string {
	m := Members(part)
	m[name] = strictjson.Encode(value)
	return EncodePart(m)
}

func EncodePart(v any) string { return base64.RawURLEncoding.EncodeToString(strictjson.Encode(v)) }

// neighbour returns the letter that differs from another in its lowest bit.
func neighbour(letter byte) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" // RFC 4648 §5
	i := strings.IndexByte(letters, letter)
	return letters[i^1 : i^1+1]
}

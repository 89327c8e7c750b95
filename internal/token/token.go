// Package token makes JSON Web Tokens and verifies them (RFC 7519, RFC 8725). It is
// the only one that imports golang-jwt.
//
//	ring, _, err := token.LoadKeys("shelf.key", token.HS256, now)
//	text, err := ring.Sign(token.Claims{Subject: "…", ID: token.NewUUID(), …})
//	claims, err := ring.Verify(text, now)
//
// A token is verified in steps, each a Check: its text, its algorithm, its signature,
// its times, its other claims. The first that fails ends the matter, with an *Error.
// The steps after those (its type, its user, whether it was revoked) are the
// caller's, who knows users and revoked tokens; their Kinds and Checks are named
// here, so that all refusals are of one type.
//
// A Keyring holds the keys: those of a SECRET_KEY, or those of a key file, a JWK Set
// (RFC 7517) that LoadKeys makes and RotateKey and ReplaceKeys change.
package token

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/shelf/internal/strictjson"
)

// Issuer is this server's name in the tokens it makes (RFC 7519 §4.1.1).
const Issuer = "shelf"

// The two types of token: access opens the API for minutes, refresh gets a new
// access token for weeks and opens nothing else.
const (
	Access  = "access"
	Refresh = "refresh"
)

// MaxLength bounds what a stranger can make the parser read. Our own tokens take
// about 500 bytes.
const MaxLength = 8 << 10

// Claims is what a token says.
type Claims struct {
	Subject   string    // sub: the public ID of the user it speaks for
	PublicID  string    // public_id: the same again, under the book tutorial's name
	ID        string    // jti: by which the store knows it, see NewUUID
	Type      string    // Access or Refresh
	Fresh     bool      // made from a password, not from a refresh token
	Issuer    string    // iss: issuer
	IssuedAt  time.Time // iat; like all times in a token in whole seconds
	NotBefore time.Time // nbf: refused before
	ExpiresAt time.Time // exp: refused from this second on
}

// Kind is why a token is refused.
type Kind int

const (
	Missing   Kind = iota // no token was sent
	NotBearer             // credentials of another scheme were sent
	Empty                 // the scheme was sent, and no token behind it
	Malformed             // not a JWT, a bad signature, a bad claim
	Expired
	Revoked   // revoked, or unknown to the store
	WrongType // a refresh token where an access token belongs, or the reverse
	UserGone
	Disabled // its user is disabled
)

// A Check is a thing that a token must stand. They are made in this order, and
// the first that fails ends the matter, so a refusal at one of them says that
// those before it were passed.
type Check int

const (
	CheckHeader Check = iota // of the request, where the token was looked for
	CheckText
	CheckAlgorithm
	CheckSignature // and whether there is a key for it
	CheckTimes
	CheckClaims
	CheckType
	CheckUser
	CheckRevocation
)

// A Error refuses a token.
type Error struct {
	Kind    Kind
	At      Check
	Message string // what the client reads
	Detail  string // what error_description and the log have to add, "" for nothing
}

func (e *Error) Error() string { return e.Description() }

// Description is the detail, or else the message. A detail may say what the
// store knows only where the signature was verified: then it is told to somebody
// who was given the token by us.
func (e *Error) Description() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Message
}

// Challenge is what a WWW-Authenticate header says of the refusal (RFC 6750 §3).
func (e *Error) Challenge() string {
	return `error="invalid_token", error_description="` + descriptionText(e.Description()) + `"`
}

// descriptionText keeps only what RFC 6750 §3 allows in an error_description:
// printable ASCII without the double quote and the backslash.
func descriptionText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < 0x20, r > 0x7e, r == '\\':
			return '?'
		}
		return r
	}, s)
}

const badHeader = "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"

// The refusals that are the same for every token.
var (
	ErrMissing   = &Error{Kind: Missing, At: CheckHeader, Message: "Missing Authorization Header"}
	errNotBearer = &Error{Kind: NotBearer, At: CheckHeader, Message: "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"}
	errEmpty     = &Error{Kind: Empty, At: CheckHeader, Message: badHeader}
	errBadHeader = &Error{Kind: Malformed, At: CheckHeader, Message: badHeader}
)

func malformed(at Check, message, detail string) *Error {
	return &Error{Kind: Malformed, At: at, Message: message, Detail: detail}
}

// Ago words how long ago a moment of the past was, in whole seconds as all
// times of tokens.
func Ago(past, now time.Time) string {
	return now.Sub(past).Truncate(time.Second).String() + " ago"
}

// until is how long a moment of the future is away.
func until(future, now time.Time) time.Duration {
	return future.Sub(now).Round(time.Second).Truncate(time.Second) // the longest Duration can't be rounded
}

// Bearer takes the token out of a request's Authorization header, given
// all lines of that name. The scheme's name matches in any case (RFC 9110
// §11.1). Errors are *Error.
func Bearer(lines []string) (string, error) {
	if len(lines) == 0 || len(lines) == 1 && strings.Trim(lines[0], " ") == "" {
		return "", ErrMissing
	}
	if len(lines) > 1 { // a proxy in front may have judged the other one
		return "", errBadHeader
	}
	scheme, token, _ := strings.Cut(strings.Trim(lines[0], " "), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errNotBearer
	}
	token = strings.TrimLeft(token, " ")
	switch {
	case token == "":
		return "", errEmpty
	case strings.Contains(token, " ") || strings.Contains(token, "\t"):
		return "", errBadHeader
	}
	return token, nil
}

// Sign makes a token that says c.
func (r *Keyring) Sign(c Claims) (string, error) {
	signer := r.keys[0]
	token := jwt.NewWithClaims(jwt.GetSigningMethod(signer.Alg), jwt.MapClaims{
		"sub":       c.Subject,
		"public_id": c.PublicID,
		"jti":       c.ID,
		"type":      c.Type,
		"fresh":     c.Fresh,
		"iat":       c.IssuedAt.Unix(),
		"nbf":       c.NotBefore.Unix(),
		"exp":       c.ExpiresAt.Unix(),
		"iss":       c.Issuer,
	})
	token.Header["kid"] = signer.ID
	text, err := token.SignedString(signer.signing)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// newParser is the library's part of verify, for tokens by algs.
func newParser(algs []string) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(algs),    // ours, whatever the token asks for (RFC 8725 §3.1)
		jwt.WithStrictDecoding(),      // one token has one spelling (RFC 4648 §3.5)
		jwt.WithoutClaimsValidation(), // rawClaims.judge does that, and only once the signature is verified
	)
}

// verify judges a token by all that it says itself, in this order: its text,
// algorithm, signature, times, other claims. It returns the key that signed it,
// too. Errors are *Error.
func (r *Keyring) verify(text string, now time.Time) (*Claims, *Key, error) {
	if len(text) > MaxLength {
		return nil, nil, malformed(CheckText, "The token is longer than 8 KiB", "")
	}
	if strings.ContainsAny(text, "\r\n") { // encoding/base64 skips them, strict or not
		return nil, nil, malformed(CheckText, "The token has a line break in it", "")
	}
	var raw rawClaims
	var by *Key
	_, err := r.parser.ParseWithClaims(text, &raw, func(t *jwt.Token) (any, error) {
		segment, _, _ := strings.Cut(t.Raw, ".")
		header, err := readHeader(segment)
		if err != nil {
			return nil, err
		}
		if by, err = r.KeyFor(header, now); err != nil {
			return nil, err
		}
		return by.verifying, nil
	})
	if err != nil {
		return nil, nil, r.nameFault(text, now, err)
	}
	c, err := raw.judge(now)
	if err != nil {
		return nil, nil, err
	}
	return c, by, nil
}

// readHeader decodes a header more strictly than the parser does: a parameter
// given twice may mean one thing to us and another to somebody else, so it is
// refused (RFC 7515 §4).
func readHeader(segment string) (strictjson.Object, error) {
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil, malformed(CheckText, "Invalid header padding", "")
	}
	header, err := strictjson.Decode(text)
	if err != nil {
		return nil, malformed(CheckText, "Invalid header string: must be a json object", "Invalid header string: "+err.Error())
	}
	return header, nil
}

// KeyFor finds the key that a token must be signed with: the one that kid names
// or else the one that signs. It only chooses among the keys of the ring; kid
// is looked up in a map and nowhere else (RFC 8725 §3.10), and what a header
// says of keys elsewhere (jku, jwk, x5u) is not read at all.
func (r *Keyring) KeyFor(header strictjson.Object, now time.Time) (*Key, error) {
	// Each names extensions that must be understood, and we know none (RFC 7515 §4.1.11).
	if header.Has("crit") {
		return nil, malformed(CheckAlgorithm, "Critical header parameters (crit) are not supported", "")
	}
	found := r.keys[0]
	if header.Has("kid") {
		id, ok := header.Text("kid")
		if !ok {
			return nil, malformed(CheckSignature, "Key ID header parameter must be a string", "")
		}
		found = r.byID[id]
	}
	if found == nil || found.Ended(now) {
		return nil, malformed(CheckSignature, "Signature verification failed", "Signature verification failed: no key has this kid")
	}
	// A key serves its own algorithm only; else a public key, which everybody
	// knows, would pass for an HMAC secret (RFC 8725 §2.1 and §3.1).
	if alg, _ := header.Text("alg"); alg != found.Alg {
		return nil, malformed(CheckAlgorithm, "The specified alg value is not allowed", "")
	}
	return found, nil
}

// NewUUID makes a token's ID: a UUID of version 4, that is 122 random bits (RFC
// 9562 §5.4), so that nobody can guess one or make it a second time.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it would rather end the process
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

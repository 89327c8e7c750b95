// Package token makes JSON Web Tokens and verifies them (RFC 7519, RFC 8725). It is
// the only package that imports golang-jwt.
//
//	keys := token.MemoryKeys(token.HS256)
//	claims := token.NewClaims(user, token.Access, now, now.Add(15*time.Minute))
//	text, err := keys.Sign(claims)
//	…
//	claims, err := keys.Verify(text, now)
//
// A [Keyring] holds the keys. [LoadKeys] reads them from a key file, [SecretKeys]
// takes a SECRET_KEY. A [Cache] in front of a Keyring remembers what was verified.
//
// To learn from the code, read token.go from the top: what a token says, how it is signed, where a request
// has it, how it is verified. Verify uses golang-jwt as its documentation shows. What
// golang-jwt doesn't check follows in functions of a few lines, each with the section
// of the standard that asks for it.
//
// Every refusal is an [Error] with a [Reason]. The words of the refusals imitate
// another library, and stand in pyjwt.go.
//
// Verify judges what a token says. Is it of the type that is wanted here? Is its user
// still there? Was it revoked? Those are questions for the caller, who has the store.
package token

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/shelf/internal/strictjson"
)

// Issuer is the name of this server in its tokens (RFC 7519 §4.1.1).
const Issuer = "shelf"

// The types of token. An access token opens the API for minutes. A refresh token
// gets new access tokens for weeks, and opens nothing else.
const (
	Access  = "access"
	Refresh = "refresh"
)

// Claims is what a token says. Everybody who has the token can read it.
type Claims struct {
	// RegisteredClaims has the claims of RFC 7519 §4.1: iss, the server that made the
	// token; sub, the user that it speaks for; jti, its own id; iat, nbf and exp, the
	// times when it was made, when it begins and when it ends.
	jwt.RegisteredClaims

	PublicID string `json:"public_id"` // sub again: kept for the tutorial on books; a new API should have sub only
	Type     string `json:"type"`      // Access or Refresh
	Fresh    bool   `json:"fresh"`     // the user gave a password for it, and not a refresh token; shelf doesn't read it

	fault  error         // what UnmarshalJSON found; Validate returns it
	leeway time.Duration // of the Keyring
}

// The methods that golang-jwt calls: see its type ClaimsValidator.
var _ jwt.ClaimsValidator = (*Claims)(nil)

// NewClaims returns the claims of a new token for the user called subject. Its times
// are whole seconds.
func NewClaims(subject, typ string, issued, expires time.Time) Claims {
	return Claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    Issuer,
			Subject:   subject,
			ID:        NewUUID(),
			IssuedAt:  jwt.NewNumericDate(issued),
			NotBefore: jwt.NewNumericDate(issued),
			ExpiresAt: jwt.NewNumericDate(expires),
		},
		PublicID: subject,
		Type:     typ,
	}
}

// NewUUID makes the id of a token: a UUID of version 4, with 122 random bits (RFC
// 9562 §5.4). It can't be guessed.
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it would end the process
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Sign makes a token that says c. The header names the algorithm and the key.
func (r *Keyring) Sign(c Claims) (string, error) {
	key := r.keys[0]
	t := jwt.NewWithClaims(jwt.GetSigningMethod(key.Alg), &c)
	t.Header["kid"] = key.ID
	text, err := t.SignedString(key.signing)
	if err != nil {
		return "", fmt.Errorf("signing a token: %w", err)
	}
	return text, nil
}

// Bearer returns the token of a request, given all lines of its Authorization header
// (RFC 6750 §2.1). The word Bearer may be in any case (RFC 9110 §11.1).
func Bearer(lines []string) (string, error) {
	if len(lines) == 0 || len(lines) == 1 && strings.Trim(lines[0], " ") == "" {
		return "", ErrMissing
	}
	if len(lines) > 1 { // a proxy in front may have checked the other line
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

// A Verifier verifies tokens: a [Keyring], or a [Cache] in front of one.
type Verifier interface {
	// Verify returns what a token says, if the token is good at that moment. The
	// caller must not change the claims. Errors are *Error.
	Verify(text string, now time.Time) (*Claims, error)
}

// Keys sign and verify tokens: a [Keyring], or [Shared] keys.
type Keys interface {
	Verifier

	// Sign makes a token that says c.
	Sign(c Claims) (string, error)
	// JWKS returns the public keys that verify.
	JWKS(now time.Time) JWKSet
	// Ring returns the keys as they are now. It returns the same Keyring until they
	// change.
	Ring() *Keyring

	verify(text string, now time.Time) (*Claims, *Key, error)
}

// Verify implements [Verifier].
func (r *Keyring) Verify(text string, now time.Time) (*Claims, error) {
	claims, _, err := r.verify(text, now)
	return claims, err
}

// verify is Verify, and also returns the key that signed the token.
//
// The parser checks the algorithm, and then calls findKey. With that key it verifies
// the signature. Then it checks the claims: by its own rules, and by Validate.
// A token may have several faults. inWords chooses the one that the answer names.
func (r *Keyring) verify(text string, now time.Time) (*Claims, *Key, error) {
	if err := checkText(text); err != nil {
		return nil, nil, err
	}
	var signer *Key // findKey sets it
	findKey := func(t *jwt.Token) (any, error) {
		header, err := readHeader(t.Raw)
		if err != nil {
			return nil, err
		}
		key, err := r.KeyFor(header, now)
		if err != nil {
			return nil, err
		}
		signer = key
		return key.verifying, nil
	}
	// The parser doesn't call UnmarshalJSON for the payload null. Then errNotRead stays,
	// and Validate returns it. For any other payload UnmarshalJSON sets the fault.
	claims := &Claims{fault: errNotRead, leeway: r.leeway}
	_, refusal := newParser(r.algs, now, r.leeway).ParseWithClaims(text, claims, findKey)
	if refusal != nil {
		return nil, nil, r.inWords(text, now, claims, refusal)
	}
	claims.leeway = 0 // it is of the parser alone
	return claims, signer, nil
}

// newParser is golang-jwt's part of verification, at the moment now.
func newParser(algs []string, now time.Time, leeway time.Duration) *jwt.Parser {
	return jwt.NewParser(
		jwt.WithValidMethods(algs), // the server chooses the algorithm, not the token: alg none ends here (RFC 8725 §3.1)
		jwt.WithStrictDecoding(),   // a token has one spelling only (RFC 4648 §3.5)
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithExpirationRequired(), // every token ends (RFC 7519 leaves it open)
		jwt.WithIssuedAt(),           // a token from the future is no token of ours (RFC 7519 leaves it open; PyJWT refuses it too)
		jwt.WithLeeway(leeway),
		jwt.WithIssuer(Issuer), // RFC 8725 §3.8
	)
}

// leeway is how far iat and nbf may lie ahead of the clock: a clock that was put back
// a little must not refuse the tokens that it has just dated.
const leeway = 5 * time.Second

// GetExpirationTime returns exp, less the leeway, for golang-jwt to compare with the
// clock. golang-jwt has one leeway for all times and adds it to exp. The two cancel
// out, so a token ends on the second (RFC 7519 §4.1.4).
func (c *Claims) GetExpirationTime() (*jwt.NumericDate, error) {
	if c.ExpiresAt == nil {
		return nil, nil
	}
	return jwt.NewNumericDate(c.ExpiresAt.Add(-c.leeway)), nil
}

// GetIssuer returns iss for golang-jwt to compare with Issuer. A token without iss
// passes: kept for the tutorials, whose tokens have none; a new API should require it.
func (c *Claims) GetIssuer() (string, error) {
	if c.Issuer == "" {
		return Issuer, nil
	}
	return c.Issuer, nil
}

// MaxLength is the most bytes that a token may have. Tokens of shelf have about 430.
const MaxLength = 8 << 10

// checkText bounds what the parser has to read. It refuses line breaks too:
// encoding/base64 skips them, also in its strict mode, and a token has one spelling
// only.
func checkText(text string) error {
	switch {
	case len(text) > MaxLength:
		return errTooLong
	case strings.ContainsAny(text, "\r\n"):
		return errLineBreak
	}
	return nil
}

// readHeader reads the header of a token. golang-jwt takes the last of two members
// with one name, another library may take the first: such a header is refused (RFC
// 7515 §4).
func readHeader(text string) (strictjson.Object, error) {
	segment, _, _ := strings.Cut(text, ".")
	decoded, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil, errHeaderBase64
	}
	header, err := strictjson.Decode(decoded)
	if err != nil {
		return nil, badHeaderObject(err)
	}
	return header, nil
}

// KeyFor returns the key that must have signed a token with that header.
func (r *Keyring) KeyFor(header strictjson.Object, now time.Time) (*Key, error) {
	if err := checkCritical(header); err != nil {
		return nil, err
	}
	key, err := r.lookUp(header, now)
	if err != nil {
		return nil, err
	}
	if err := key.checkAlg(header); err != nil {
		return nil, err
	}
	return key, nil
}

// checkCritical refuses crit: it lists extensions that a reader has to understand,
// and this server understands none (RFC 7515 §4.1.11).
func checkCritical(header strictjson.Object) error {
	if header.Has("crit") {
		return errCritical
	}
	return nil
}

// lookUp finds the key that kid names, or without kid the key that signs. kid is
// looked up in a map and used for nothing else: it is no file and no query (RFC 8725
// §3.10). A key that the header brings along (jwk, jku, x5c, x5u) is not read at all.
func (r *Keyring) lookUp(header strictjson.Object, now time.Time) (*Key, error) {
	key := r.keys[0]
	if header.Has("kid") {
		id, ok := header.Text("kid")
		if !ok {
			return nil, errKeyIDNoText
		}
		key = r.byID[id]
	}
	if key == nil || key.Ended(now) {
		return nil, errNoSuchKey
	}
	return key, nil
}

// checkAlg refuses a token by another algorithm than the key's own. A public key is
// known to everybody: as an HMAC secret it would let everybody sign (RFC 8725 §2.1
// and §3.1).
func (k *Key) checkAlg(header strictjson.Object) error {
	if alg, _ := header.Text("alg"); alg != k.Alg {
		return errBadAlgorithm
	}
	return nil
}

// UnmarshalJSON reads the claims more strictly than encoding/json reads a struct. That
// takes the last of two members with one name, EXP for exp, and "1" for 1: another
// reader of the same token could see other claims (RFC 7519 §4).
//
// The parser calls UnmarshalJSON before it verifies the signature. So UnmarshalJSON
// returns no error: it notes the first fault, and Validate returns that fault. The
// sender of a forged token is then told about the signature only.
func (c *Claims) UnmarshalJSON(text []byte) error {
	members, err := strictjson.Decode(text)
	if err != nil {
		c.fault = badPayload(err)
		return nil
	}
	var faults [8]error // the times come first
	c.IssuedAt, faults[0] = date(members, "iat")
	c.NotBefore, faults[1] = date(members, "nbf")
	c.ExpiresAt, faults[2] = date(members, "exp")
	c.Subject, faults[3] = nonEmpty(members, "sub")
	c.ID, faults[4] = nonEmpty(members, "jti")
	c.Type, faults[5] = nonEmpty(members, "type")
	c.PublicID, faults[6] = nonEmpty(members, "public_id")
	c.Issuer, faults[7] = nonEmpty(members, "iss")
	c.Fresh = string(members.Value("fresh")) == "true"
	if members.Has("aud") {
		c.Audience = jwt.ClaimStrings{string(members.Value("aud"))} // whatever it says: Validate refuses it
	}
	c.fault = cmp.Or(faults[:]...)
	return nil
}

// date reads a time: whole seconds since 1970. RFC 7519 §2 allows fractions; our
// tokens have none. 48 bits reach past the year four million, and no arithmetic on
// such a time overflows.
func date(members strictjson.Object, claim string) (*jwt.NumericDate, error) {
	if !members.Has(claim) {
		return nil, nil
	}
	seconds, err := strconv.ParseInt(string(members.Value(claim)), 10, 48)
	if err != nil {
		return nil, notInteger(claim)
	}
	return jwt.NewNumericDate(time.Unix(seconds, 0).UTC()), nil
}

// nonEmpty reads a text that is not empty, "" if there is none.
func nonEmpty(members strictjson.Object, claim string) (string, error) {
	text, _ := members.Text(claim)
	if text == "" && members.Has(claim) {
		return "", invalidClaim(claim)
	}
	return text, nil
}

// Validate has the rules that golang-jwt leaves to the application. The parser calls
// it when the signature is verified.
func (c *Claims) Validate() error {
	switch {
	case c.fault != nil:
		return c.fault
	case c.Subject == "": // RFC 7519 §4.1.2
		return missingClaim("sub")
	case c.ID == "": // without a jti no store can know the token (RFC 7519 §4.1.7)
		return missingClaim("jti")
	case c.Type == "": // a refresh token must not pass for an access token (RFC 8725 §3.12)
		return missingClaim("type")
	case c.Type != Access && c.Type != Refresh:
		return invalidClaim("type")
	case c.PublicID != "" && c.PublicID != c.Subject: // two names for one user
		return invalidClaim("public_id")
	case len(c.Audience) > 0: // our tokens have no aud, so it names others (RFC 7519 §4.1.3)
		return invalidClaim("aud")
	}
	return nil
}

// Time reads a time as Verify does. ok is false if the claim is missing or no time.
func Time(claims strictjson.Object, claim string) (at time.Time, ok bool) {
	d, err := date(claims, claim)
	if d == nil || err != nil {
		return time.Time{}, false
	}
	return d.Time, true
}

package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/shelf/internal/strictjson"
)

// issuer is this server's name in the tokens it makes (RFC 7519 §4.1.1).
const issuer = "shelf"

// The two types of token: access opens the API for minutes, refresh gets a new
// access token for weeks and opens nothing else.
const (
	accessToken  = "access"
	refreshToken = "refresh"
)

// maxToken bounds what a stranger can make the parser read. Our own tokens take
// about 500 bytes.
const maxToken = 8 << 10

// claims is what a token says.
type claims struct {
	Subject   string    // sub: the public ID of the user it speaks for
	PublicID  string    // public_id: the same again, under the book tutorial's name
	ID        string    // jti: by which the store knows it, see newJTI
	Type      string    // accessToken or refreshToken
	Fresh     bool      // made from a password, not from a refresh token
	Issuer    string    // iss: issuer
	IssuedAt  time.Time // iat; like all times in a token in whole seconds
	NotBefore time.Time // nbf: refused before
	ExpiresAt time.Time // exp: refused from this second on
}

// tokenKind is why a token is refused; errors.go gives each its status.
type tokenKind int

const (
	tokenMissing   tokenKind = iota // no token was sent
	tokenNotBearer                  // credentials of another scheme were sent
	tokenEmpty                      // the scheme was sent, and no token behind it
	tokenMalformed                  // not a JWT, a bad signature, a bad claim
	tokenExpired
	tokenRevoked   // revoked, or unknown to the store
	tokenWrongType // a refresh token where an access token belongs, or the reverse
	tokenUserGone
	tokenDisabled // its user is disabled
)

// A check is a thing that a token must stand. They are made in this order, and
// the first that fails ends the matter, so a refusal at one of them says that
// those before it were passed.
type check int

const (
	checkHeader check = iota // of the request, where the token was looked for
	checkText
	checkAlgorithm
	checkSignature // and whether there is a key for it
	checkTimes
	checkClaims
	checkType
	checkUser
	checkRevocation
)

// A tokenError refuses a token.
type tokenError struct {
	kind    tokenKind
	at      check
	message string // what the client reads
	detail  string // what error_description and the log have to add, "" for nothing
}

func (e *tokenError) Error() string { return e.description() }

// description is the detail, or else the message. A detail may say what the
// store knows only where the signature was verified: then it is told to somebody
// who was given the token by us.
func (e *tokenError) description() string {
	if e.detail != "" {
		return e.detail
	}
	return e.message
}

const badHeader = "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'"

// The refusals that are the same for every token.
var (
	errTokenMissing   = &tokenError{kind: tokenMissing, at: checkHeader, message: "Missing Authorization Header"}
	errTokenNotBearer = &tokenError{kind: tokenNotBearer, at: checkHeader, message: "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'"}
	errTokenEmpty     = &tokenError{kind: tokenEmpty, at: checkHeader, message: badHeader}
	errBadHeader      = &tokenError{kind: tokenMalformed, at: checkHeader, message: badHeader}
	errOnlyRefresh    = &tokenError{kind: tokenWrongType, at: checkType, message: "Only refresh tokens are allowed", detail: "this is an access token; only refresh tokens are allowed here"}
	errOnlyAccess     = &tokenError{kind: tokenWrongType, at: checkType, message: "Only non-refresh tokens are allowed", detail: "this is a refresh token; it is good for a new access token and for log-out only"}
	errTokenUserGone  = &tokenError{kind: tokenUserGone, at: checkUser, message: "User not found"}
	errTokenDisabled  = &tokenError{kind: tokenDisabled, at: checkUser, message: "Account is disabled"}
	errTokenRevoked   = &tokenError{kind: tokenRevoked, at: checkRevocation, message: "Token has been revoked"}
	errTokenUnknown   = &tokenError{kind: tokenRevoked, at: checkRevocation, message: "Token has been revoked", detail: "this server has no record of the token"}
)

func malformed(at check, message, detail string) *tokenError {
	return &tokenError{kind: tokenMalformed, at: at, message: message, detail: detail}
}

// since words how long ago a moment of the past was, in whole seconds as all
// times of tokens.
func since(past, now time.Time) string {
	return now.Sub(past).Truncate(time.Second).String() + " ago"
}

// until is how long a moment of the future is away.
func until(future, now time.Time) time.Duration {
	return future.Sub(now).Round(time.Second).Truncate(time.Second) // the longest Duration can't be rounded
}

// bearerToken takes the token out of a request's Authorization header, given
// all lines of that name. The scheme's name matches in any case (RFC 9110
// §11.1). Errors are *tokenError.
func bearerToken(lines []string) (string, error) {
	if len(lines) == 0 || len(lines) == 1 && strings.Trim(lines[0], " ") == "" {
		return "", errTokenMissing
	}
	if len(lines) > 1 { // a proxy in front may have judged the other one
		return "", errBadHeader
	}
	scheme, token, _ := strings.Cut(strings.Trim(lines[0], " "), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", errTokenNotBearer
	}
	token = strings.TrimLeft(token, " ")
	switch {
	case token == "":
		return "", errTokenEmpty
	case strings.Contains(token, " ") || strings.Contains(token, "\t"):
		return "", errBadHeader
	}
	return token, nil
}

// sign makes a token that says c.
func (r *keyring) sign(c claims) (string, error) {
	signer := r.keys[0]
	token := jwt.NewWithClaims(jwt.GetSigningMethod(signer.alg), jwt.MapClaims{
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
	token.Header["kid"] = signer.id
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
// algorithm, signature, times, other claims. Whether it is of the right type,
// its user still there and the token itself not revoked is left to the caller,
// who must not change the claims. Errors are *tokenError.
func (r *keyring) verify(text string, now time.Time) (*claims, error) {
	if len(text) > maxToken {
		return nil, malformed(checkText, "The token is longer than 8 KiB", "")
	}
	place, hash := r.verified.place(text)
	if v := place.Load(); v != nil && v.hash == hash && v.text == text && !v.key.ended(now) {
		if err := v.claims.judgeTimes(now); err != nil {
			return nil, err
		}
		return v.claims, nil
	}
	if strings.ContainsAny(text, "\r\n") { // encoding/base64 skips them, strict or not
		return nil, malformed(checkText, "The token has a line break in it", "")
	}
	var raw rawClaims
	var by *key
	_, err := r.parser.ParseWithClaims(text, &raw, func(t *jwt.Token) (any, error) {
		segment, _, _ := strings.Cut(t.Raw, ".")
		header, err := readHeader(segment)
		if err != nil {
			return nil, err
		}
		if by, err = r.keyFor(header, now); err != nil {
			return nil, err
		}
		return by.verifying, nil
	})
	if err != nil {
		return nil, r.nameFault(text, now, err)
	}
	c, err := raw.judge(now)
	if err != nil {
		return nil, err
	}
	if len(text) <= maxRemembered {
		place.Store(&verifiedToken{text, hash, by, c})
	}
	return c, nil
}

// A verifiedTokens remembers tokens that were found good, and what they say: to
// verify a signature and to take the JSON apart is two fifths of what a read
// costs, and gives the same each time. What may be another by the next request
// is judged each time: the times, whether the key has ended, and all that the
// store knows.
//
// It is a table of a fixed size. A token's place in it is given by its hash, and
// whoever comes later takes it: who has many tokens can make those of others
// slow again, and no more. It may be used from any goroutine.
type verifiedTokens struct {
	seed   maphash.Seed // secret: nobody can aim at a place, or learn a text from how long comparing takes
	places [1 << 12]atomic.Pointer[verifiedToken]
}

// A verifiedToken never changes.
type verifiedToken struct {
	text   string // all of it: no other token passes for this one
	hash   uint64 // of text
	key    *key   // that signed it
	claims *claims
}

// maxRemembered is how long a token may be to be remembered, in bytes: 4,096 of
// them, and what they say, then take ten megabytes at most.
const maxRemembered = 1 << 10

// place is where text is if it is remembered, and its hash.
func (t *verifiedTokens) place(text string) (*atomic.Pointer[verifiedToken], uint64) {
	hash := maphash.String(t.seed, text)
	return &t.places[hash%uint64(len(t.places))], hash
}

// readHeader decodes a header more strictly than the parser does: a parameter
// given twice may mean one thing to us and another to somebody else, so it is
// refused (RFC 7515 §4).
func readHeader(segment string) (strictjson.Object, error) {
	text, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		return nil, malformed(checkText, "Invalid header padding", "")
	}
	header, err := strictjson.Decode(text)
	if err != nil {
		return nil, malformed(checkText, "Invalid header string: must be a json object", "Invalid header string: "+err.Error())
	}
	return header, nil
}

// keyFor finds the key that a token must be signed with: the one that kid names
// or else the one that signs. It only chooses among the keys of the ring; kid
// is looked up in a map and nowhere else (RFC 8725 §3.10), and what a header
// says of keys elsewhere (jku, jwk, x5u) is not read at all.
func (r *keyring) keyFor(header strictjson.Object, now time.Time) (*key, error) {
	// Each names extensions that must be understood, and we know none (RFC 7515 §4.1.11).
	if header.Has("crit") {
		return nil, malformed(checkAlgorithm, "Critical header parameters (crit) are not supported", "")
	}
	found := r.keys[0]
	if header.Has("kid") {
		id, ok := header.Text("kid")
		if !ok {
			return nil, malformed(checkSignature, "Key ID header parameter must be a string", "")
		}
		found = r.byID[id]
	}
	if found == nil || found.ended(now) {
		return nil, malformed(checkSignature, "Signature verification failed", "Signature verification failed: no key has this kid")
	}
	// A key serves its own algorithm only; else a public key, which everybody
	// knows, would pass for an HMAC secret (RFC 8725 §2.1 and §3.1).
	if alg, _ := header.Text("alg"); alg != found.alg {
		return nil, malformed(checkAlgorithm, "The specified alg value is not allowed", "")
	}
	return found, nil
}

// base64url is the alphabet of RFC 4648 §5.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// nameFault words what the parser refused as PyJWT does, the library of the
// tutorials. It can't accept anything: it has only errors to return.
func (r *keyring) nameFault(text string, now time.Time, refusal error) error {
	var known *tokenError
	if errors.As(refusal, &known) {
		return known
	}
	// To PyJWT the header ends at the first dot and the signature starts after the last.
	first, last := strings.Index(text, "."), strings.LastIndex(text, ".")
	if first == last {
		return malformed(checkText, "Not enough segments", "")
	}
	header, err := readHeader(text[:first])
	if err != nil {
		return err
	}
	payload, err := base64.RawURLEncoding.DecodeString(text[first+1 : last])
	if err != nil {
		return malformed(checkText, "Invalid payload padding", "")
	}
	if strings.Trim(text[last+1:], base64url) != "" {
		return malformed(checkText, "Invalid crypto padding", "")
	}
	if alg, _ := header.Text("alg"); !slices.Contains(r.algs, alg) {
		return malformed(checkAlgorithm, "The specified alg value is not allowed", "")
	}
	found, err := r.keyFor(header, now)
	if err != nil {
		return err
	}
	// The parser reads the payload before it verifies the signature; a stranger
	// shall hear of the signature first.
	signature, err := base64.RawURLEncoding.Strict().DecodeString(text[last+1:])
	if err == nil && jwt.GetSigningMethod(found.alg).Verify(text[:last], signature, found.verifying) == nil && !json.Valid(payload) {
		return malformed(checkTimes, "Invalid payload string: must be a json object", "")
	}
	return malformed(checkSignature, "Signature verification failed", "")
}

// rawClaims is a payload that nobody has looked into. The parser fills it, and
// judges nothing but that it is JSON.
type rawClaims struct {
	jwt.RegisteredClaims // for its methods only, as the parser wants them: it stays empty
	text                 []byte
}

func (r *rawClaims) UnmarshalJSON(text []byte) error {
	r.text = bytes.Clone(text)
	return nil
}

// judge reads the claims and returns them if all are good at this moment: the
// times first, then the others.
func (r *rawClaims) judge(now time.Time) (*claims, error) {
	members, err := strictjson.Decode(r.text) // a claim given twice is refused (RFC 7519 §4)
	if err != nil {
		return nil, malformed(checkTimes, "Invalid payload string: must be a json object", "Invalid payload string: "+err.Error())
	}
	in := &claimReader{Object: members, at: checkTimes}
	c := &claims{
		IssuedAt:  in.date("iat", "Issued At"),
		NotBefore: in.date("nbf", "Not Before"),
		ExpiresAt: in.date("exp", "Expiration Time"),
	}
	if !in.Has("exp") { // RFC 7519 lets a token live forever; we don't
		in.refuse("Missing claim: exp")
	}
	if in.err != nil {
		return nil, in.err
	}
	if err := c.judgeTimes(now); err != nil {
		return nil, err
	}
	in.at = checkClaims
	c.Subject = in.text("sub") // RFC 7519 §4.1.2
	c.ID = in.text("jti")      // RFC 7519 §4.1.7
	c.Type = in.text("type", accessToken, refreshToken)
	if in.Has("public_id") {
		c.PublicID = in.text("public_id", c.Subject)
	}
	c.Fresh = string(in.Value("fresh")) == "true"
	if in.Has("iss") { // RFC 7519 §4.1.1
		c.Issuer = in.text("iss", issuer)
	}
	if in.Has("aud") { // it names others than us, who are never named (RFC 7519 §4.1.3)
		in.refuse("Invalid claim: aud")
	}
	if in.err != nil {
		return nil, in.err
	}
	return c, nil
}

// judgeTimes refuses a token before its time and after. There is no leeway:
// whoever made the times has the clock that they are checked by.
func (c *claims) judgeTimes(now time.Time) error {
	switch {
	case now.Before(c.IssuedAt): // RFC 7519 §4.1.6 leaves it open; PyJWT refuses it too
		return malformed(checkTimes, "The token is not yet valid (iat)", fmt.Sprintf("issued %v in the future (iat)", until(c.IssuedAt, now)))
	case now.Before(c.NotBefore): // RFC 7519 §4.1.5
		return malformed(checkTimes, "The token is not yet valid (nbf)", fmt.Sprintf("not valid for another %v (nbf)", until(c.NotBefore, now)))
	case !now.Before(c.ExpiresAt): // the very second is too late already (RFC 7519 §4.1.4)
		return &tokenError{kind: tokenExpired, at: checkTimes, message: "Token has expired", detail: "expired " + since(c.ExpiresAt, now)}
	}
	return nil
}

// A claimReader reads one claim after the other and keeps the first fault.
type claimReader struct {
	strictjson.Object
	at  check // what a fault is a fault of
	err error
}

func (in *claimReader) refuse(message string) {
	if in.err == nil {
		in.err = malformed(in.at, message, "")
	}
}

// date reads whole seconds since 1970. RFC 7519 §2 would allow fractions; no
// token of ours has any. 48 bits reach past the year four million, and no
// arithmetic on such a time overflows.
func (in *claimReader) date(name, title string) time.Time {
	if !in.Has(name) {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(string(in.Value(name)), 10, 48)
	if err != nil {
		in.refuse(title + " claim (" + name + ") must be an integer.")
	}
	return time.Unix(seconds, 0).UTC()
}

// text reads a string that must be there, and be one of those allowed if any
// are named.
func (in *claimReader) text(name string, allowed ...string) string {
	if !in.Has(name) {
		in.refuse("Missing claim: " + name)
	}
	s, ok := in.Object.Text(name)
	if !ok || s == "" || len(allowed) > 0 && !slices.Contains(allowed, s) {
		in.refuse("Invalid claim: " + name)
	}
	return s
}

// newJTI makes a token's ID: a UUID of version 4, that is 122 random bits (RFC
// 9562 §5.4), so that nobody can guess one or make it a second time.
func newJTI() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it would rather end the process
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

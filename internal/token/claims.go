package token

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"example.com/shelf/internal/strictjson"
)

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
func (r *rawClaims) judge(now time.Time) (*Claims, error) {
	members, err := strictjson.Decode(r.text) // a claim given twice is refused (RFC 7519 §4)
	if err != nil {
		return nil, malformed(CheckTimes, "Invalid payload string: must be a json object", "Invalid payload string: "+err.Error())
	}
	in := &claimReader{Object: members, at: CheckTimes}
	c := &Claims{
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
	in.at = CheckClaims
	c.Subject = in.text("sub") // RFC 7519 §4.1.2
	c.ID = in.text("jti")      // RFC 7519 §4.1.7
	c.Type = in.text("type", Access, Refresh)
	if in.Has("public_id") {
		c.PublicID = in.text("public_id", c.Subject)
	}
	c.Fresh = string(in.Value("fresh")) == "true"
	if in.Has("iss") { // RFC 7519 §4.1.1
		c.Issuer = in.text("iss", Issuer)
	}
	if in.Has("aud") { // it names others than us, who are never named (RFC 7519 §4.1.3)
		in.refuse("Invalid claim: aud")
	}
	if in.err != nil {
		return nil, in.err
	}
	return c, nil
}

// leeway is how far ahead of the clock iat and nbf may be: a clock that was put back
// a little must not refuse the tokens that it has just dated. exp has no leeway, as
// the only thing that a late end can do is harm.
const leeway = 5 * time.Second

// judgeTimes refuses a token before its time and after.
func (c *Claims) judgeTimes(now time.Time) error {
	switch {
	case now.Before(c.IssuedAt.Add(-leeway)): // RFC 7519 §4.1.6 leaves it open; PyJWT refuses it too
		return malformed(CheckTimes, "The token is not yet valid (iat)", fmt.Sprintf("issued %v in the future (iat)", until(c.IssuedAt, now)))
	case now.Before(c.NotBefore.Add(-leeway)): // RFC 7519 §4.1.5
		return malformed(CheckTimes, "The token is not yet valid (nbf)", fmt.Sprintf("not valid for another %v (nbf)", until(c.NotBefore, now)))
	case !now.Before(c.ExpiresAt): // the very second is too late already (RFC 7519 §4.1.4)
		return &Error{Kind: Expired, At: CheckTimes, Message: "Token has expired", Detail: "expired " + Ago(c.ExpiresAt, now)}
	}
	return nil
}

// A claimReader reads one claim after the other and keeps the first fault.
type claimReader struct {
	strictjson.Object
	at  Check // what a fault is a fault of
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

// Time is the moment that a claim names. ok is false if it names none that
// counts.
func Time(claims strictjson.Object, name string) (at time.Time, ok bool) {
	in := claimReader{Object: claims}
	at = in.date(name, "")
	return at, in.Has(name) && in.err == nil
}

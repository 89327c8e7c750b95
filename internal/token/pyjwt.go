package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// This file decides nothing. It has the words of the refusals: they are those of
// PyJWT and Flask-JWT-Extended, the libraries of the tutorials, so that clients of the
// tutorials read what they are used to. The two functions at its end are called for
// tokens that are refused already, and return errors only.

// Refusals of a request for its header.
var (
	ErrMissing   = &Error{Missing, "Missing Authorization Header", ""}
	errNotBearer = &Error{NotBearer, "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'", ""}
	errEmpty     = &Error{Empty, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'", ""}
	errBadHeader = &Error{BadHeader, errEmpty.Message, ""}
)

// Refusals of a token before its claims are read.
var (
	errTooLong        = &Error{BadText, "The token is longer than 8 KiB", ""}
	errLineBreak      = &Error{BadText, "The token has a line break in it", ""}
	errSegments       = &Error{BadText, "Not enough segments", ""}
	errHeaderBase64   = &Error{BadText, "Invalid header padding", ""}
	errPayloadBase64  = &Error{BadText, "Invalid payload padding", ""}
	errSignatureChars = &Error{BadText, "Invalid crypto padding", ""}
	errBadAlgorithm   = &Error{BadAlgorithm, "The specified alg value is not allowed", ""}
	errCritical       = &Error{BadAlgorithm, "Critical header parameters (crit) are not supported", ""}
	errKeyIDNoText    = &Error{BadSignature, "Key ID header parameter must be a string", ""}
	errBadSignature   = &Error{BadSignature, "Signature verification failed", ""}
	errNoSuchKey      = &Error{BadSignature, errBadSignature.Message, errBadSignature.Message + ": no key has this kid"}
	errNotRead        = &Error{BadTimes, "Invalid payload string: must be a json object", ""}
)

func badHeaderObject(err error) *Error {
	return &Error{BadText, "Invalid header string: must be a json object", "Invalid header string: " + err.Error()}
}

func badPayload(err error) *Error {
	return &Error{BadTimes, errNotRead.Message, "Invalid payload string: " + err.Error()}
}

func notInteger(claim string) *Error {
	titles := map[string]string{"iat": "Issued At", "nbf": "Not Before", "exp": "Expiration Time"}
	return &Error{BadTimes, fmt.Sprintf("%s claim (%s) must be an integer.", titles[claim], claim), ""}
}

func missingClaim(claim string) *Error { return &Error{BadClaims, "Missing claim: " + claim, ""} }

func invalidClaim(claim string) *Error { return &Error{BadClaims, "Invalid claim: " + claim, ""} }

// Ago says how long ago past was, in whole seconds.
func Ago(past, now time.Time) string {
	return now.Sub(past).Truncate(time.Second).String() + " ago"
}

// until returns the time left until future, rounded to seconds.
func until(future, now time.Time) time.Duration {
	return future.Sub(now).Round(time.Second).Truncate(time.Second) // the longest Duration can't be rounded
}

// inWords words the refusal of a token as PyJWT does. PyJWT checks in another order than
// golang-jwt. So inWords looks for the first check of PyJWT that fails.
func (r *Keyring) inWords(text string, now time.Time, c *Claims, refusal error) *Error {
	if errors.Is(refusal, jwt.ErrTokenInvalidClaims) { // the signature is good
		return claimsInWords(c, now, refusal)
	}
	if ours, ok := errors.AsType[*Error](refusal); ok {
		return ours
	}
	// To PyJWT the header ends at the first dot, and the signature starts after the last.
	first, last := strings.Index(text, "."), strings.LastIndex(text, ".")
	if first == last {
		return errSegments
	}
	signed, payload, signature := text[:last], text[first+1:last], text[last+1:]
	header, err := readHeader(text)
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	payloadText, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return errPayloadBase64
	}
	if strings.Trim(signature, base64url) != "" {
		return errSignatureChars
	}
	if alg, _ := header.Text("alg"); !slices.Contains(r.algs, alg) {
		return errBadAlgorithm
	}
	key, err := r.KeyFor(header, now)
	if ours, ok := errors.AsType[*Error](err); ok {
		return ours
	}
	// golang-jwt reads the payload before it verifies the signature. A stranger is told
	// about the signature first.
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err == nil && jwt.GetSigningMethod(key.Alg).Verify(signed, decoded, key.verifying) == nil && !json.Valid(payloadText) {
		return errNotRead
	}
	return errBadSignature
}

// base64url is the alphabet of RFC 4648 §5.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// claimsInWords is inWords for a token whose signature is good: golang-jwt returns
// everything that is wrong with the claims, and PyJWT names the first, times before
// the rest.
func claimsInWords(c *Claims, now time.Time, refusal error) *Error {
	ours, _ := errors.AsType[*Error](refusal) // from Validate
	switch {
	case ours != nil && ours.Reason == BadTimes:
		return ours
	case c.ExpiresAt == nil:
		return &Error{BadTimes, "Missing claim: exp", ""}
	case errors.Is(refusal, jwt.ErrTokenUsedBeforeIssued):
		return &Error{BadTimes, "The token is not yet valid (iat)", fmt.Sprintf("issued %v in the future (iat)", until(c.IssuedAt.Time, now))}
	case errors.Is(refusal, jwt.ErrTokenNotValidYet):
		return &Error{BadTimes, "The token is not yet valid (nbf)", fmt.Sprintf("not valid for another %v (nbf)", until(c.NotBefore.Time, now))}
	case errors.Is(refusal, jwt.ErrTokenExpired):
		return &Error{Expired, "Token has expired", "expired " + Ago(c.ExpiresAt.Time, now)}
	case ours != nil:
		return ours
	}
	return invalidClaim("iss")
}

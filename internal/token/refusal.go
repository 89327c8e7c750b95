package token

import "strings"

// A Reason is why a token is refused. From BadText on, the reasons are in the order of
// the answers: a token that is refused for one of them has none of the faults before
// it. docs/reading.md has the steps.
type Reason int

const (
	// The header of the request.
	Missing   Reason = iota // no token was sent
	NotBearer               // the credentials are of another scheme
	Empty                   // the scheme was sent, and no token behind it
	BadHeader               // two tokens, or two headers

	// What the token says: see Keyring.Verify.
	BadText      // it is not three parts in base64url, or its header is no JSON object
	BadAlgorithm // its algorithm is not the one in use, or it asks for an extension
	BadSignature // its signature is wrong, or no key has its kid
	BadTimes     // its claims can't be read, a time is no time, or lies in the future
	Expired
	BadClaims // one of its other claims is missing or wrong

	// What the server knows. Its caller has the store, and returns these.
	WrongType // a refresh token where an access token is wanted, or the reverse
	UserGone
	Disabled // its user is disabled
	Revoked  // it was revoked, or the store does not know it
)

// An Error refuses a token.
type Error struct {
	Reason  Reason
	Message string // what the client reads
	Detail  string // more for error_description and the log; "" for no more
}

func (e *Error) Error() string { return e.Description() }

// Description returns the detail, or the message if there is none. A detail may say
// what the store knows of a token only if the signature was verified: then the token
// is ours, and the client was given it.
func (e *Error) Description() string {
	if e.Detail != "" {
		return e.Detail
	}
	return e.Message
}

// Challenge returns what a WWW-Authenticate header says of the refusal (RFC 6750 §3).
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

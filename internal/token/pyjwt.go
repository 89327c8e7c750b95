package token

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// base64url is the alphabet of RFC 4648 §5.
const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// nameFault words what the parser refused as PyJWT does, the library of the
// tutorials. It can't accept anything: it has only errors to return.
func (r *Keyring) nameFault(text string, now time.Time, refusal error) error {
	var known *Error
	if errors.As(refusal, &known) {
		return known
	}
	// To PyJWT the header ends at the first dot and the signature starts after the last.
	first, last := strings.Index(text, "."), strings.LastIndex(text, ".")
	if first == last {
		return malformed(CheckText, "Not enough segments", "")
	}
	header, err := readHeader(text[:first])
	if err != nil {
		return err
	}
	payload, err := base64.RawURLEncoding.DecodeString(text[first+1 : last])
	if err != nil {
		return malformed(CheckText, "Invalid payload padding", "")
	}
	if strings.Trim(text[last+1:], base64url) != "" {
		return malformed(CheckText, "Invalid crypto padding", "")
	}
	if alg, _ := header.Text("alg"); !slices.Contains(r.algs, alg) {
		return malformed(CheckAlgorithm, "The specified alg value is not allowed", "")
	}
	found, err := r.KeyFor(header, now)
	if err != nil {
		return err
	}
	// The parser reads the payload before it verifies the signature; a stranger
	// shall hear of the signature first.
	signature, err := base64.RawURLEncoding.Strict().DecodeString(text[last+1:])
	if err == nil && jwt.GetSigningMethod(found.Alg).Verify(text[:last], signature, found.verifying) == nil && !json.Valid(payload) {
		return malformed(CheckTimes, "Invalid payload string: must be a json object", "")
	}
	return malformed(CheckSignature, "Signature verification failed", "")
}

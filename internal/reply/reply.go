// Package reply writes answers.
//
//   - JSON, Bytes, Rows, List and Array write JSON. Secret writes JSON that no cache may keep.
//     Document writes JSON that clients may keep, a long one in pieces.
//   - Rendered is a row with its entity tag. NotModified answers a GET with 304, and
//     Conditions reject a change, as If-None-Match and If-Match want it.
//   - Streams counts and writes streams of server-sent events.
//   - Error is an error that a client may read: a status, a sentence, and the fields that
//     are at fault. Fail makes one, and First makes one of several.
//
// The package knows no route and no kind of row. It writes no errors: the caller
// decides in which words its API tells a client of an error.
package reply

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"example.com/shelf/internal/strictjson"
)

// An Error is an error fit for a client to read: a status and a sentence.
type Error struct {
	Status     int
	Message    string        // what the client reads; the dialect decides under which key
	Challenge  string        // WWW-Authenticate, "" for none (RFC 9110 §11.6.1)
	RetryAfter time.Duration // Retry-After, rounded up to whole seconds; 0 for none (RFC 9110 §10.2.3)
	Details    []Detail      // the fields that are at fault, for programs
	Err        error         // what the log reads, when that is more than the message
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// SetHeaders sets the headers that the error asks for.
func (e *Error) SetHeaders(h http.Header) {
	h.Del("ETag") // of what would have been answered
	if e.Challenge != "" {
		h.Set("WWW-Authenticate", e.Challenge)
	}
	if e.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(int((e.RetryAfter+time.Second-1)/time.Second)))
	}
}

// Fail is the short way to refuse a request in one of the API's own sentences.
func Fail(status int, message string, details ...Detail) error {
	return &Error{Status: status, Message: message, Details: details}
}

// A Detail is one field that is at fault: the rule that it breaks, and the limit of
// that rule. docs/api.md lists the rules.
type Detail struct {
	Field string `json:"field"`
	Rule  string `json:"rule"`
	Limit int    `json:"limit,omitzero"`
}

// First returns the first error, nil for none. If the others are of fields too, it has
// their details as well: one for each field, in the order of errs.
func First(errs ...error) error {
	at := slices.IndexFunc(errs, func(err error) bool { return err != nil })
	if at < 0 {
		return nil
	}
	e, ok := errs[at].(*Error)
	if !ok || len(e.Details) == 0 {
		return errs[at]
	}
	first := *e
	first.Details = slices.Clone(e.Details)
	for _, err := range errs[at+1:] {
		other, ok := err.(*Error)
		if !ok {
			continue
		}
		for _, d := range other.Details {
			if !slices.ContainsFunc(first.Details, func(has Detail) bool { return has.Field == d.Field }) {
				first.Details = append(first.Details, d)
			}
		}
	}
	return &first
}

// JSON answers with v as one line of JSON.
func JSON(w http.ResponseWriter, status int, v any) error {
	return Bytes(w, status, append(strictjson.Encode(v), '\n'))
}

// Secret answers with v, which has a token or personal data in it and so must not
// stay in any cache (RFC 6749 §5.1; OWASP ASVS 5, 14.2.2).
func Secret(w http.ResponseWriter, status int, v any) error {
	w.Header().Set("Cache-Control", "no-store")
	return JSON(w, status, v)
}

// Bytes answers with JSON that is rendered already.
func Bytes(w http.ResponseWriter, status int, body []byte) error {
	begin(w, status, len(body))
	w.Write(body) // an error means that the client has gone
	return nil
}

// begin sends what stands before a body of JSON.
func begin(w http.ResponseWriter, status, size int) {
	h := w.Header()
	h["Content-Type"] = typeJSON
	if size > 2<<10 { // what fits into net/http's own buffer it measures itself, for less
		h["Content-Length"] = []string{strconv.Itoa(size)}
	}
	w.WriteHeader(status)
}

// typeJSON is the value of a header that most answers have, made once: it is put
// under the name in its canonical form, for Header.Set would make sure of the
// name, and a new slice, each time. It must not be written to.
var typeJSON = []string{"application/json"}

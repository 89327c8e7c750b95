// Package form reads what a client sends into a struct: a body of JSON, urlencoded
// or multipart. The struct names the fields in tags, as for encoding/json, and says
// by their types what each may hold; all encodings are read alike:
//
//	var in struct {
//		Name   string        `json:"name"`
//		Secret form.Password `json:"secret"`
//	}
//	err := form.Read(w, r, &in)
//
// Whether a text is a good value is for the caller to check. What Read and ReadRows
// refuse is a [reply.Error] with the status 400, 413 or 415 that names the field.
package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// How many bytes a body may have. It has no more members, pairs or parts than
// strictjson.MaxFields.
const (
	MaxBody  = 1 << 20
	MaxSmall = 16 << 10 // of one that anybody may send, or that waits for bcrypt
)

// Bounds are for the bodies of all requests together: how long each may be, and how
// many over MaxSmall may be on their way at a time. Clients that never end theirs
// would otherwise fill the memory (CWE-770).
type Bounds struct {
	most  int64
	large *limit.Shares // by account
}

// MaxLarge is how many large bodies there may be at a time if nothing else is said.
// An account may have a quarter of them, as it could keep all others out for as long
// as it likes to take.
const MaxLarge = 64

// NewBounds makes bounds for bodies of most bytes.
func NewBounds(most, large int) *Bounds {
	return &Bounds{int64(most), limit.NewShares(large, max(1, large/4))}
}

var usual = NewBounds(MaxBody, MaxLarge) // of a request that no Bounds hold

// A boundedBody is a request's body with the bounds that hold for it.
type boundedBody struct {
	io.ReadCloser
	*Bounds
	account int // 0: not known yet
}

// Hold has the bounds hold for r, if it has a body.
func (b *Bounds) Hold(r *http.Request) {
	if r.ContentLength != 0 {
		r.Body = &boundedBody{r.Body, b, 0}
	}
}

// Own says whose request r is.
func Own(r *http.Request, account int) {
	if b, ok := r.Body.(*boundedBody); ok {
		b.account = account
	}
}

// boundsOf are the bounds that hold for r, and whose it is.
func boundsOf(r *http.Request) (*Bounds, int) {
	if b, ok := r.Body.(*boundedBody); ok {
		return b.Bounds, b.account
	}
	return usual, 0
}

// Read reads r's body into the struct that in points to. JSON, urlencoded and
// multipart bodies are read alike; no body and JSON null are an empty one. It never
// looks at the query string, which ends up in logs. The fields of the struct have
// these types:
//
//	string, *string   text, trimmed; missing or null leaves it as it is
//	Password          text as it is, never trimmed
//	bool, *bool       true or false; in a form also True, 1, False and 0
//	Optional[string]  the same as a string, but tells null from missing
//	Unknown           the names that the struct lacks, which are ignored otherwise
//
// It fails with 413 for a body over MaxBody or what [Bounds] say, 415 for one of
// another content type, 503 if too many large bodies are on their way, 429 if too
// many of them are the account's, and 400 for any other fault of the body, naming the
// field where there is one. The struct may then be half set.
func Read(w http.ResponseWriter, r *http.Request, in any) error {
	return read(w, r, largest(r), in)
}

// largest is how many bytes r's body may have.
func largest(r *http.Request) int64 {
	bounds, _ := boundsOf(r)
	return bounds.most
}

// ReadSmall is Read for a body of at most 16 KiB: one from a client that has shown
// no token yet, or one with a password, which is kept until bcrypt has time.
func ReadSmall(w http.ResponseWriter, r *http.Request, in any) error {
	return read(w, r, MaxSmall, in)
}

func read(w http.ResponseWriter, r *http.Request, most int64, in any) error {
	data, err := readAll(w, r, most)
	if err != nil {
		return err
	}
	return decode(data, contentTypeOf(r), in)
}

// ReadOnly is Read for a body that has that field, a text, and no other.
func ReadOnly(w http.ResponseWriter, r *http.Request, field string) (string, error) {
	given := map[string]*string{}
	err := Read(w, r, given)
	if value := given[field]; err == nil && len(given) == 1 && value != nil {
		return *value, nil
	}
	only := fmt.Sprintf("Invalid input data. Only %s field should be provided", field)
	refused := &reply.Error{Status: http.StatusBadRequest, Message: only, Err: err}
	if err == nil && given[field] == nil {
		refused.Details = append(refused.Details, reply.Detail{Field: field, Rule: "required"})
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if err == nil && name != field {
			refused.Details = append(refused.Details, detailsOf(strictjson.Member{Name: name}.Fault("unknown", ""))...)
		}
	}
	if fault, ok := errors.AsType[*reply.Error](err); ok {
		refused.Status = fault.Status // 413 and 415 stay what they are
		refused.Details = slices.Clone(fault.Details)
		for i, d := range refused.Details {
			if d.Field != field && d.Rule == "type" { // this field is refused whatever its type
				refused.Details[i].Rule = "unknown"
			}
		}
	}
	return "", refused
}

// ReadRows is Read for a body that may also be a JSON array of 1 to most
// objects. many reports that it was an array. A fault in one of its elements is
// named as in items[3], from 0.
func ReadRows[T any](w http.ResponseWriter, r *http.Request, name string, most int) (rows []T, many bool, err error) {
	data, err := readAll(w, r, largest(r))
	if err != nil {
		return nil, false, err
	}
	contentType := contentTypeOf(r)
	mediaType, _ := parseMedia(contentType)
	if !isJSON(mediaType) || !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		rows = make([]T, 1)
		return rows, false, decode(data, contentType, &rows[0])
	}
	var texts []json.RawMessage
	err = json.Unmarshal(data, &texts)
	if err == nil && (len(texts) == 0 || len(texts) > most) {
		err = fmt.Errorf("must hold from 1 to %d %s", most, name)
	}
	for i := 0; i < len(texts) && err == nil; i++ {
		var row T
		members, rowErr := strictjson.Decode(texts[i])
		if rowErr == nil {
			_, rowErr = set(members, &row, false)
		}
		if rowErr != nil {
			err = &strictjson.ElementError{List: name, Index: i, Err: rowErr}
		}
		rows = append(rows, row)
	}
	if err != nil {
		return nil, true, Refuse("request body", err)
	}
	return rows, true, nil
}

func tooLarge(most int64) error {
	size := fmt.Sprintf("%d bytes", most)
	switch {
	case most%(1<<20) == 0:
		size = fmt.Sprintf("%d MiB", most>>20)
	case most%(1<<10) == 0:
		size = fmt.Sprintf("%d KiB", most>>10)
	}
	return reply.Fail(http.StatusRequestEntityTooLarge, "The body must be at most "+size+" long")
}

// readAll reads r's body to its end. Of one that says that it is too large it
// reads nothing, so that who asks first need not send it (Expect: 100-continue).
func readAll(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	if r.ContentLength > most {
		return nil, tooLarge(most)
	}
	body := http.MaxBytesReader(w, r.Body, most)
	data, err := io.ReadAll(io.LimitReader(body, MaxSmall))
	if err == nil && len(data) == MaxSmall {
		if most > MaxSmall {
			leave, err := placeFor(r)
			if err != nil {
				return nil, err
			}
			defer leave()
		}
		var rest []byte
		rest, err = io.ReadAll(body)
		data = append(data, rest...)
	}
	coding := r.Header.Get("Content-Encoding")
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, tooLarge(most)
	case err != nil: // the client went away, or was too slow
		return nil, reply.Fail(http.StatusBadRequest, "Invalid request body: could not be read to its end")
	case len(data) > 0 && coding != "" && !strings.EqualFold(coding, "identity"): // gzip, say
		w.Header().Set("Accept-Encoding", "identity") // RFC 9110 §12.5.3
		return nil, reply.Fail(http.StatusUnsupportedMediaType, "The body must be sent without a Content-Encoding")
	}
	return data, nil
}

// placeFor is a place for r's large body, until leave is called.
func placeFor(r *http.Request) (leave func(), err error) {
	bounds, account := boundsOf(r)
	leave, err = bounds.large.Take(account)
	lack, none := errors.AsType[limit.Lack](err)
	switch {
	case none && lack.Own && account != 0:
		return nil, &reply.Error{Status: http.StatusTooManyRequests, Message: fmt.Sprintf("Too many large bodies at once: an account may send %d", lack.Most), RetryAfter: time.Second}
	case none:
		return nil, &reply.Error{Status: http.StatusServiceUnavailable, Message: "Too many large bodies at once", RetryAfter: time.Second}
	}
	return leave, nil
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// contentTypeOf joins the lines of Content-Type: there may be several.
func contentTypeOf(r *http.Request) string { return strings.Join(r.Header["Content-Type"], ", ") }

// parseMedia takes a Content-Type apart. The media type alone decides how a body is
// read. So a parameter may be given twice, or be broken, as some proxies leave it;
// only a multipart form needs its boundary, and needs it to be one. The type may be
// given twice as well, but two types are none: another reader could take the other.
func parseMedia(contentType string) (mediaType, boundary string) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err == nil {
		return mediaType, params["boundary"]
	}
	for i, one := range strings.Split(contentType, ",") {
		name, rest, _ := strings.Cut(one, ";")
		if name = strings.ToLower(strings.TrimSpace(name)); i > 0 && name != mediaType {
			return "", ""
		}
		mediaType = name
		for param := range strings.SplitSeq(rest, ";") {
			name, value, _ := strings.Cut(param, "=")
			if !strings.EqualFold(strings.TrimSpace(name), "boundary") {
				continue
			}
			if value = strings.Trim(strings.TrimSpace(value), `"`); boundary != "" && value != boundary {
				return mediaType, ""
			}
			boundary = value
		}
	}
	return mediaType, boundary
}

// otherType is the error for a body that begins as one of the other type does. It is
// nil for any other.
func otherType(data []byte, isJSON bool) error {
	start := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case !isJSON && len(start) > 0 && (start[0] == '{' || start[0] == '['):
		return errors.New("it was read as a form, as its Content-Type says, and begins like JSON: send Content-Type: application/json")
	case isJSON && likeForm.Match(start):
		return errors.New("it was read as JSON, as its Content-Type says, and begins like a form: send Content-Type: application/x-www-form-urlencoded")
	}
	return nil
}

var likeForm = regexp.MustCompile(`^[A-Za-z_]+=`)

// otherMedia is the error for a body of another content type. fetch sends a text without
// a Content-Type of its own as text/plain.
func otherMedia(data []byte, contentType string) error {
	start := bytes.TrimLeft(data, " \t\r\n")
	says := "The body must be application/json, application/x-www-form-urlencoded or multipart/form-data"
	switch {
	case len(start) == 0 || start[0] != '{' && start[0] != '[':
	case contentType == "":
		says = "The body begins like JSON, but has no Content-Type: send Content-Type: application/json"
	default:
		says = fmt.Sprintf("The body begins like JSON, but its Content-Type is %.64s: send Content-Type: application/json", strings.ToValidUTF8(contentType, "\uFFFD"))
	}
	return reply.Fail(http.StatusUnsupportedMediaType, says)
}

// decode is Read for what was read.
func decode(data []byte, contentType string, in any) error {
	if len(data) == 0 {
		return nil
	}
	mediaType, boundary := parseMedia(contentType)
	isJSON := isJSON(mediaType)
	var members strictjson.Object
	var err error
	switch {
	case isJSON && string(bytes.Trim(data, " \t\r\n")) == "null":
		return nil
	case isJSON:
		members, err = strictjson.Decode(data)
	case mediaType == "application/x-www-form-urlencoded":
		members, err = decodeURLEncoded(string(data))
	case mediaType == "multipart/form-data":
		members, err = decodeMultipart(data, boundary)
	default:
		return otherMedia(data, contentType)
	}
	var unknown []string
	if err == nil {
		unknown, err = set(members, in, !isJSON)
	}
	if hint := otherType(data, isJSON); hint != nil && (err != nil || len(unknown) == len(members)) {
		err = hint // curl -d sends JSON as a form, unless it is told otherwise
	}
	if err != nil {
		return Refuse("request body", err)
	}
	return nil
}

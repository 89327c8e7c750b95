package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/mail"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/strictjson"
)

// maxBody is how many bytes a body may have, whoever sends it: sign-in reads one
// from anybody. It has no more members, pairs or parts than strictjson.MaxFields.
const maxBody = 1 << 20

// fields binds the names that a body may have to variables, as package flag
// binds flags. The type of the variable says what the field may hold:
//
//	*string       text, trimmed; missing or null leaves it as it is
//	**string      the same, and nil tells that it was missing or null
//	*password     text as it is, never trimmed
//	**bool        true or false; in a form also true, True, 1 and false, False, 0
//	*replacement  text, trimmed; null is none, and differs from missing
type fields map[string]any

// A replacement is what a merge patch says of a text: nothing, that it goes
// (null), or what it is from now on (RFC 7396 §1).
type replacement struct {
	given bool
	text  string // empty: the text goes
}

// A password is text that is never trimmed.
type password string

// readBody reads r's body into the variables of f and returns the names that f
// doesn't have, in the order of the body. JSON, urlencoded and multipart bodies
// are read alike; no body and JSON null are an empty one. It never looks at the
// query string, which ends up in logs.
//
// It fails with 413 for a body over 1 MiB, 415 for one of another content type,
// and 400 for any other fault of the body, naming the field where there is one.
// The variables may then be half set.
func readBody(w http.ResponseWriter, r *http.Request, f fields) (unknown []string, err error) {
	data, err := readAll(w, r)
	if err != nil {
		return nil, err
	}
	return f.decode(data, r.Header.Get("Content-Type"))
}

// readRows is readBody for a body that may also be a JSON array of 1 to most
// objects: next gives the variables for one more. many reports that it was an
// array. A fault in one of its elements is named as in items[3], from 0.
func readRows(w http.ResponseWriter, r *http.Request, name string, most int, next func() fields) (many bool, err error) {
	data, err := readAll(w, r)
	if err != nil {
		return false, err
	}
	contentType := r.Header.Get("Content-Type")
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if !isJSON(mediaType) || !bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		_, err = next().decode(data, contentType)
		return false, err
	}
	var rows []json.RawMessage
	err = json.Unmarshal(data, &rows)
	if err == nil && (len(rows) == 0 || len(rows) > most) {
		err = fmt.Errorf("must hold from 1 to %d %s", most, name)
	}
	for i := 0; i < len(rows) && err == nil; i++ {
		members, rowErr := strictjson.Decode(rows[i])
		if rowErr == nil {
			_, rowErr = next().set(members, false)
		}
		if rowErr != nil {
			err = fmt.Errorf("%s[%d]: %w", name, i, rowErr)
		}
	}
	if err != nil {
		return true, reply.Fail(http.StatusBadRequest, "Invalid request body: "+err.Error())
	}
	return true, nil
}

var errTooLarge = reply.Fail(http.StatusRequestEntityTooLarge, "The body must be at most 1 MiB long")

// readAll reads r's body to its end. Of one that says that it is too large it
// reads nothing, so that who asks first need not send it (Expect: 100-continue).
func readAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	coding := r.Header.Get("Content-Encoding")
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, errTooLarge
	case err != nil: // the client went away, or was too slow
		return nil, reply.Fail(http.StatusBadRequest, "Invalid request body: could not be read to its end")
	case len(data) > 0 && coding != "" && !strings.EqualFold(coding, "identity"): // gzip, say
		w.Header().Set("Accept-Encoding", "identity") // RFC 9110 §12.5.3
		return nil, reply.Fail(http.StatusUnsupportedMediaType, "The body must be sent without a Content-Encoding")
	}
	return data, nil
}

func isJSON(mediaType string) bool {
	return mediaType == "application/json" || strings.HasSuffix(mediaType, "+json")
}

// decode is readBody for what was read.
func (f fields) decode(data []byte, contentType string) (unknown []string, err error) {
	if len(data) == 0 {
		return nil, nil
	}
	// A faulty parameter leaves the type itself readable: only multipart needs one.
	mediaType, params, _ := mime.ParseMediaType(contentType)
	isJSON := isJSON(mediaType)
	var members strictjson.Object
	switch {
	case isJSON && string(bytes.Trim(data, " \t\r\n")) == "null":
		return nil, nil
	case isJSON:
		members, err = strictjson.Decode(data)
	case mediaType == "application/x-www-form-urlencoded":
		members, err = decodeURLEncoded(string(data))
	case mediaType == "multipart/form-data":
		members, err = decodeMultipart(data, params["boundary"])
	default:
		return nil, reply.Fail(http.StatusUnsupportedMediaType,
			"The body must be application/json, application/x-www-form-urlencoded or multipart/form-data")
	}
	if err == nil {
		unknown, err = f.set(members, !isJSON)
	}
	if err != nil {
		return nil, reply.Fail(http.StatusBadRequest, "Invalid request body: "+err.Error())
	}
	return unknown, nil
}

// set puts the members into the variables and returns the names that f doesn't
// have. A name that differs from one of f's only in case is a slip to point
// out, not a field to ignore.
func (f fields) set(members strictjson.Object, form bool) (unknown []string, err error) {
	for _, m := range members {
		if variable, known := f[m.Name]; known {
			if err := assign(m, variable, form); err != nil {
				return nil, err
			}
			continue
		}
		for name := range f {
			if strings.EqualFold(m.Name, name) {
				return nil, m.Fault("must be written '" + name + "'")
			}
		}
		unknown = append(unknown, m.Name)
	}
	return unknown, nil
}

// assign puts m's value into one variable, as [fields] has it.
func assign(m strictjson.Member, variable any, form bool) error {
	switch {
	case m.Value == nil:
		return m.Fault("must not be a file")
	case string(m.Value) == "null":
		if v, ok := variable.(*replacement); ok {
			v.given = true
		}
		return nil
	}
	if v, ok := variable.(**bool); ok {
		truth, ok := boolean(m, form)
		if !ok {
			return m.Fault("must be a boolean")
		}
		*v = &truth
		return nil
	}
	if m.Value[0] != '"' {
		return m.Fault("must be a string")
	}
	text := strictjson.Unquote(m.Value)
	trimmed := strings.TrimSpace(text)
	switch v := variable.(type) {
	case *string:
		*v = trimmed
	case **string:
		*v = &trimmed
	case *replacement:
		*v = replacement{given: true, text: trimmed}
	case *password:
		*v = password(text)
	default:
		panic(fmt.Sprintf("fields: %s is bound to a %T", m.Name, variable))
	}
	return nil
}

// boolean reads true and false. A form has only text, so there the words for
// them count as well: str(True) in a Python client is True.
func boolean(m strictjson.Member, form bool) (truth, ok bool) {
	switch string(m.Value) {
	case "true":
		return true, true
	case "false":
		return false, true
	case `"true"`, `"True"`, `"1"`:
		return true, form
	case `"false"`, `"False"`, `"0"`:
		return false, form
	}
	return false, false
}

// decodeURLEncoded reads a form as the URL standard has it (WHATWG URL §5.1),
// where a semicolon is a character like any other, but refuses a broken %XX.
func decodeURLEncoded(data string) (strictjson.Object, error) {
	var members strictjson.Object
	for pair := range strings.SplitSeq(data, "&") {
		if pair == "" {
			continue
		}
		rawName, rawText, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		text, textErr := url.QueryUnescape(rawText)
		if err = cmp.Or(err, textErr); err != nil {
			return nil, strictjson.Member{Name: rawName}.Fault("has an " + err.Error())
		}
		if members, err = appendText(members, name, text); err != nil {
			return nil, err
		}
	}
	return strictjson.Unique(members)
}

// decodeMultipart reads a form from memory (RFC 7578). The method that
// http.Request has for it writes files and reads the query string.
func decodeMultipart(data []byte, boundary string) (strictjson.Object, error) {
	if boundary == "" {
		return nil, errors.New("the Content-Type names no multipart boundary")
	}
	// An end in a part's header is io.EOF to the reader, like the end of the form.
	if !bytes.Contains(data, []byte("--"+boundary+"--")) {
		return nil, errors.New("the multipart form has no end")
	}
	var members strictjson.Object
	form := multipart.NewReader(bytes.NewReader(data), boundary)
	for {
		part, err := form.NextPart()
		if err == io.EOF { // as it is: a wrapped one is a fault
			return strictjson.Unique(members)
		}
		if err != nil || part.FormName() == "" {
			return nil, errors.New("the multipart form is broken")
		}
		isFile := part.FileName() != ""
		var text []byte
		if !isFile {
			if text, err = io.ReadAll(part); err != nil {
				return nil, strictjson.Member{Name: part.FormName()}.Fault("is cut off")
			}
		}
		if members, err = appendText(members, part.FormName(), string(text)); err != nil {
			return nil, err
		}
		if isFile {
			members[len(members)-1].Value = nil
		}
	}
}

// appendText appends one field of a form.
func appendText(members strictjson.Object, name, text string) (strictjson.Object, error) {
	m := strictjson.Member{Name: name}
	switch {
	case len(members) == strictjson.MaxFields:
		return nil, strictjson.ErrTooManyFields
	case !utf8.ValidString(name), !utf8.ValidString(text):
		return nil, m.Fault("must be valid UTF-8")
	}
	m.Value = strictjson.AppendString(nil, text)
	return append(members, m), nil
}

// The longest values, in code points: what the tutorials' database columns hold.
const (
	maxEmail       = 120
	maxUsername    = 120
	maxName        = 64
	maxItemname    = 64
	maxCategory    = 64
	maxDescription = 300
	maxTitle       = 200
	maxAuthor      = 200
	maxPassword    = 72 // bytes: bcrypt reads no more
)

// within reports whether s is neither blank nor longer than max code points.
func within(s string, max int) bool {
	return strings.TrimSpace(s) != "" && utf8.RuneCountInString(s) <= max
}

// validEmail reports whether s is a bare address, as RFC 5322 §3.4.1 writes
// them, in a domain with a dot. net/mail reads more than that: in what it
// returns, a display name, a comment or quotes are gone.
func validEmail(s string) bool {
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || !within(s, maxEmail) {
		return false
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	return strings.Contains(domain, ".") && domain[0] != '[' // [127.0.0.1] is an address literal
}

// emailKey is what two spellings of one e-mail address have in common.
func emailKey(s string) string { return strings.ToLower(s) }

// validPassword is the catalog tutorial's rule: at least 5 characters with a
// digit and a special character, which are those of Python's string.punctuation.
func validPassword(p password) bool {
	s := string(p)
	return utf8.RuneCountInString(s) >= 5 &&
		strings.ContainsFunc(s, unicode.IsDigit) &&
		strings.ContainsAny(s, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
}

// unhashable says why p can't be a password, "" for no reason. bcrypt reads 72
// bytes of p, a NUL and p again, and so on: "a" and "a\x00a" are one to it.
func unhashable(p password) string {
	switch {
	case len(p) > maxPassword:
		return fmt.Sprintf("should be at most %d bytes long", maxPassword)
	case strings.ContainsRune(string(p), 0):
		return "should not contain a NUL character"
	}
	return ""
}

// parseID reads an id from a path. ok is false unless s is made of ASCII
// digits. A number too large for an int is an id all the same, and -1 stands
// for it: no row has that, so that it isn't found rather than wrong.
func parseID(s string) (id int, ok bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	id, err := strconv.Atoi(s)
	if err != nil {
		return -1, true
	}
	return id, true
}

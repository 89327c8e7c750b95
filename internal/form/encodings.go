package form

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime/multipart"
	"net/url"
	"strings"
	"unicode/utf8"

	"example.com/shelf/internal/strictjson"
)

// decodeURLEncoded reads a form as the URL standard has it (WHATWG URL §5.1),
// where a semicolon is a character like any other, but refuses a broken %XX.
func decodeURLEncoded(data string) (strictjson.Object, error) {
	members, err := urlEncodedPairs(data)
	if err != nil {
		return nil, err
	}
	return strictjson.Unique(members)
}

// urlEncodedPairs is decodeURLEncoded for a form that may repeat a name.
func urlEncodedPairs(data string) (members strictjson.Object, err error) {
	for pair := range strings.SplitSeq(data, "&") {
		if pair == "" {
			continue
		}
		rawName, rawText, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		text, textErr := url.QueryUnescape(rawText)
		if err = cmp.Or(err, textErr); err != nil {
			return nil, strictjson.Member{Name: rawName}.Fault("encoding", "has an "+err.Error())
		}
		if members, err = appendText(members, name, text); err != nil {
			return nil, err
		}
	}
	return members, nil
}

// decodeMultipart reads a form from memory (RFC 7578). The method that
// http.Request has for it writes files and reads the query string.
func decodeMultipart(data []byte, boundary string) (strictjson.Object, error) {
	members, err := multipartPairs(data, boundary)
	if err != nil {
		return nil, err
	}
	return strictjson.Unique(members)
}

// multipartPairs is decodeMultipart for a form that may repeat a name.
func multipartPairs(data []byte, boundary string) (strictjson.Object, error) {
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
			return members, nil
		}
		if err != nil || part.FormName() == "" {
			return nil, errors.New("the multipart form is broken")
		}
		isFile := part.FileName() != ""
		var text []byte
		if !isFile {
			if text, err = io.ReadAll(part); err != nil {
				return nil, strictjson.Member{Name: part.FormName()}.Fault("encoding", "is cut off")
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

// appendText appends one field of a form. Its text is kept as a JSON string, so that
// one function judges all kinds of bodies. The value of a file is nil.
func appendText(members strictjson.Object, name, text string) (strictjson.Object, error) {
	m := strictjson.Member{Name: name}
	switch {
	case len(members) == strictjson.MaxFields:
		return nil, strictjson.ErrTooManyFields
	case !utf8.ValidString(name), !utf8.ValidString(text):
		return nil, m.Fault("encoding", "must be valid UTF-8")
	}
	m.Value = strictjson.AppendString(nil, text)
	return append(members, m), nil
}

package form

import (
	"bytes"
	"io"
	"net/http"

	"example.com/shelf/internal/strictjson"
)

// ReadObject returns r's body as the text of a JSON object of any members, of at most
// that many bytes. JSON is returned as it was sent, and still to be parsed. A form
// becomes an object of texts; a name that a form repeats becomes an array of them.
//
// No body is a nil text. ReadObject fails as [Read] does, but for what is wrong with
// the JSON itself.
func ReadObject(w http.ResponseWriter, r *http.Request, most int64) ([]byte, error) {
	data, err := readAll(w, r, most)
	if err != nil {
		return nil, err
	}
	return objectIn(data, contentTypeOf(r))
}

// Peek is ReadObject for a body that another reader reads afterwards as if it had not
// been read. It returns nil for a body that can't be read: the other reader finds out
// why. It leaves a body alone that says that it is longer than most.
func Peek(r *http.Request, most int64) []byte {
	if r.ContentLength > most || r.Header.Get("Content-Encoding") != "" {
		return nil
	}
	body := r.Body
	data, err := io.ReadAll(io.LimitReader(body, most+1))
	again := struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(data), body), body}
	r.Body = again
	if bounded, ok := body.(*boundedBody); ok {
		r.Body = &boundedBody{again, bounded.Bounds, bounded.account}
	}
	if err != nil || int64(len(data)) > most {
		return nil
	}
	text, _ := objectIn(data, contentTypeOf(r))
	return text
}

// objectIn is ReadObject for what was read.
func objectIn(data []byte, contentType string) (text []byte, err error) {
	if len(data) == 0 {
		return nil, nil
	}
	mediaType, boundary := parseMedia(contentType)
	isJSON := isJSON(mediaType)
	var members strictjson.Object
	switch {
	case isJSON:
		data = bytes.TrimPrefix(data, []byte("\uFEFF"))
	case mediaType == "application/x-www-form-urlencoded":
		members, err = urlEncodedPairs(string(data))
	case mediaType == "multipart/form-data":
		members, err = multipartPairs(data, boundary)
	default:
		return nil, otherMedia(data, contentType)
	}
	for _, m := range members {
		if m.Value == nil && err == nil {
			err = m.Fault("type", "must not be a file")
		}
	}
	if hint := otherType(data, isJSON); hint != nil {
		err = hint
	}
	switch {
	case err != nil:
		return nil, Refuse("request body", err)
	case isJSON:
		return data, nil
	}
	return appendPairs(nil, members), nil
}

// appendPairs appends the object that a form's pairs are.
func appendPairs(b []byte, members strictjson.Object) []byte {
	values := map[string][]byte{} // by name, joined with commas
	count := map[string]int{}
	for _, m := range members {
		if count[m.Name]++; count[m.Name] > 1 {
			values[m.Name] = append(values[m.Name], ',')
		}
		values[m.Name] = append(values[m.Name], m.Value...)
	}
	b = append(b, '{')
	for _, m := range members {
		value, first := values[m.Name]
		if !first {
			continue
		}
		delete(values, m.Name)
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(strictjson.AppendString(b, m.Name), ':')
		if count[m.Name] > 1 {
			b = append(append(append(b, '['), value...), ']')
		} else {
			b = append(b, value...)
		}
	}
	return append(b, '}')
}

package form

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"example.com/shelf/internal/reply"
)

const (
	jsonType      = "application/json"
	formType      = "application/x-www-form-urlencoded"
	multipartType = "multipart/form-data; boundary=cut"
)

// testInput has a field of each kind.
type testInput struct {
	testTexts
	Secret  Password `json:"secret"`
	Flag    *bool    `json:"flag"`
	Unknown Unknown
}

type testTexts struct {
	Text  string  `json:"text"`
	Maybe *string `json:"maybe"`
}

// readTestBody reads a body into one variable of each kind and tells what came
// of it in one line: text="dune" maybe="" secret=" x " flag=true unknown=[other],
// without what is missing, or the status and the message of the error.
func readTestBody(t *testing.T, contentType string, body io.Reader) string {
	t.Helper()
	var in testInput
	r := httptest.NewRequest("POST", "/?text=query&maybe=query&secret=query&flag=true", body)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if err := Read(httptest.NewRecorder(), r, &in); err != nil {
		var e *reply.Error
		if !errors.As(err, &e) {
			t.Fatalf("Read = %v; want a *reply.Error", err)
		}
		return fmt.Sprintf("%d %s", e.Status, e.Message)
	}
	var got []string
	if in.Text != "" {
		got = append(got, fmt.Sprintf("text=%q", in.Text))
	}
	if in.Maybe != nil {
		got = append(got, fmt.Sprintf("maybe=%q", *in.Maybe))
	}
	if in.Secret != "" {
		got = append(got, fmt.Sprintf("secret=%q", in.Secret))
	}
	if in.Flag != nil {
		got = append(got, fmt.Sprintf("flag=%v", *in.Flag))
	}
	if in.Unknown != nil {
		got = append(got, fmt.Sprintf("unknown=%v", in.Unknown))
	}
	return strings.Join(got, " ")
}

// A pair is a field of a body in any encoding. Its text is fit to stand between
// the quotes of a JSON string.
type pair struct{ name, text string }

var encodings = []struct {
	contentType string
	encode      func([]pair) string
}{
	{jsonType, func(pairs []pair) string {
		var members []string
		for _, p := range pairs {
			members = append(members, `"`+p.name+`": "`+p.text+`"`)
		}
		return "{" + strings.Join(members, ", ") + "}"
	}},
	{formType, func(pairs []pair) string {
		var parts []string
		for _, p := range pairs {
			parts = append(parts, url.QueryEscape(p.name)+"="+url.QueryEscape(p.text))
		}
		return strings.Join(parts, "&")
	}},
	{multipartType, asMultipart},
}

func asMultipart(pairs []pair) string {
	var body strings.Builder
	for _, p := range pairs {
		fmt.Fprintf(&body, "--cut\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%s\r\n", p.name, p.text)
	}
	return body.String() + "--cut--\r\n"
}

var alikeTests = []struct {
	name  string
	pairs []pair
	want  string
}{
	{"no field at all", nil, ``},
	{"every kind of text", []pair{{"text", "dune"}, {"maybe", "x"}, {"secret", "s#1"}}, `text="dune" maybe="x" secret="s#1"`},
	{"text is trimmed, passwords are not", []pair{{"text", "\u00a0 a b "}, {"maybe", " c "}, {"secret", "  d "}}, `text="a b" maybe="c" secret="  d "`},
	{"an empty field is not a missing one", []pair{{"maybe", ""}}, `maybe=""`},
	{"a blank field is an empty one", []pair{{"maybe", "  "}}, `maybe=""`},
	{"null in quotes is a word", []pair{{"text", "null"}}, `text="null"`},
	{"characters that forms and HTML escape", []pair{{"text", "a+b&c=d;e%20<f>é😀"}}, `text="a+b&c=d;e%20<f>é😀"`},
	{"unknown fields in their order", []pair{{"z", "1"}, {"text", "dune"}, {"a", "2"}}, `text="dune" unknown=[z a]`},
	{"a field twice", []pair{{"text", "a"}, {"text", "a"}}, `400 Invalid request body: 'text' must be given only once`},
	{"an unknown field twice", []pair{{"other", "a"}, {"other", "b"}}, `400 Invalid request body: 'other' must be given only once`},
	{"a field in another case", []pair{{"Text", "a"}}, `400 Invalid request body: 'Text' must be written 'text'`},
	{"a field in both cases", []pair{{"text", "a"}, {"TEXT", "b"}}, `400 Invalid request body: 'TEXT' must be written 'text'`},
	{"a field in Unicode's other case", []pair{{"ſecret", "a"}}, `400 Invalid request body: 'ſecret' must be written 'secret'`},
	{"invalid UTF-8 in text", []pair{{"text", "\xff"}}, `400 Invalid request body: 'text' must be valid UTF-8`},
	{"invalid UTF-8 in a password", []pair{{"secret", "a\xc3"}}, `400 Invalid request body: 'secret' must be valid UTF-8`},
	{"invalid UTF-8 in an unknown field", []pair{{"other", "\xff"}}, `400 Invalid request body: 'other' must be valid UTF-8`},
	{"invalid UTF-8 in a name", []pair{{"te\xffxt", "a"}}, `400 Invalid request body: 'te�xt' must be valid UTF-8`},
	{"a surrogate half in UTF-8", []pair{{"text", "\xed\xa0\x80"}}, `400 Invalid request body: 'text' must be valid UTF-8`},
	{"a long name is cut in the message", []pair{{strings.Repeat("é", 65), "\xff"}}, `400 Invalid request body: '` + strings.Repeat("é", 64) + `' must be valid UTF-8`},
}

func TestReadAlike(t *testing.T) {
	t.Parallel()
	for _, tt := range alikeTests {
		for _, e := range encodings {
			t.Run(tt.name+"/"+e.contentType, func(t *testing.T) {
				t.Parallel()
				body := e.encode(tt.pairs)
				if got := readTestBody(t, e.contentType, strings.NewReader(body)); got != tt.want {
					t.Errorf("Read(%q) = %s; want %s", body, got, tt.want)
				}
			})
		}
	}
}

// filePart is a multipart part with a file of the field name.
func filePart(name string) string {
	return "--cut\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.txt\"\r\n\r\n\xff\r\n"
}

const (
	likeJSON   = `400 Invalid request body: it was read as a form, as its Content-Type says, and begins like JSON: send Content-Type: application/json`
	endless    = `400 Invalid request body: the multipart form has no end`
	typeFault  = `415 The body must be application/json, application/x-www-form-urlencoded or multipart/form-data`
	brokenForm = `400 Invalid request body: the multipart form is broken`
)

var bodyTests = []struct {
	name, contentType, body string
	want                    string
}{
	// The content type.
	{"no body needs no type", "", "", ``},
	{"no body makes any type good", "text/plain", "", ``},
	{"no body labelled JSON", jsonType, "", ``},
	{"no body labelled multipart", "multipart/form-data", "", ``},
	{"a body without a type", "", `text=dune`, typeFault},
	{"JSON without a type", "", ` {}`, `415 The body begins like JSON, but has no Content-Type: send Content-Type: application/json`},
	{"a list without a type", "", `[]`, `415 The body begins like JSON, but has no Content-Type: send Content-Type: application/json`},
	{"JSON as plain text, as fetch sends it", "text/plain;charset=UTF-8", `{"text": "dune"}`, `415 The body begins like JSON, but its Content-Type is text/plain;charset=UTF-8: send Content-Type: application/json`},
	{"a body of plain text", "text/plain", `dune`, typeFault},
	{"a type that is none", "/", `dune`, typeFault},
	{"a type that only begins like JSON", "application/jsonx", `dune`, typeFault},
	{"JSON with a charset", "application/json; charset=utf-8", `{"text": "dune"}`, `text="dune"`},
	{"JSON with a faulty parameter", "application/json; charset", `{"text": "dune"}`, `text="dune"`},
	{"JSON in capitals", "Application/JSON", `{"text": "dune"}`, `text="dune"`},
	{"a type that ends in +json", "application/merge-patch+json", `{"text": "dune"}`, `text="dune"`},
	{"a form with a charset", formType + "; charset=UTF-8", "text=dune", `text="dune"`},

	// JSON.
	{"null is an empty body", jsonType, " null\r\n", ``},
	{"null is a missing field", jsonType, `{"text": null, "maybe": null, "secret": null, "flag": null}`, ``},
	{"blanks are no JSON", jsonType, "  ", `400 Invalid request body: unexpected end of JSON input`},
	{"a list", jsonType, `[]`, `400 Invalid request body: must be a JSON object`},
	{"a list of objects", jsonType, `[{"text": "dune"}]`, `400 Invalid request body: must be a JSON object`},
	{"a string", jsonType, `"x"`, `400 Invalid request body: must be a JSON object`},
	{"a number", jsonType, `5`, `400 Invalid request body: must be a JSON object`},
	{"false", jsonType, `false`, `400 Invalid request body: must be a JSON object`},
	{"an object cut off", jsonType, `{"text": "du`, `400 Invalid request body: unexpected end of JSON input`},
	{"an object without its end", jsonType, `{"text": "dune"`, `400 Invalid request body: unexpected end of JSON input`},
	{"a comma too many", jsonType, `{"text": "dune",}`, `400 Invalid request body: invalid character '}' looking for beginning of object key string`},
	{"a name without quotes", jsonType, `{text: "dune"}`, `400 Invalid request body: invalid character 't' looking for beginning of object key string`},
	{"a second object", jsonType, `{} {}`, `400 Invalid request body: invalid character '{' after top-level value`},
	{"anything after the object", jsonType, `{"text": "dune"}x`, `400 Invalid request body: invalid character 'x' after top-level value`},
	{"a byte order mark", jsonType, "\ufeff{}", `400 Invalid request body: invalid character 'ï' looking for beginning of value`},
	{"blanks around the object", jsonType, "\n {\"text\": \"dune\"} \n", `text="dune"`},
	{"a number as text", jsonType, `{"text": 5}`, `400 Invalid request body: 'text' must be a string`},
	{"a boolean as text", jsonType, `{"maybe": true}`, `400 Invalid request body: 'maybe' must be a string`},
	{"a list as a password", jsonType, `{"secret": ["a"]}`, `400 Invalid request body: 'secret' must be a string`},
	{"an object as text", jsonType, `{"text": {"$ne": ""}}`, `400 Invalid request body: 'text' must be a string`},
	{"anything as an unknown field", jsonType, `{"a": 5, "b": [{"text": 1, "text": 2}], "c": null}`, `unknown=[a b c]`},
	{"a field twice, once escaped", jsonType, `{"text": "a", "t\u0065xt": "b"}`, `400 Invalid request body: 'text' must be given only once`},
	{"a field twice, null first", jsonType, `{"text": null, "text": "b"}`, `400 Invalid request body: 'text' must be given only once`},
	{"an escaped name", jsonType, `{"t\u0065xt": "a"}`, `text="a"`},
	{"escapes", jsonType, `{"text": "\"\\\/\n\u00e9\\ud800"}`, `text="\"\\/\né\\ud800"`},
	{"a surrogate pair", jsonType, `{"text": "\ud83d\uDE00"}`, `text="😀"`},
	{"the replacement character itself", jsonType, `{"text": "\ufffd"}`, `text="�"`},
	{"a high half", jsonType, `{"secret": "a\ud800"}`, `400 Invalid request body: 'secret' must not hold half of a surrogate pair`},
	{"a low half", jsonType, `{"secret": "\uDFFFa"}`, `400 Invalid request body: 'secret' must not hold half of a surrogate pair`},
	{"two high halves", jsonType, `{"secret": "\ud800\ud800\udc00"}`, `400 Invalid request body: 'secret' must not hold half of a surrogate pair`},
	{"a high half before another escape", jsonType, `{"secret": "\ud800\\udc00"}`, `400 Invalid request body: 'secret' must not hold half of a surrogate pair`},
	{"a half after an escaped backslash", jsonType, `{"secret": "\\\ud800"}`, `400 Invalid request body: 'secret' must not hold half of a surrogate pair`},
	{"a half in a name", jsonType, `{"\ud800": "a"}`, `400 Invalid request body: '�' must not hold half of a surrogate pair`},
	{"a half deep in an unknown field", jsonType, `{"a": [{"b": "\ud800"}]}`, `400 Invalid request body: 'a' must not hold half of a surrogate pair`},
	{"as deep as may be", jsonType, `{"a": ` + strings.Repeat("[", 31) + strings.Repeat("]", 31) + `}`, `unknown=[a]`},
	{"one too deep", jsonType, `{"a": ` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, `400 Invalid request body: 'a' must not nest deeper than 32`},
	{"deeper than encoding/json goes", jsonType, strings.Repeat(`{"a":`, 20_000), `400 Invalid request body: invalid character '{' exceeded max depth`},
	{"many lists, none of them deep", jsonType, `{"a": [` + strings.Repeat("[],", 99) + `[]]}`, `unknown=[a]`},
	{"brackets in text have no depth", jsonType, `{"text": "` + strings.Repeat("[", 40) + `"}`, `text="` + strings.Repeat("[", 40) + `"`},

	// Booleans.
	{"true", jsonType, `{"flag": true}`, `flag=true`},
	{"false is not missing", jsonType, `{"flag": false}`, `flag=false`},
	{"true in quotes", jsonType, `{"flag": "true"}`, `400 Invalid request body: 'flag' must be a boolean`},
	{"one for true", jsonType, `{"flag": 1}`, `400 Invalid request body: 'flag' must be a boolean`},
	{"true in a form", formType, `flag=true`, `flag=true`},
	{"True in a form", formType, `flag=True`, `flag=true`},
	{"1 in a form", formType, `flag=1`, `flag=true`},
	{"false in a form", formType, `flag=false`, `flag=false`},
	{"False in a form", formType, `flag=False`, `flag=false`},
	{"0 in a form", formType, `flag=0`, `flag=false`},
	{"TRUE in a form", formType, `flag=TRUE`, `400 Invalid request body: 'flag' must be a boolean`},
	{"no in a form", formType, `flag=no`, `400 Invalid request body: 'flag' must be a boolean`},
	{"null in a form", formType, `flag=null`, `400 Invalid request body: 'flag' must be a boolean`},
	{"nothing in a form", formType, `flag=`, `400 Invalid request body: 'flag' must be a boolean`},
	{"true in a multipart form", multipartType, asMultipart([]pair{{"flag", "True"}}), `flag=true`},
	{"yes in a multipart form", multipartType, asMultipart([]pair{{"flag", "yes"}}), `400 Invalid request body: 'flag' must be a boolean`},

	// Urlencoded forms.
	{"plus is a blank", formType, `text=a+b%2Bc`, `text="a b+c"`},
	{"a semicolon is a character", formType, `text=a;maybe=b`, `text="a;maybe=b"`},
	{"a name alone", formType, `maybe`, `maybe=""`},
	{"ampersands for nothing", formType, `&&text=a&`, `text="a"`},
	{"quotes and backslashes", formType, `secret="a\u0062"`, `secret="\"a\\u0062\""`},
	{"a broken escape in a value", formType, `text=%zz`, `400 Invalid request body: 'text' has an invalid URL escape "%zz"`},
	{"a broken escape in a name", formType, `%zz=text`, `400 Invalid request body: '%zz' has an invalid URL escape "%zz"`},
	{"an escape cut off", formType, `text=a%2`, `400 Invalid request body: 'text' has an invalid URL escape "%2"`},
	{"a name twice, once escaped", formType, `text=a&te%78t=b`, `400 Invalid request body: 'text' must be given only once`},
	{"as many fields as may be", formType, strings.Repeat("&", 200) + numberedFields(100), "unknown=" + fmt.Sprint(strings.Split(numberedFields(100), "&"))},
	{"a field too many", formType, numberedFields(101), `400 Invalid request body: must not have more than 100 fields`},

	// Multipart forms.
	{"no boundary", "multipart/form-data", asMultipart(nil), `400 Invalid request body: the Content-Type names no multipart boundary`},
	{"another boundary", "multipart/form-data; boundary=other", asMultipart([]pair{{"text", "a"}}), endless},
	{"text that is no form", multipartType, "text=a", endless},
	{"a form without its end", multipartType, "--cut\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na\r\n--cut\r\n", endless},
	{"a form cut off in a part", multipartType, "--cut\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na", endless},
	{"a form cut off after a header", multipartType, "--cut\r\nContent-Disposition: form-data; name=\"text\"\r\n", endless},
	{"an end in the middle of a line", multipartType, "--cut\r\nContent-Disposition: form-data; name=\"text\"\r\n\r\na --cut--", `400 Invalid request body: 'text' is cut off`},
	{"an end without a line end", multipartType, strings.TrimSpace(asMultipart([]pair{{"text", "a"}})), `text="a"`},
	{"bare line feeds", multipartType, strings.ReplaceAll(asMultipart([]pair{{"text", "a"}, {"maybe", "b"}}), "\r\n", "\n"), `text="a" maybe="b"`},
	{"a form cut off in a header", multipartType, "--cut\r\nContent-Dispo", endless},
	{"a part without a name", multipartType, "--cut\r\nContent-Disposition: form-data\r\n\r\na\r\n--cut--\r\n", brokenForm},
	{"a part without a header", multipartType, "--cut\r\n\r\na\r\n--cut--\r\n", brokenForm},
	{"a part with two names", multipartType, "--cut\r\nContent-Disposition: form-data; name=text; name=maybe\r\n\r\na\r\n--cut--\r\n", brokenForm},
	{"a file in place of text", multipartType, filePart("text") + "--cut--\r\n", `400 Invalid request body: 'text' must not be a file`},
	{"a file in place of a boolean", multipartType, filePart("flag") + "--cut--\r\n", `400 Invalid request body: 'flag' must not be a file`},
	{"a file that no field asks for", multipartType, filePart("other") + "--cut--\r\n", `unknown=[other]`},
	{"a file and text of one name", multipartType, filePart("text") + asMultipart([]pair{{"text", "a"}}), `400 Invalid request body: 'text' must be given only once`},
	{"line ends belong to a password", multipartType, asMultipart([]pair{{"secret", "a\r\n"}}), `secret="a\r\n"`},
	{"as many parts as may be", multipartType, numberedParts(100) + "--cut--\r\n", "unknown=" + fmt.Sprint(strings.Split(numberedFields(100), "&"))},
	{"a part too many", multipartType, numberedParts(101) + "--cut--\r\n", `400 Invalid request body: must not have more than 100 fields`},

	// Types that clients and proxies malform.
	{"a parameter twice", "application/json; charset=utf-8; charset=UTF-8", `{"text":"a"}`, `text="a"`},
	{"a parameter without a value", "application/json; charset", `{"text":"a"}`, `text="a"`},
	{"a quote without an end", `application/json; charset="utf-8`, `{"text":"a"}`, `text="a"`},
	{"a semicolon too many", "application/json;;", `{"text":"a"}`, `text="a"`},
	{"a charset that is none", "application/json; charset=utf8 utf8", `{"text":"a"}`, `text="a"`},
	{"capitals and blanks", " Application/JSON ; Charset = UTF-8; charset=x", `{"text":"a"}`, `text="a"`},
	{"a type twice", "application/json, application/json", `{"text":"a"}`, `text="a"`},
	{"a type twice with parameters", "application/json; charset=utf-8, application/json", `{"text":"a"}`, `text="a"`},
	{"two types", "application/json, text/plain", `dune`, typeFault},
	{"a form's parameter twice", formType + "; charset=utf-8; charset=UTF-8", "text=a", `text="a"`},
	{"a multipart form's charset twice", multipartType + "; charset=utf-8; charset=UTF-8", asMultipart([]pair{{"text", "a"}}), `text="a"`},
	{"a boundary twice", multipartType + "; boundary=cut", asMultipart([]pair{{"text", "a"}}), `text="a"`},
	{"two boundaries", multipartType + "; boundary=other", asMultipart([]pair{{"text", "a"}}), `400 Invalid request body: the Content-Type names no multipart boundary`},

	// A body of another type than it says.
	{"JSON as a form, from curl -d", formType, `{"text":"a"}`, likeJSON},
	{"JSON with an =", formType, `{"text":"a=b&c"}`, likeJSON},
	{"JSON with a %", formType, `{"text":"50%"}`, likeJSON},
	{"a list as a form", formType, ` [{"text":"a"}]`, likeJSON},
	{"JSON as a multipart form", multipartType, `{"text":"a"}`, likeJSON},
	{"a form whose first name is odd", formType, `{a=b&text=c`, `text="c" unknown=[{a]`},
	{"a form as JSON", jsonType, "text=a", "400 Invalid request body: it was read as JSON, as its Content-Type says, and begins like a form: send Content-Type: application/x-www-form-urlencoded"},

	// The size.
	{"1 MiB", jsonType, `{"other": "` + strings.Repeat("x", 1<<20-13) + `"}`, `unknown=[other]`},
	{"1 MiB and a byte", jsonType, `{"other": "` + strings.Repeat("x", 1<<20-12) + `"}`, `413 The body must be at most 1 MiB long`},
	{"too large counts before the type", "", strings.Repeat("x", 1<<20+1), `413 The body must be at most 1 MiB long`},
}

// numberedFields is a form of n fields that have no value.
func numberedFields(n int) string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("f", i))
	}
	return strings.Join(names, "&")
}

// numberedParts is the same as the parts of a multipart form.
func numberedParts(n int) string {
	var pairs []pair
	for name := range strings.SplitSeq(numberedFields(n), "&") {
		pairs = append(pairs, pair{name: name})
	}
	return strings.TrimSuffix(asMultipart(pairs), "--cut--\r\n")
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, tt := range bodyTests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := readTestBody(t, tt.contentType, strings.NewReader(tt.body)); got != tt.want {
				t.Errorf("Read(%.80q) = %s; want %s", tt.body, got, tt.want)
			}
			// The same without a Content-Length, byte for byte as it may arrive.
			chunked := iotest.HalfReader(struct{ io.Reader }{strings.NewReader(tt.body)})
			if got := readTestBody(t, tt.contentType, chunked); got != tt.want {
				t.Errorf("Read(%.80q), chunked = %s; want %s", tt.body, got, tt.want)
			}
		})
	}
}

// An Optional tells null from missing, in what a merge patch has.
func TestOptional(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ contentType, body, want string }{
		{jsonType, `{}`, `text="was" flag=true`},
		{jsonType, `{"text": null, "flag": null}`, `text="" flag=false`},
		{jsonType, `{"text": " now ", "flag": false}`, `text="now" flag=false`},
		{formType, `text=null`, `text="null" flag=true`},
		{formType, `text=&flag=0`, `text="" flag=false`},
		{jsonType, `{"text": 5}`, `400 Invalid request body: 'text' must be a string`},
		{jsonType, `{"flag": "true"}`, `400 Invalid request body: 'flag' must be a boolean`},
	} {
		var in struct {
			Text Optional[string] `json:"text"`
			Flag Optional[bool]   `json:"flag"`
		}
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", tt.contentType)
		var got string
		if err := Read(httptest.NewRecorder(), r, &in); err != nil {
			got = "400 " + err.Error()
		} else {
			text, flag := "was", true
			in.Text.Into(&text)
			in.Flag.Into(&flag)
			got = fmt.Sprintf("text=%q flag=%v", text, flag)
		}
		if got != tt.want {
			t.Errorf("Read(%s) = %s; want %s", tt.body, got, tt.want)
		}
	}
}

// A body that says that it is too large is not read.
func TestReadTooLargeUnread(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest("POST", "/", iotest.ErrReader(errors.New("it was read")))
	r.ContentLength = MaxBody + 1
	err := Read(httptest.NewRecorder(), r, new(struct{}))
	if e, ok := errors.AsType[*reply.Error](err); !ok || e.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("Read = %v; want 413", err)
	}
}

// Clients that never end large bodies take up no more memory than a few of them, and
// those of one account leave places for all others.
func TestLargeBodiesAtOnce(t *testing.T) {
	t.Parallel()
	bounds := NewBounds(MaxBody, 8) // two for each account
	send := func(account int, read func(http.ResponseWriter, *http.Request, any) error) (write func(int), done chan error) {
		r, w := io.Pipe()
		done = make(chan error, 1)
		request := httptest.NewRequest("POST", "/", r)
		request.Header.Set("Content-Type", jsonType)
		bounds.Hold(request)
		Own(request, account)
		go func() {
			done <- read(httptest.NewRecorder(), request, new(struct{}))
			r.Close()
		}()
		return func(n int) {
			if n == 0 {
				w.Close()
			}
			w.Write(bytes.Repeat([]byte(" "), n))
		}, done
	}
	refused := func(account, status int) {
		t.Helper()
		write, done := send(account, Read)
		go write(MaxSmall + 1)
		if e, ok := errors.AsType[*reply.Error](<-done); !ok || e.Status != status || e.RetryAfter == 0 {
			t.Errorf("one more large body of account %d: %v; want a %d with a time to wait", account, e, status)
		}
	}
	var ends []func()
	for account := 1; account <= 4; account++ {
		for range 2 {
			write, done := send(account, Read)
			write(MaxSmall + 1)
			ends = append(ends, func() {
				write(0)
				if err := <-done; err == nil {
					t.Error("blanks were read as JSON")
				}
			})
		}
		refused(account, http.StatusTooManyRequests)
	}
	refused(5, http.StatusServiceUnavailable)
	for _, read := range []func(http.ResponseWriter, *http.Request, any) error{Read, ReadSmall} {
		write, done := send(1, read)
		go func() { write(MaxSmall - 1); write(0) }()
		if e, ok := errors.AsType[*reply.Error](<-done); ok && e.RetryAfter > 0 {
			t.Errorf("a small body: %v", e)
		}
	}
	for _, end := range ends {
		end()
	}
	write, done := send(1, Read)
	go func() { write(MaxSmall + 1); write(0) }()
	if e, ok := errors.AsType[*reply.Error](<-done); ok && e.RetryAfter > 0 {
		t.Errorf("after they have ended: %v", e)
	}
}

func TestReadContentEncoding(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		coding, body string
		want         int // 0 for no error
	}{
		{"", `{}`, 0},
		{"identity", `{}`, 0},
		{"gzip", "", 0},
		{"gzip", "\x1f\x8b", http.StatusUnsupportedMediaType},
		{"br", `{}`, http.StatusUnsupportedMediaType},
	} {
		r := httptest.NewRequest("POST", "/", strings.NewReader(tt.body))
		r.Header.Set("Content-Type", jsonType)
		r.Header.Set("Content-Encoding", tt.coding)
		w := httptest.NewRecorder()
		err := Read(w, r, new(struct{}))
		e, _ := errors.AsType[*reply.Error](err)
		if (err == nil) != (tt.want == 0) || e != nil && e.Status != tt.want {
			t.Errorf("Read of %q in the coding %q = %v; want %d", tt.body, tt.coding, err, tt.want)
		}
		if told := w.Header().Get("Accept-Encoding"); (told == "identity") != (tt.want != 0) {
			t.Errorf("Accept-Encoding of the answer to %q is %q", tt.coding, told)
		}
	}
}

func TestReadCutOff(t *testing.T) {
	t.Parallel()
	const want = `400 Invalid request body: could not be read to its end`
	for _, err := range []error{io.ErrUnexpectedEOF, os.ErrDeadlineExceeded} {
		body := io.MultiReader(strings.NewReader(`{"text": "a"}`), iotest.ErrReader(err))
		if got := readTestBody(t, jsonType, body); got != want {
			t.Errorf("Read of a body that ends in %v = %s; want %s", err, got, want)
		}
	}
}

// FuzzRead checks that any body is read or refused in the client's own
// terms, and that what is read from JSON is what encoding/json reads.
func FuzzRead(f *testing.F) {
	for _, tt := range bodyTests {
		if len(tt.body) < 1<<10 {
			f.Add(tt.contentType, []byte(tt.body))
		}
	}
	for _, tt := range alikeTests {
		for _, e := range encodings {
			f.Add(e.contentType, []byte(e.encode(tt.pairs)))
		}
	}
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		var in testInput
		r := httptest.NewRequest("POST", "/?text=query", bytes.NewReader(body))
		r.Header.Set("Content-Type", contentType)
		if err := Read(httptest.NewRecorder(), r, &in); err != nil {
			var e *reply.Error
			if !errors.As(err, &e) || e.Status != 400 && e.Status != 413 && e.Status != 415 {
				t.Fatalf("Read = %v; want a *reply.Error with 400, 413 or 415", err)
			}
			if !utf8.ValidString(e.Message) {
				t.Fatalf("Read = %q; want a message in UTF-8", e.Message)
			}
			return
		}
		if !utf8.ValidString(in.Text) || in.Maybe != nil && !utf8.ValidString(*in.Maybe) || !utf8.ValidString(string(in.Secret)) {
			t.Fatalf("Read read %q, %v, %q; want UTF-8", in.Text, in.Maybe, in.Secret)
		}
		if contentType != jsonType || len(body) == 0 {
			return
		}
		var want map[string]any
		if err := json.Unmarshal(body, &want); err != nil {
			t.Fatalf("Read accepts what encoding/json refuses: %v", err)
		}
		wantText, _ := want["text"].(string)
		wantMaybe, isMaybe := want["maybe"].(string)
		wantSecret, _ := want["secret"].(string)
		wantFlag, isFlag := want["flag"].(bool)
		if in.Text != strings.TrimSpace(wantText) || string(in.Secret) != wantSecret ||
			(in.Maybe != nil) != isMaybe || isMaybe && *in.Maybe != strings.TrimSpace(wantMaybe) ||
			(in.Flag != nil) != isFlag || isFlag && *in.Flag != wantFlag {
			t.Errorf("Read read %q, %v, %q, %v; encoding/json reads %v", in.Text, in.Maybe, in.Secret, in.Flag, want)
		}
	})
}

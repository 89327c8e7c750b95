package reply

import (
	"net/http"
	"slices"
	"strings"
)

// Conditions are what a client asks of the row before its request counts (RFC
// 9110 §13.1). There is nothing for If-Modified-Since to compare with: the rows
// have no date of change.
type Conditions struct {
	ifMatch, ifNoneMatch tagList
}

// ReadConditions reads the conditional headers. It fails with 400 for a
// malformed one: taken for no condition, it would let a client overwrite what
// it never saw.
func ReadConditions(r *http.Request) (c Conditions, err error) {
	if c.ifMatch, err = readTags(r, "If-Match"); err != nil {
		return c, err
	}
	c.ifNoneMatch, err = readTags(r, "If-None-Match")
	return c, err
}

// stale reports whether If-Match names other tags than this.
func (c Conditions) stale(tag string) bool { return c.ifMatch.given && !c.ifMatch.has(tag, false) }

// known reports whether If-None-Match names this tag.
func (c Conditions) known(tag string) bool {
	return c.ifNoneMatch.given && c.ifNoneMatch.has(tag, true)
}

// Check fails with 412 unless a row that is about to be changed meets the
// conditions. They come last, after its existence and its owner: what would be
// refused without conditions is refused as it would be (RFC 9110 §13.2.1).
func (c Conditions) Check(tag string) error {
	switch {
	case c.stale(tag) && c.ifMatch.has(tag, true):
		return errWeak
	case c.stale(tag):
		return ErrStale
	case c.known(tag):
		return Fail(http.StatusPreconditionFailed, "If-None-Match names what is there")
	}
	return nil
}

// ErrStale is the 412 for a row that has changed since the client read it.
var ErrStale = Fail(http.StatusPreconditionFailed, "If-Match names another ETag: this was changed since you read it")

// errWeak is the 412 for a row that may not have changed, as far as its weak tag can
// tell: a weak tag never matches If-Match (RFC 9110 §13.1.1).
var errWeak = Fail(http.StatusPreconditionFailed, `If-Match takes no weak ETag, and this one was made weak on its way, as proxies do that compress: read it again with "Accept-Encoding: identity"`)

// NotModified sends tag with the answer to a GET or HEAD, and the whole answer if
// that is a 304, because the client has what it asks for.
func NotModified(w http.ResponseWriter, r *http.Request, tag string) (bool, error) {
	return notModified(w, r, tag, tag)
}

// notModified is NotModified for an answer that is sent in another form than the one
// whose tag is compared, such as compressed: then sent is the tag of that form.
func notModified(w http.ResponseWriter, r *http.Request, tag, sent string) (bool, error) {
	c, err := ReadConditions(r)
	if err != nil {
		return false, err
	}
	if c.stale(tag) {
		return false, Conditions{ifMatch: c.ifMatch}.Check(tag)
	}
	h := w.Header()
	h["Etag"] = []string{sent}
	// A cache of the client's own may keep the answer, but has to ask each time:
	// the row may have changed, or the token ended (RFC 9111 §5.2.2).
	h["Cache-Control"] = privateNoCache
	if !c.known(tag) {
		return false, nil
	}
	w.WriteHeader(http.StatusNotModified)
	return true, nil
}

// A tagList is the value of If-Match or If-None-Match.
type tagList struct {
	given bool
	any   bool // *
	tags  []string
}

// readTags reads the header of that name, in its canonical form, which may stand
// on several lines.
func readTags(r *http.Request, name string) (tagList, error) {
	lines := r.Header[name]
	if len(lines) == 0 {
		return tagList{}, nil
	}
	const blanks = ", \t" // a list may have empty elements (RFC 9110 §5.6.1.2)
	rest := strings.Trim(strings.Join(lines, ","), blanks)
	l := tagList{given: true, any: rest == "*"}
	for rest != "" && !l.any {
		tag := cutTag(rest)
		rest = strings.TrimLeft(rest[len(tag):], " \t")
		if tag == "" || rest != "" && rest[0] != ',' {
			l.tags = nil
			break
		}
		l.tags = append(l.tags, tag)
		rest = strings.TrimLeft(rest, blanks)
	}
	if !l.any && len(l.tags) == 0 {
		return l, Fail(http.StatusBadRequest, name+` must be * or a list of entity tags in double quotes, as ETag has them`)
	}
	return l, nil
}

// cutTag returns the entity tag that s begins with, "" for none (RFC 9110
// §8.8.3).
func cutTag(s string) string {
	opaque := strings.TrimPrefix(s, "W/")
	if !strings.HasPrefix(opaque, `"`) {
		return ""
	}
	end := strings.IndexByte(opaque[1:], '"')
	if end < 0 || strings.ContainsFunc(opaque[1:1+end], func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return ""
	}
	return s[:len(s)-len(opaque)+end+2]
}

// has reports whether the list has the tag, which is a strong one. Weakly
// compared, one that is marked as weak may be it too (RFC 9110 §8.8.3.2): a
// proxy that compresses answers marks them so. Apache's writes "tag-gzip" instead.
func (l tagList) has(tag string, weak bool) bool {
	return l.any || slices.ContainsFunc(l.tags, func(t string) bool {
		if weak {
			t = strings.TrimPrefix(t, "W/")
			for _, coding := range []string{"-gzip", "-br", "-zstd"} {
				if plain, ok := strings.CutSuffix(t, coding+`"`); ok {
					t = plain + `"`
				}
			}
		}
		return t == tag
	})
}

// privateNoCache is made once, see typeJSON.
var privateNoCache = []string{"private, no-cache"}

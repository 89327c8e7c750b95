package reply

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// WantsHTML reports whether r asks for HTML by name, as browsers do where they
// show a page. Others take */* or JSON (RFC 9110 §12.5.1).
func WantsHTML(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			mediaType, params, err := mime.ParseMediaType(part)
			if err != nil || mediaType != "text/html" {
				continue
			}
			weight, err := strconv.ParseFloat(params["q"], 64)
			return err != nil || weight > 0 // without a weight it is 1
		}
	}
	return false
}

package explain

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// A Greeting tells the person who has started a server where it is, and what to
// do next.
type Greeting struct {
	URL     string
	Data    string // where the data is
	Holds   string // what is in it
	Key     string // the key that signs
	EnvFile string // file with settings; "": none
	Lab     string // where the lab or its secret is; "": no lab
	Rows    string // the path of a collection; "": there are none
	Open    bool   // the collection may be read without a token
	First   bool   // there was no data before this start
}

// absolute is the absolute path of the file, "memory" for data that is nowhere.
func absolute(path string) string {
	if path == "memory" {
		return path
	}
	if full, err := filepath.Abs(path); err == nil && !strings.Contains(path, ":") {
		return full
	}
	return path // such as etcd:HOST
}

// Print writes the greeting, at once, so that no line of a log comes between. That of the
// first start has a transcript that works as pasted, then and later.
func (g Greeting) Print(w io.Writer) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "shelf listens on %s\n  data   %s (%s)\n", g.URL, absolute(g.Data), g.Holds)
	if g.First {
		fmt.Fprintf(&b, "  key    %s\n", g.Key)
	}
	if g.EnvFile != "" {
		fmt.Fprintf(&b, "  config %s\n", g.EnvFile)
	}
	if g.Lab != "" {
		fmt.Fprintf(&b, "  lab    %s\n", g.Lab)
	}
	fmt.Fprint(&b, "  stop   Ctrl-C\n")
	if g.First {
		g.transcript(&b)
	}
	w.Write(b.Bytes())
}

// transcript writes what to try first.
func (g Greeting) transcript(w io.Writer) {
	if g.Open {
		fmt.Fprintf(w, "\nOpen it in a browser, or paste this into a terminal:\n  curl %s%s\n\n", g.URL, g.Rows)
		return
	}
	fmt.Fprint(w, "\nOpen it in a browser, or paste this into a terminal (next time, from line two):\n")
	if g.Rows == "" {
		fmt.Fprintf(w, `  curl %[1]s/api/v1/auth/signup -d email=ann@example.com -d password=b00k-worm
  TOKEN=$(curl -s %[1]s/api/v1/auth/signin -d email=ann@example.com -d password=b00k-worm | sed 's/.*"access_token":"\([^"]*\)".*/\1/')
  curl %[1]s/api/v1/items -H "Authorization: Bearer $TOKEN" -d itemname=ball -d category=soccer -d 'description=something to kick'
  curl %[1]s/api/v1/items -H "Authorization: Bearer $TOKEN"

`, g.URL)
	} else {
		fmt.Fprintf(w, `  curl %[1]s/register -d email=ann@example.com -d password=b00k-worm
  TOKEN=$(curl -s %[1]s/login -d email=ann@example.com -d password=b00k-worm | sed 's/.*"accessToken":"\([^"]*\)".*/\1/')
  curl %[1]s%[2]s -H "Authorization: Bearer $TOKEN"

`, g.URL, g.Rows)
	}
}

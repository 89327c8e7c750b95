package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"example.com/shelf/internal/config"
)

// readyCommand runs shelf ready. It returns the exit status and what stands on both
// outputs.
func readyCommand(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, failure strings.Builder
	err := ReadyCommand(t.Context(), args, &out)
	return config.ExitStatus("shelf", err, &failure), out.String(), failure.String()
}

// Whatever a server answers, one line says whether it is ready.
func TestReadyCommand(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		says   string // "" for that it is ready
	}{
		{"a server that is ready", func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, `{"message":"ready"}`)
		}, 0, ""},
		{"a server that can't write", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			fmt.Fprint(w, `{"message":"The store can't be written; reads go on"}`)
		}, 1, "it answers 503: The store can't be written; reads go on"},
		{"a page for people", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 1, "it answers 404"},
		{"a redirect is not followed", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/", http.StatusFound)
		}, 1, "it answers 302"},
		{"a reason that would control the terminal", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(503)
			fmt.Fprint(w, `{"error":"\u001b[2J"}`)
		}, 1, `it answers 503: \u001b[2J`},
		{"a reason that is none", func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			fmt.Fprint(w, `{"error":{"code":1}}`)
		}, 1, "it answers 500"},
		{"a connection that is closed", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, 1, "EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, start := range []func(http.Handler) *httptest.Server{httptest.NewServer, httptest.NewTLSServer} {
				server := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodGet || r.URL.Path != "/below/readyz" {
						t.Errorf("asked %s %s", r.Method, r.URL.Path)
					}
					tt.answer(w, r)
				}))
				defer server.Close()
				server.Config.ErrorLog = nil
				out, failure := server.URL+"/below is ready\n", ""
				if tt.says != "" {
					out, failure = "", "shelf: "+server.URL+"/below is not ready: "+tt.says+"\n"
				}
				status, stdout, stderr := readyCommand(t, server.URL+"/below/")
				if status != tt.status || stdout != out || stderr != failure {
					t.Errorf("status %d, output %q, error %q; want %d, %q, %q", status, stdout, stderr, tt.status, out, failure)
				}
			}
		})
	}
}

// Where nothing listens there is an answer at once.
func TestReadyCommandWithoutServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := "http://" + l.Addr().String()
	l.Close()
	for _, args := range [][]string{{at}, {at, "-wait", "50ms"}} {
		status, stdout, stderr := readyCommand(t, args...)
		if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "shelf: "+at+" is not ready: ") {
			t.Errorf("%q: status %d, output %q, error %q; want 1, none, one line", args, status, stdout, stderr)
		}
	}
}

// With -wait a server has time to become ready.
func TestReadyCommandWaits(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(503)
		}
	}))
	defer server.Close()
	if status, _, stderr := readyCommand(t, "-wait=1m", server.URL); status != 0 || asked.Load() != 3 {
		t.Errorf("status %d, %q, after %d questions; want 0 after 3", status, stderr, asked.Load())
	}
}

// A server that takes connections and answers nothing is given up.
func TestReadyCommandIsPatientForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		silent := &probe{base: "http://127.0.0.1:1", client: &http.Client{Transport: silence{}}}
		if err := silent.await(t.Context(), 0); err == nil || err.Error() != "it does not answer" {
			t.Errorf("%v; want that it does not answer", err)
		}
		if err := silent.await(t.Context(), patience/2); err == nil || err.Error() != "it does not answer (after 2.5s)" {
			t.Errorf("%v; want that it did not answer in 2.5 s", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := silent.await(ctx, patience); !errors.Is(err, context.Canceled) {
			t.Errorf("%v; want the end of the command", err)
		}
	})
}

// silence answers when the question is given up.
type silence struct{}

func (silence) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// What is no address of a server is a wrong command line, and no password is repeated.
func TestReadyCommandMisused(t *testing.T) {
	t.Parallel()
	const want = "this is no address of a server: want http://HOST:PORT, such as http://127.0.0.1:8080"
	for args, says := range map[string]string{
		"":                               readyUsage,
		"127.0.0.1:8080":                 want,
		"localhost:8080":                 want,
		":8080":                          want,
		"8080":                           want,
		"ftp://127.0.0.1":                want,
		"http://":                        want,
		"http://127.0.0.1:port":          want,
		"http://ann:b00k-worm@localhost": "give the server's address alone: http://localhost",
		"http://localhost/?token=secret": "give the server's address alone: http://localhost",
		"http://a http://b":              readyUsage,
		"http://localhost -wait -1s":     "-wait -1s: want a time such as 10s",
		"http://localhost -wait":         "-wait needs a value behind it: -wait VALUE (" + readyUsage + ")",
		"http://localhost -timeout 1s":   "ready has no flag -timeout (" + readyUsage + ")",
	} {
		status, stdout, stderr := readyCommand(t, strings.Fields(args)...)
		if status != 2 || stdout != "" || stderr != "shelf: "+says+"\n" {
			t.Errorf("shelf ready %s: status %d, output %q, error %q; want 2 and %q", args, status, stdout, stderr, says)
		}
	}
	if status, stdout, stderr := readyCommand(t, "-wait", "soon", "http://localhost"); status != 2 || stdout != "" || !strings.Contains(stderr, "soon") {
		t.Errorf("-wait soon: status %d, output %q, error %q; want 2", status, stdout, stderr)
	}
}

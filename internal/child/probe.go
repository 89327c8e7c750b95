package child

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/origin"
	"example.com/shelf/internal/term"
)

// How long one question may take, and how long a [probe] that waits pauses before the
// next.
const (
	patience = 5 * time.Second
	pause    = 100 * time.Millisecond
)

const readyUsage = "usage: shelf ready URL [-wait TIME], such as: shelf ready http://127.0.0.1:8080"

// ReadyCommand is the command shelf ready. It succeeds if the server at a URL is ready:
// GET /readyz answers 200. With -wait it asks until then, or until that time is over. An
// image without a shell and curl has this command as its HEALTHCHECK.
func ReadyCommand(ctx context.Context, args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("ready", flag.ContinueOnError)
	wait := flags.Duration("wait", 0, "")
	target, err := config.FileArgument(flags, readyUsage, args)
	switch {
	case err != nil:
		return err
	case target == "":
		return config.Misused(errors.New(readyUsage))
	case *wait < 0:
		return config.Misused(fmt.Errorf("-wait %v: want a time such as 10s", *wait))
	}
	p, err := newProbe(target)
	if err != nil {
		return config.Misused(err)
	}
	if err := p.await(ctx, *wait); err != nil {
		return fmt.Errorf("%s is not ready: %w", p.base, err)
	}
	_, err = fmt.Fprintf(stdout, "%s is ready\n", p.base)
	return err
}

// A probe asks a server whether it is ready.
type probe struct {
	base   string // the server's URL without a slash at its end
	client *http.Client
}

// newProbe returns the probe for the server at a URL. The URL may have a path, where a
// proxy serves shelf below one. On loopback the probe takes any certificate, because a
// certificate is rarely made for 127.0.0.1, and a probe sends nothing secret.
func newProbe(target string) (*probe, error) {
	u, err := url.Parse(target)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("this is no address of a server: want http://HOST:PORT, such as http://127.0.0.1:8080") // it may contain a password
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("give the server's address alone: %s://%s", u.Scheme, u.Host)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if origin.Loopback(u.Hostname()) {
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	}
	return &probe{
		base: strings.TrimRight(target, "/"),
		client: &http.Client{
			Transport: transport,
			// A redirect leads to another server, or to another page.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// await asks until the server is ready, or until wait is over; at least once. It returns
// why the server is not ready.
func (p *probe) await(ctx context.Context, wait time.Duration) error {
	if wait == 0 {
		return p.ask(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var reason error
	for {
		err := p.ask(ctx)
		if err == nil {
			return nil
		}
		if reason == nil || ctx.Err() == nil { // what was cut short by the end of the wait says less
			reason = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (after %v)", reason, wait)
		case <-time.After(pause):
		}
	}
}

// ask asks once.
func (p *probe) ask(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.base+"/readyz", nil)
	if err != nil {
		return err
	}
	response, err := p.client.Do(request)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err // without the URL, which the caller names
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return errors.New("it does not answer")
	case errors.Is(err, syscall.ECONNREFUSED):
		return errors.New("nothing listens there")
	case err != nil:
		return err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("it answers %d%s", response.StatusCode, reasonIn(response.Body))
}

// reasonIn returns what the body of an error says, with a colon before it, or "".
func reasonIn(body io.Reader) string {
	var said struct{ Message, Error string }
	text, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil || json.Unmarshal(text, &said) != nil || said.Message+said.Error == "" {
		return ""
	}
	return ": " + term.Printable(cmp.Or(said.Message, said.Error))
}

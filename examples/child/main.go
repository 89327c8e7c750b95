// Child is a tool that brings its own server: it starts shelf on a free port,
// with its data in memory, uses it, and leaves nothing behind, not even when it
// is killed.
//
//	go run ./examples/child    takes shelf on the PATH, see go install
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
}

func run() (err error) {
	server, err := startShelf()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	fmt.Println("shelf listens on", server.url)

	token, err := server.signUp("ann@example.com", "b00k-worm")
	if err != nil {
		return err
	}
	ball := url.Values{"itemname": {"ball"}, "category": {"soccer"}, "description": {"something to kick"}}
	if err := server.call("POST", "/api/v1/items", token, ball, nil); err != nil {
		return err
	}
	var items struct {
		Data []struct {
			ID       int
			Itemname string
		}
	}
	if err := server.call("GET", "/api/v1/items", token, nil, &items); err != nil {
		return err
	}
	for _, item := range items.Data {
		fmt.Printf("item %d is a %s\n", item.ID, item.Itemname)
	}
	return nil
}

// A shelf is a server that runs as a child of this program.
type shelf struct {
	url   string
	cmd   *exec.Cmd
	stdin io.Closer // its end is the server's, see -stdin
}

// startShelf returns when the server answers. It is to be stopped; if this
// program ends without that, however it ends, the system closes the pipe, and the
// server stops all the same.
func startShelf() (*shelf, error) {
	cmd := exec.Command("shelf", "-addr=127.0.0.1:0", "-data=memory", "-bcrypt-cost=4", "-log=off", "-stdin")
	cmd.Stderr = os.Stderr // why it didn't start
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &shelf{cmd: cmd, stdin: stdin}
	line, _ := bufio.NewReader(stdout).ReadString('\n') // the only one that there is
	address, ok := strings.CutPrefix(line, "listening on ")
	if !ok {
		return nil, errors.Join(errors.New("shelf did not start"), s.stop())
	}
	s.url = strings.TrimSpace(address)
	return s, nil
}

// stop returns when the server has ended.
func (s *shelf) stop() error {
	s.stdin.Close()
	return s.cmd.Wait()
}

// signUp makes an account and returns an access token of it.
func (s *shelf) signUp(email, password string) (token string, err error) {
	var answer struct {
		Data []struct {
			AccessToken string `json:"access_token"`
		}
	}
	err = s.call("POST", "/api/v1/auth/signup", "", url.Values{"email": {email}, "password": {password}}, &answer)
	if err != nil || len(answer.Data) != 1 {
		return "", errors.Join(errors.New("no sign-up"), err)
	}
	return answer.Data[0].AccessToken, nil
}

// call sends a form and reads the answer into v, unless that is nil. What is no
// success is an error with the server's own words.
func (s *shelf) call(method, path, token string, form url.Values, v any) error {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s", method, path, text)
	case v == nil:
		return nil
	}
	return json.Unmarshal(text, v)
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// accountRows is how many rows the collection has that accounts read and write.
const accountRows = 1000

// accountKinds are what is asked of shelf and of json-server-auth.
var accountKinds = []struct{ kind, what string }{
	{"login", "login"},
	{"register", "registration"},
	{"guarded", "GET of a row, guard 660"},
	{"guarded new", "POST of a row, guard 660"},
}

// accountRound measures shelf beside json-server-auth, on the same db.json and with the
// same bcrypt cost, in turns for each kind.
func (h *harness) accountRound() error {
	if h.node == "" {
		return nil
	}
	text := append([]byte(`{"users":[],`), collection(accountRows)[1:]...)
	names := []string{"shelf", "json-server-auth"}
	servers := map[string]*program{}
	defer func() {
		for _, p := range servers {
			p.stop()
		}
	}()
	for _, name := range names {
		p, err := h.startAccounts(name, text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		servers[name] = p
	}
	for _, k := range accountKinds {
		for _, name := range names {
			s, err := h.accountSample(servers[name], k.kind)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", k.kind, name, err)
			}
			h.samples[k.kind+"/"+name] = append(h.samples[k.kind+"/"+name], s)
		}
	}
	return nil
}

// startAccounts starts a server on a db.json of its own, and registers ann.
func (h *harness) startAccounts(name string, text []byte) (p *program, err error) {
	folder, err := os.MkdirTemp(h.folder, "data")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "db.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	if name == "shelf" {
		p, err = run([]string{"SECRET_KEY=" + secret, "SHELF_MAX_OWNED=10000000", "SHELF_MAX_TOKENS=1000000"}, h.shelf,
			"-addr", "127.0.0.1:0", "-bcrypt-cost", peerCost, "-sign-ups", "1000000", file)
	} else {
		p, err = h.startNode("json-server-auth/dist/bin.js", folder, file)
	}
	if err != nil {
		return nil, err
	}
	answer, err := send(http.DefaultClient, "POST", p.url+"/register", "", account)
	var in struct{ AccessToken string }
	if err == nil {
		err = json.Unmarshal(answer, &in)
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.token, p.signIn = in.AccessToken, signIn{"/login", account}
	return p, nil
}

func (h *harness) accountSample(p *program, kind string) (sample, error) {
	switch kind {
	case "login":
		return signIns(p, after(h.stretch()))
	case "register":
		return registrations(p, after(h.stretch()))
	}
	if kind == "guarded new" {
		return h.wrk(p, kind, accountRows, h.stretch())
	}
	return h.wrk(p, kind, accountRows, time.Duration(h.seconds)*time.Second)
}

var registered atomic.Int64

// registrations registers new accounts over 8 connections.
func registrations(p *program, stop chan struct{}) (sample, error) {
	return passwords(p, stop, func(client *http.Client) error {
		_, err := send(client, "POST", p.url+"/register", "", fmt.Sprintf(`{"email":"reader%d@example.com","password":"b00k-worm"}`, registered.Add(1)))
		return err
	})
}

func (h *harness) accountGoals(goal goalFunc) {
	for _, g := range []struct {
		kind, what string
		aim        float64
	}{
		{"login", "Login, both with bcrypt cost " + peerCost, 1}, {"register", "Registration, both with bcrypt cost " + peerCost, 1},
		{"guarded", "GET of a row, guard 660", 20}, {"guarded new", "POST of a row, guard 660", 20},
	} {
		goal(g.what+": throughput, against json-server-auth", h.ratio(rate, g.kind, "shelf", g.kind, "json-server-auth"), "≥", g.aim, "x")
	}
}

func (h *harness) printAccounts(w io.Writer) {
	if len(h.samples["login/shelf"]) == 0 {
		return
	}
	fmt.Fprintf(w, "\n| accounts and guards, %s rows | server | a second | p50 ms | p99 ms | processor µs |\n| --- | --- | ---: | ---: | ---: | ---: |\n", thousands(accountRows))
	for _, k := range accountKinds {
		for _, name := range []string{"shelf", "json-server-auth"} {
			fmt.Fprintf(w, "| %s | %s | %s | %.1f |\n", k.what, name, h.answers(k.kind, name), h.of(k.kind, name, cpu))
		}
	}
}

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Peers are other people's servers, which are measured in the same turns as shelf:
// PocketBase, json-server and json-server-auth. Their versions are fixed in pocketbase/go.mod
// and in test/peers/package-lock.json. A peer that can't be built or installed here is
// left out, and the report says so.
type peers struct {
	pocketBase     string // the program, "" if it is left out
	pocketBaseData string // the folder of PocketBase's data that each of its servers gets a copy of
	node           string // the folder of node_modules, "" if it is left out
	leftOut        []string
}

// peerCost is bcrypt's cost in PocketBase (bcrypt.DefaultCost in its core/field_password.go)
// and in json-server-auth (SALT_LENGTH in its constants). shelf gets the same cost beside
// them.
const peerCost = "10"

// pocketBaseAccount is account in PocketBase's dialect.
var pocketBaseAccount = signIn{"/api/collections/users/auth-with-password", `{"identity":"ann@example.com","password":"b00k-worm"}`}

// buildPocketBase builds PocketBase from the Go module proxy, and makes its data.
func (h *harness) buildPocketBase(root string) error {
	program, err := filepath.Abs(filepath.Join(h.folder, "pocketbase"))
	if err != nil {
		return err
	}
	out, err := exec.Command("go", "-C", filepath.Join(root, "test/bench/pocketbase"), "build", "-buildvcs=false", "-o", program, ".").CombinedOutput()
	if err != nil {
		h.leaveOut("PocketBase", "it can't be built here", out)
		return nil
	}
	h.pocketBase = program
	if err := h.preparePocketBase(); err != nil {
		return fmt.Errorf("PocketBase: %w", err)
	}
	return nil
}

// installNode installs json-server and json-server-auth from npm.
func (h *harness) installNode(root string) error {
	const names = "json-server and json-server-auth"
	for _, name := range []string{"node", "npm"} {
		if _, err := exec.LookPath(name); err != nil {
			h.leaveOut(names, "node and npm are not installed", nil)
			return nil
		}
	}
	folder := filepath.Join(h.folder, "node")
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := os.ReadFile(filepath.Join(root, "test/peers", name))
		if err == nil {
			err = os.WriteFile(filepath.Join(folder, name), text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	install.Dir = folder
	if out, err := install.CombinedOutput(); err != nil {
		h.leaveOut(names, "npm can't install them here", out)
		return nil
	}
	h.node = filepath.Join(folder, "node_modules")
	return nil
}

// leaveOut notes that a peer is not measured. said is what the tool that failed printed.
func (h *harness) leaveOut(name, reason string, said []byte) {
	last := ""
	for line := range strings.Lines(string(said)) {
		if line = strings.TrimSpace(line); line != "" {
			last = ": " + line
		}
	}
	h.leftOut = append(h.leftOut, fmt.Sprintf("The rows of %s are left out, as %s%s.", name, reason, last))
}

func (h *harness) printLeftOut(w io.Writer) {
	for _, line := range h.leftOut {
		fmt.Fprintf(w, "\n%s\n", line)
	}
}

// preparePocketBase makes a folder of data with the collection items, the same items that
// shelf's smallest store has, and ann. Reading and adding takes an account, as in shelf.
func (h *harness) preparePocketBase() error {
	h.pocketBaseData = filepath.Join(h.folder, "pocketbase-master")
	const owner = `{"identity":"owner@example.com","password":"b00k-worm"}`
	if out, err := exec.Command(h.pocketBase, "superuser", "upsert", "owner@example.com", "b00k-worm", "--dir", h.pocketBaseData).CombinedOutput(); err != nil {
		return fmt.Errorf("superuser upsert: %w: %s", err, out)
	}
	p, err := h.runPocketBase(h.pocketBaseData)
	if err != nil {
		return err
	}
	defer p.stop()
	if p.token, err = pocketBaseToken(p, signIn{"/api/collections/_superusers/auth-with-password", owner}); err != nil {
		return err
	}
	add := func(to, body string) error {
		_, err := send(http.DefaultClient, "POST", p.url+"/api/collections"+to, p.token, body)
		return err
	}
	const rule = `"@request.auth.id != \"\""`
	err = add("", `{"name":"items","type":"base","listRule":`+rule+`,"viewRule":`+rule+`,"createRule":`+rule+
		`,"fields":[{"name":"itemname","type":"text"},{"name":"category","type":"text"},{"name":"description","type":"text"}]}`)
	if err == nil {
		err = add("/users/records", `{"email":"ann@example.com","password":"b00k-worm","passwordConfirm":"b00k-worm"}`)
	}
	for i := 0; err == nil && i < items; i++ {
		err = add("/items/records", fmt.Sprintf(`{"id":"item%011d",%s}`, i+1, itemText(i)))
	}
	return err
}

// startPocketBase starts PocketBase on a copy of its data, and signs ann in.
func (h *harness) startPocketBase() (*program, error) {
	folder, err := os.MkdirTemp(h.folder, "data")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(folder, os.DirFS(h.pocketBaseData)); err != nil {
		return nil, err
	}
	return h.runPocketBase(folder)
}

// signedInPocketBase is startPocketBase for ann's requests.
func (h *harness) signedInPocketBase() (*program, error) {
	p, err := h.startPocketBase()
	if err != nil {
		return nil, err
	}
	if p.token, err = pocketBaseToken(p, pocketBaseAccount); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (h *harness) runPocketBase(data string) (*program, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	// A program in the folder for temporary files takes itself for one under development,
	// and prints each statement of SQL.
	p, err := run([]string{}, h.pocketBase, "serve", "--http", address, "--dir", data, "--dev=false")
	if p != nil {
		p.dialect, p.signIn = "pocketbase ", pocketBaseAccount
	}
	return p, err
}

func pocketBaseToken(p *program, who signIn) (string, error) {
	text, err := send(http.DefaultClient, "POST", p.url+who.path, "", who.body)
	if err != nil {
		return "", err
	}
	var in struct{ Token string }
	err = json.Unmarshal(text, &in)
	return in.Token, err
}

// freeAddress returns an address on loopback whose port is free.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// startNode starts a program of node_modules on a db.json, and waits until it answers at
// /profile.
func (h *harness) startNode(script, folder, file string) (*program, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	host, port, _ := net.SplitHostPort(address)
	p := &program{cmd: exec.Command("node", filepath.Join(h.node, script), "--quiet", "--host", host, "--port", port, file), url: "http://" + address}
	p.cmd.Dir = folder
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 1200 {
		if _, err = send(http.DefaultClient, "GET", p.url+"/profile", "", ""); err == nil {
			return p, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	p.stop()
	return nil, errors.Join(fmt.Errorf("%s doesn't answer", script), err)
}

// pocketBaseGoals print shelf against PocketBase. PocketBase opens SQLite with
// synchronous=NORMAL and a write-ahead log (DefaultDBConnect in its core/db_connect.go):
// then SQLite syncs at checkpoints, not for each commit.
func (h *harness) pocketBaseGoals(goal goalFunc) {
	against := func(what, scenario, server string, aim float64) {
		goal(what, h.ratio(rate, scenario, server, scenario, "pocketbase"), "≥", aim, "x")
	}
	against("GET of an item: throughput, against PocketBase", "get", "shelf", 10)
	against("Page of 100: throughput, against PocketBase", "page", "shelf", 20)
	against("POST of an item, synced: throughput, against PocketBase, which does not sync each write", "post", "shelf", 9)
	against("Sign-in, both with bcrypt cost "+peerCost+": throughput, against PocketBase", "signin", "peer cost", 1)
	goal("Start with 1,000 items: time, against PocketBase", h.figureRatio("start/shelf 1000", "start/pocketbase"), "≤", 1, "x")
}

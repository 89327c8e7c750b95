package operator

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"

	"example.com/shelf/internal/durable"
)

// A port is a door where there are no Unix sockets: a port on loopback, and a file
// beside the data file with its address and a secret of this start. Any user of the
// machine can connect, so both sides prove that they know the secret, without sending
// it (RFC 2104):
//
//	{"nonce":"S"}                           the server
//	{"nonce":"C","proof":"HMAC(command S C)"}   the command
//	{"proof":"HMAC(server S C)"}            the server
type port struct {
	net.Listener
	file   string
	secret string
}

// A portFile is what the file of a port holds.
type portFile struct {
	Address string `json:"address"`
	Secret  string `json:"secret"`
}

// A greeting is a line of the proofs.
type greeting struct {
	Nonce string `json:"nonce,omitempty"`
	Proof string `json:"proof,omitempty"`
}

// openPort opens a port, and replaces the file of a server that was killed.
func openPort(file string) (door, error) {
	if err := removeStalePort(file); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &port{l, file, rand.Text()}
	text, err := json.Marshal(portFile{l.Addr().String(), p.secret})
	if err == nil {
		err = writePrivate(file, append(text, '\n'))
	}
	if err != nil {
		l.Close()
		return nil, err
	}
	return p, nil
}

// removeStalePort removes what a killed server left, but no file of anything else.
func removeStalePort(file string) error {
	_, err := readPortFile(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return os.Remove(file)
}

func readPortFile(file string) (p portFile, err error) {
	text, err := durable.ReadFile(file)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(text, &p); err != nil || p.Secret == "" {
		return p, fmt.Errorf("%s is not a file of shelf: move it away", file)
	}
	return p, nil
}

func (p *port) remove() { os.Remove(p.file) }

func (p *port) admit(w *wire) error {
	nonce := rand.Text()
	if err := w.send(greeting{Nonce: nonce}); err != nil {
		return err
	}
	var got greeting
	if err := w.receive(&got); err != nil {
		return err
	}
	if !proves(got.Proof, p.secret, "command", nonce, got.Nonce) {
		return fmt.Errorf("%w: the caller doesn't know the secret of %s", errDenied, p.file)
	}
	return w.send(greeting{Proof: proof(p.secret, "server", nonce, got.Nonce)})
}

// dialPort connects to the server that wrote the file.
func dialPort(file string) (*wire, error) {
	p, err := readPortFile(file)
	if err != nil {
		return nil, err
	}
	conn, err := net.DialTimeout("tcp", p.Address, patience)
	if err != nil {
		return nil, err
	}
	w := newWire(conn)
	if err := w.prove(p.Secret); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// prove shows the server that the command knows the secret, and has the server show it
// too: another program may have the port of a server that was killed.
func (w *wire) prove(secret string) error {
	var got greeting
	if err := w.receive(&got); err != nil {
		return err
	}
	theirs, ours := got.Nonce, rand.Text()
	if err := w.send(greeting{ours, proof(secret, "command", theirs, ours)}); err != nil {
		return err
	}
	if err := w.receive(&got); err != nil {
		return err
	}
	if !proves(got.Proof, secret, "server", theirs, ours) {
		return errors.New("another program has its port")
	}
	return nil
}

func proof(secret, side, server, command string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s %q %q", side, server, command)
	return hex.EncodeToString(mac.Sum(nil))
}

func proves(got, secret, side, server, command string) bool {
	return hmac.Equal([]byte(got), []byte(proof(secret, side, server, command)))
}

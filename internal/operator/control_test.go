package operator

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/shelf/internal/journal"
)

const someHash = "$2a$04$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

// people is accounts that a test keeps.
type people struct {
	mu  sync.Mutex
	all []Account
	say []string // what was done with them
}

func newPeople(names ...string) *people {
	p := new(people)
	for _, name := range names {
		p.all = append(p.all, Account{ID: len(p.all) + 1, Username: name, Created: time.Unix(1, 0).UTC()})
	}
	return p
}

func (p *people) did(format string, args ...any) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.say = append(p.say, fmt.Sprintf(format, args...))
	return nil
}

func (p *people) accounts() *Accounts {
	return &Accounts{
		Passwords: Passwords{Policy: "nist", BcryptCost: 4},
		List: func(each func(Account) error) error {
			for _, a := range p.all {
				if err := each(a); err != nil {
					return err
				}
			}
			return nil
		},
		Find: func(name string) (Account, error) {
			if i := slices.IndexFunc(p.all, func(a Account) bool { return a.Username == name }); i >= 0 {
				return p.all[i], nil
			}
			return Account{}, ErrNoAccount
		},
		New: func(name string) (Account, bool, error) {
			return Account{Username: name}, slices.ContainsFunc(p.all, func(a Account) bool { return a.Username == name }), nil
		},
		Add: func(name, hash string) (Account, error) {
			return Account{ID: 9, Username: name, Hash: hash != ""}, p.did("add %s %s", name, hash)
		},
		SetPassword: func(id int, hash string) error { return p.did("passwd %d %s", id, hash) },
		SetAdmin:    func(id int, admin bool) error { return p.did("admin %d %v", id, admin) },
		Delete: func(id int) error {
			if id == 2 {
				return errors.New("the disk is full")
			}
			return p.did("delete %d", id)
		},
	}
}

// A notebook is a log that a test reads.
type notebook struct {
	mu    sync.Mutex
	notes []string
}

func (n *notebook) note(event string, attrs ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.notes = append(n.notes, fmt.Sprint(append([]any{event}, attrs...)...))
}

func (n *notebook) text() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Join(n.notes, "\n")
}

// startControl answers commands for the data file until the test ends.
func startControl(t *testing.T, data string, p *people, open func() (door, error)) (*Control, *notebook) {
	t.Helper()
	n := new(notebook)
	c := &Control{Accounts: p.accounts(), Log: slog.New(slog.DiscardHandler), Note: n.note}
	d, err := open()
	if err != nil {
		t.Fatal(err)
	}
	c.start(d)
	t.Cleanup(c.Close)
	return c, n
}

// doors are the ways in.
var doors = map[string]func(data string) (door, error){
	"the door of this system": openDoor,
	"a port":                  func(data string) (door, error) { return openPort(besideData(data, ".port")) },
}

func locked() (*Accounts, error) { return nil, fmt.Errorf("shelf.jsonl is %w", journal.ErrLocked) }

// A command works on the accounts of a running server as on those of a file.
func TestReach(t *testing.T) {
	t.Parallel()
	for name, open := range doors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "shelf.jsonl")
			people := newPeople("ann", "bob")
			c, log := startControl(t, data, people, func() (door, error) { return open(data) })
			a, err := Reach(data, true, locked)
			if err != nil {
				t.Fatal(err)
			}
			if a.Policy != "nist" || a.BcryptCost != 4 {
				t.Errorf("the rules are %+v", a.Passwords)
			}
			var names []string
			err = a.List(func(a Account) error { names = append(names, a.Username); return nil })
			if err != nil || fmt.Sprint(names) != "[ann bob]" {
				t.Errorf("list: %v, %v", names, err)
			}
			if got, err := a.Find("bob"); err != nil || got != people.all[1] {
				t.Errorf("find: %+v, %v", got, err)
			}
			if _, err := a.Find("eve"); !errors.Is(err, ErrNoAccount) {
				t.Errorf("find of none: %v", err)
			}
			for name, want := range map[string]bool{"ann": true, "eve": false} {
				if got, taken, err := a.New(name); err != nil || taken != want || got.Username != name {
					t.Errorf("new %s: %+v, %v, %v", name, got, taken, err)
				}
			}
			if got, err := a.Add("eve", someHash); err != nil || got.ID != 9 || got.Username != "eve" {
				t.Errorf("add: %+v, %v", got, err)
			}
			if err := errors.Join(a.SetPassword(1, someHash), a.SetAdmin(1, true), a.SetAdmin(1, false), a.Delete(1)); err != nil {
				t.Error(err)
			}
			if err := a.Delete(2); err == nil || err.Error() != "the disk is full" {
				t.Errorf("delete that fails: %v", err)
			}
			if err := a.SetPassword(1, "clear text"); err == nil {
				t.Error("a hash that is none was taken")
			}
			want := "add eve " + someHash + "\npasswd 1 " + someHash + "\nadmin 1 true\nadmin 1 false\ndelete 1"
			if got := strings.Join(people.say, "\n"); got != want {
				t.Errorf("the server did\n%s\nwant\n%s", got, want)
			}
			want = "account added by shelf useraccount9\npassword changed by shelf useraccount1\naccount changed by shelf useraccount1 admintrue\naccount changed by shelf useraccount1 adminfalse\naccount deleted by shelf useraccount1"
			if got := strings.ReplaceAll(log.text(), "account 1", "account1"); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
				t.Errorf("the log has\n%s\nwant\n%s", got, want)
			}
			c.Close()
			if left, err := os.ReadDir(filepath.Dir(data)); len(left) > 0 || err != nil {
				t.Errorf("a stop leaves %v, %v", left, err)
			}
			if _, err := Reach(data, true, locked); !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), "it has no socket") {
				t.Errorf("after a stop: %v", err)
			}
		})
	}
}

// Where no server answers, the file is opened, and its errors are the command's.
func TestReachFile(t *testing.T) {
	t.Parallel()
	data, own := filepath.Join(t.TempDir(), "shelf.jsonl"), new(Accounts)
	if a, err := Reach(data, true, func() (*Accounts, error) { return own, nil }); a != own || err != nil {
		t.Errorf("%v, %v", a, err)
	}
	damaged := errors.New("damaged")
	if _, err := Reach(data, true, func() (*Accounts, error) { return nil, damaged }); err != damaged {
		t.Error(err)
	}
	tries := 0
	a, err := Reach(data, true, func() (*Accounts, error) { // the other command ends
		if tries++; tries < 3 {
			return locked()
		}
		return own, nil
	})
	if a != own || err != nil {
		t.Errorf("%v, %v", a, err)
	}
}

// A start replaces what a killed server left, and takes nothing that is another's.
func TestStaleDoor(t *testing.T) {
	t.Parallel()
	for name, open := range doors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "shelf.jsonl")
			killed, err := open(data)
			if err != nil {
				t.Fatal(err)
			}
			killed.Close()
			startControl(t, data, newPeople("ann"), func() (door, error) { return open(data) })
			if _, err := Reach(data, true, locked); err != nil {
				t.Error(err)
			}
		})
		t.Run(name+", a file in the way", func(t *testing.T) {
			t.Parallel()
			data := filepath.Join(t.TempDir(), "shelf.jsonl")
			for _, ending := range []string{".sock", ".port"} {
				if err := os.WriteFile(data+ending, []byte("mine"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if d, err := open(data); err == nil {
				d.Close()
				t.Error("it was replaced")
			}
			var log bytes.Buffer
			c := &Control{Accounts: newPeople().accounts(), Log: slog.New(slog.NewTextHandler(&log, nil))}
			c.Open(data)
			c.Close()
			if !strings.Contains(log.String(), "shelf user will not work while this server runs") {
				t.Errorf("the log has %q", &log)
			}
			for _, ending := range []string{".sock", ".port"} {
				if text, err := os.ReadFile(data + ending); string(text) != "mine" || err != nil {
					t.Errorf("%s: %q, %v", ending, text, err)
				}
			}
		})
	}
}

// A caller and a server have to know the secret of the file.
func TestPortSecret(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "shelf.jsonl")
	file := besideData(data, ".port")
	people := newPeople("ann")
	_, log := startControl(t, data, people, func() (door, error) { return openPort(file) })
	p, err := readPortFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, lines := range []string{
		`{"do":"delete","id":1}` + "\n",
		`{"nonce":"x","proof":"` + proof("guess", "command", "", "x") + `"}` + "\n" + `{"do":"delete","id":1}` + "\n",
	} {
		conn, err := net.Dial("tcp", p.Address)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, lines)
		if got, _ := io.ReadAll(conn); bytes.Count(got, []byte("\n")) != 1 {
			t.Errorf("the server answers %s", got)
		}
		conn.Close()
	}
	if len(people.say) > 0 || !strings.Contains(log.text(), "shelf user denied") {
		t.Errorf("the server did %q and noted %q", people.say, log.text())
	}
	if strings.Contains(log.text(), p.Secret) {
		t.Error("the log has the secret")
	}

	impostor, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer impostor.Close()
	other := &port{Listener: impostor, secret: "guess"}
	got := make(chan string, 1)
	go func() {
		conn, err := impostor.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		w := newWire(conn)
		w.send(greeting{Nonce: "S"})
		var g greeting
		w.receive(&g)
		w.send(greeting{Proof: proof(other.secret, "server", "S", g.Nonce)})
		rest, _ := io.ReadAll(conn)
		got <- g.Proof + string(rest)
	}()
	text := fmt.Sprintf(`{"address":%q,"secret":%q}`, impostor.Addr(), p.Secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dialPort(file); err == nil || !strings.Contains(err.Error(), "another program has its port") {
		t.Errorf("an impostor was believed: %v", err)
	}
	if sent := <-got; strings.Contains(sent, p.Secret) || strings.Contains(sent, `"do"`) {
		t.Errorf("an impostor got %s", sent)
	}
}

// The name of the file with the secret begins like the data file's, however long that
// is: such files are never served.
func TestPortFileName(t *testing.T) {
	t.Parallel()
	for _, data := range []string{"shelf.jsonl", strings.Repeat("n", 200) + ".jsonl"} {
		data = filepath.Join(t.TempDir(), data)
		if got := besideData(data, ".port"); got != data+".port" {
			t.Errorf("the file of %s is %s", data, got)
		}
	}
}

// A pipeDoor lets in connections that a test made.
type pipeDoor struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (d pipeDoor) Accept() (net.Conn, error) {
	select {
	case c := <-d.conns:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}
func (d pipeDoor) Close() error      { close(d.closed); return nil }
func (d pipeDoor) Addr() net.Addr    { return nil }
func (d pipeDoor) admit(*wire) error { return nil }
func (d pipeDoor) remove()           {}

// A request is one line, of a bounded size, within a time.
func TestRequestBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, sent, want string
	}{
		{"a good one", `{"do":"rules"}` + "\n", `{"rules":{"policy":"nist","bcrypt_cost":4},"done":true}`},
		{"one a connection", `{"do":"rules"}` + "\n" + `{"do":"delete","id":1}` + "\n", `{"rules":{"policy":"nist","bcrypt_cost":4},"done":true}`},
		{"unknown", `{"do":"sing"}` + "\n", `doesn't know \"sing\"`},
		{"a member of a later version", `{"do":"delete","id":1,"soft":true}` + "\n", "different versions"},
		{"no JSON", "GET / HTTP/1.1\n", "different versions"},
		{"too long", `{"do":"find","name":"` + strings.Repeat("x", maxLine) + `"}` + "\n", "more than 16384 bytes"},
		{"without an end", `{"do":"rules"}`, ""},
		{"nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				people := newPeople("ann")
				d := pipeDoor{make(chan net.Conn), make(chan struct{})}
				startControl(t, "", people, func() (door, error) { return d, nil })
				ours, theirs := net.Pipe()
				defer ours.Close()
				began := time.Now()
				d.conns <- theirs
				go io.WriteString(ours, tt.sent)
				got, err := bufio.NewReader(ours).ReadString('\n')
				if !strings.Contains(got, tt.want) || tt.want == "" && err == nil {
					t.Errorf("got %q, %v; want %q", got, err, tt.want)
				}
				if took := time.Since(began); took > patience || tt.want == "" && took != patience {
					t.Errorf("it took %v", took)
				}
				if len(people.say) > 0 {
					t.Errorf("the server did %q", people.say)
				}
			})
		})
	}
}

// A stop waits for a request that runs, and for none that was not sent.
func TestControlClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		people, begun, finish := newPeople("ann"), make(chan struct{}), make(chan struct{})
		d := pipeDoor{make(chan net.Conn), make(chan struct{})}
		c := &Control{Accounts: people.accounts(), Log: slog.New(slog.DiscardHandler), Note: new(notebook).note}
		c.Accounts.Delete = func(int) error { close(begun); <-finish; return nil }
		c.start(d)
		idle, theirs := net.Pipe()
		d.conns <- theirs
		busy, theirs := net.Pipe()
		d.conns <- theirs
		go io.WriteString(busy, `{"do":"delete","id":1}`+"\n")
		<-begun
		began, closed := time.Now(), make(chan struct{})
		go func() { c.Close(); close(closed) }()
		if _, err := io.ReadAll(idle); err != nil {
			t.Error(err)
		}
		select {
		case <-closed:
			t.Error("a stop waits for no request")
		default:
		}
		close(finish)
		if got, err := io.ReadAll(busy); string(got) != `{"done":true}`+"\n" || err != nil {
			t.Errorf("the request that ran: %q, %v", got, err)
		}
		<-closed
		if took := time.Since(began); took > 0 {
			t.Errorf("it took %v", took)
		}
	})
}

// No line of a command ends the server or goes without an answer.
func FuzzRequest(f *testing.F) {
	for _, line := range []string{`{"do":"list"}`, `{"do":"find","name":"ann"}`, `{"do":"add","name":"x","hash":"` + someHash + `"}`, `{"do":"admin","id":1,"admin":true}`, "", "{", `{"do":null}`} {
		f.Add([]byte(line))
	}
	c := &Control{Accounts: newPeople("ann").accounts(), Log: slog.New(slog.DiscardHandler), Note: new(notebook).note, waiting: map[net.Conn]bool{}, door: pipeDoor{}}
	f.Fuzz(func(t *testing.T, line []byte) {
		line = bytes.ReplaceAll(line[:min(len(line), maxLine-1)], []byte("\n"), nil)
		ours, theirs := net.Pipe()
		go func() { c.serve(newWire(theirs)); theirs.Close() }()
		go ours.Write(append(line, '\n'))
		got, err := io.ReadAll(ours)
		if err != nil || !bytes.HasSuffix(got, []byte(`"done":true}`+"\n")) {
			t.Errorf("%q: %q, %v", line, got, err)
		}
		ours.Close()
	})
}

// The command prints what a server has, and asks for a password before it sends a hash.
func TestRunBesideServer(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "shelf.jsonl")
	people := newPeople("ann")
	startControl(t, data, people, func() (door, error) { return openDoor(data) })
	var out bytes.Buffer
	streams := Streams{In: strings.NewReader("b00k-worm\n"), Out: &out, Err: io.Discard}
	err := Run(context.Background(), []string{"passwd", "ann"}, streams, func([]string, bool) (*Accounts, error) {
		a, err := Reach(data, true, locked)
		if err == nil {
			a.Fault = func(Account, string) error { return nil }
		}
		return a, err
	})
	if err != nil || out.String() != "ann (user 1) has a new password; its sign-ins have ended\n" {
		t.Errorf("%q, %v", &out, err)
	}
	if len(people.say) != 1 || !strings.HasPrefix(people.say[0], "passwd 1 $2a$04$") {
		t.Errorf("the server did %q", people.say)
	}
}

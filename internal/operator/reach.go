package operator

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/journal"
)

// Reach returns the accounts of a data file: those of the server that runs on it, or
// else those that open finds in it. Only for an account to be added the file may be a
// new one. A file that another process has locked, and that has no server which
// answers, is an error. In a cluster open works beside all servers.
func Reach(data string, adding bool, open func() (*Accounts, error)) (*Accounts, error) {
	if etcd.IsAddress(data) {
		return open()
	}
	_, err := os.Stat(data)
	isNew := errors.Is(err, os.ErrNotExist) && adding
	if err != nil && !isNew {
		return nil, NoDataFile(data, err)
	}
	for tries := 1; ; tries++ { // a server may be on its way up or down
		remote, unreachable := reachServer(data)
		if unreachable == nil {
			return remote, nil
		}
		local, err := open() // waits a little for the lock
		if err == nil && isNew {
			local.NewFile = data
		}
		switch {
		case !errors.Is(err, journal.ErrLocked):
			return local, err
		case tries == 3, errors.Is(unreachable, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("%w, and shelf user can't reach it (%w): stop it, or wait until it ends", err, unreachable)
		}
	}
}

// reachServer returns the accounts of a running server.
func reachServer(data string) (*Accounts, error) {
	r := remote(data)
	rules, err := r.ask(request{Do: "rules"}, nil)
	if err != nil {
		return nil, err
	}
	if rules.Rules == nil {
		return nil, errOtherVersion
	}
	return &Accounts{
		Passwords: *rules.Rules,
		List: func(each func(Account) error) error {
			_, err := r.ask(request{Do: "list"}, each)
			return err
		},
		Find: func(name string) (Account, error) { return r.account(request{Do: "find", Name: name}) },
		New: func(name string) (Account, bool, error) {
			last, err := r.ask(request{Do: "new", Name: name}, nil)
			if err == nil && last.Account == nil {
				err = errOtherVersion
			}
			if err != nil {
				return Account{}, false, err
			}
			return *last.Account, last.Taken, nil
		},
		Add:         func(name, hash string) (Account, error) { return r.account(request{Do: "add", Name: name, Hash: hash}) },
		SetPassword: func(id int, hash string) error { return r.change(request{Do: "passwd", ID: id, Hash: hash}) },
		SetAdmin:    func(id int, admin bool) error { return r.change(request{Do: "admin", ID: id, Admin: admin}) },
		Delete:      func(id int) error { return r.change(request{Do: "delete", ID: id}) },
		Close:       func() error { return nil },
	}, nil
}

var errOtherVersion = errors.New("the running server is another version of shelf: stop it for this command")

// A remote is the data file of a running server.
type remote string

func (r remote) change(what request) error {
	_, err := r.ask(what, nil)
	return err
}

func (r remote) account(what request) (Account, error) {
	last, err := r.ask(what, nil)
	if err == nil && last.Account == nil {
		err = errOtherVersion
	}
	if err != nil {
		return Account{}, err
	}
	return *last.Account, nil
}

// ask sends a request and returns the last line of the answer. The lines before go to
// each.
func (r remote) ask(what request, each func(Account) error) (last answer, err error) {
	w, err := knock(string(r))
	if err != nil {
		return last, err
	}
	defer w.Close()
	if err := w.send(what); err != nil {
		return last, err
	}
	if what.Do != "rules" { // the server is there; it may wait for its disk
		w.patience = time.Minute
	}
	for {
		last = answer{}
		if err := w.receive(&last); err != nil {
			return last, fmt.Errorf("the server did not answer (%w): look with shelf user list at what it did", err)
		}
		switch {
		case last.None:
			return last, ErrNoAccount
		case last.Error != "":
			return last, errors.New(last.Error)
		case last.Done:
			return last, nil
		case last.Account == nil || each == nil:
			return last, errors.New("the server's answer makes no sense")
		}
		if err := each(*last.Account); err != nil {
			return last, err
		}
	}
}

// knock connects to the server of a data file.
func knock(data string) (*wire, error) {
	w, err := dialSocket(besideData(data, ".sock"))
	if errors.Is(err, os.ErrNotExist) {
		w, err = dialPort(besideData(data, ".port"))
	}
	if errors.Is(err, os.ErrNotExist) {
		err = errors.New("it has no socket")
	}
	return w, err
}

// besideData is a file beside a data file, whatever link leads there. Its name begins
// like that of the data file, so that it is never served. Only a socket, which nothing
// can serve, has a short name if the data file has a long one.
func besideData(data, ending string) string {
	if real, err := filepath.EvalSymlinks(data); err == nil {
		data = real
	}
	dir, name := filepath.Split(data)
	if len(name) > 60 && ending == ".sock" {
		sum := sha256.Sum256([]byte(name))
		name = "shelf-" + hex.EncodeToString(sum[:8])
	}
	return dir + name + ending
}

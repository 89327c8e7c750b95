// Package operator implements the commands for the owner of a data file. [Run]
// lists accounts, adds one, sets a password, makes an account an admin, or
// deletes one. [RunKeys] lists keys or creates one. These need the server to be
// stopped, except lists of keys. [Files] reads a data file, even of a running
// server.
//
// The package reads arguments, asks for passwords and prints what was done. The
// rules of accounts belong to the program, which passes them as functions in
// [Accounts].
package operator

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/term"
)

// An Account is the part of an account that the commands show.
type Account struct {
	ID                    int
	Username, Email       string // no e-mail: an account of the book API
	Admin, Disabled, Hash bool   // Hash: it has a password
	Created               time.Time
}

// administers reports whether a is an enabled admin.
func (a Account) administers() bool { return a.Admin && !a.Disabled }

// Accounts gives access to the accounts in a data file. U is the program's
// account type.
type Accounts[U any] struct {
	NewFile    string // the data file, if it is new; else ""
	BcryptCost int    // cost of a new password's hash

	Show  func(*U) Account
	All   func() []*U
	Find  func(name string) *U // by e-mail, or else by username; nil: not found
	Taken func(*U) bool        // another account has its e-mail or username

	// Fault returns why a text can't be the password of that account, or "".
	Fault       func(u *U, password string) string
	Add         func(u *U, hash string) error
	SetPassword func(u *U, hash string) error
	SetAdmin    func(u *U, admin bool) error
	Delete      func(*U) error
	Close       func() error
}

// Streams are the streams of the program.
type Streams struct {
	In        io.Reader
	Out, Err  io.Writer
	Interrupt *config.Interrupt // controls what Ctrl-C keeps
}

// An Open opens the accounts of the data file that the flags name. If name is
// not "", added is a new account of that name, without a password, and the data
// file needn't exist.
type Open[U any] func(flags []string, name string) (accounts *Accounts[U], added *U, err error)

// A command holds the state of a running command.
type command[U any] struct {
	*Accounts[U]
	Streams
	name  string // the account's name; "" for list
	added *U     // for add
	off   bool   // for admin
}

// Run runs the command that args begin with. It may remove the last admin,
// because it can always add another.
func Run[U any](ctx context.Context, args []string, streams Streams, open Open[U]) (err error) {
	usage := errors.New("usage: shelf user list, or shelf user add|passwd|admin|delete NAME, flags last (shelf help user says more)")
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 {
		return usage
	}
	c := &command[U]{Streams: streams}
	do := map[string]func(context.Context) error{
		"list": c.list, "add": c.add, "passwd": c.passwd, "admin": c.admin, "delete": c.delete,
	}[args[0]]
	if do == nil {
		return usage
	}
	flags := args[1:]
	if args[0] != "list" && (len(flags) == 0 || !config.WantsHelp(flags)) {
		if len(flags) == 0 || strings.HasPrefix(flags[0], "-") || strings.TrimSpace(flags[0]) == "" {
			return usage
		}
		c.name, flags = strings.TrimSpace(flags[0]), flags[1:]
	}
	adding := ""
	switch args[0] {
	case "add":
		adding = c.name
	case "admin":
		n := len(flags)
		flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "-off" || f == "--off" })
		c.off = len(flags) < n
	}
	if c.Accounts, c.added, err = open(flags, adding); err != nil {
		return err
	}
	defer func() {
		if closeErr := c.Close(); err == nil {
			err = closeErr
		}
	}()
	c.Interrupt.Keeps("") // a change of one row is made or not made
	return do(ctx)
}

// account returns the account that the command names.
func (c *command[U]) account() (*U, Account, error) {
	u := c.Find(c.name)
	if u == nil {
		return nil, Account{}, fmt.Errorf("no account has the e-mail or username %q", c.name)
	}
	return u, c.Show(u), nil
}

// report prints what was done to an account.
func (c *command[U]) report(a Account, what string) {
	fmt.Fprintf(c.Out, "%s (user %d) %s\n", term.Printable(a.Username), a.ID, what)
}

func (c *command[U]) list(context.Context) error {
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tUSERNAME\tE-MAIL\tADMIN\tDISABLED\tCREATED\tCAN SIGN IN")
	for _, u := range c.All() {
		a := c.Show(u)
		signsIn := "yes"
		switch {
		case a.Disabled:
			signsIn = "no: disabled"
		case !a.Hash:
			signsIn = "no: has no password"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, term.Printable(a.Username), term.Printable(term.OrDash(a.Email)),
			term.YesNo(a.Admin), term.YesNo(a.Disabled), a.Created.UTC().Format(time.DateTime), signsIn)
	}
	return table.Flush()
}

func (c *command[U]) add(ctx context.Context) error {
	if c.Taken(c.added) { // Add checks it again; here it saves typing a password
		return fmt.Errorf("an account with the e-mail or username %q exists already", c.name)
	}
	hash, err := c.newHash(ctx, c.added)
	if err != nil {
		return err
	}
	if err := c.Add(c.added, hash); err != nil {
		return err
	}
	a := c.Show(c.added)
	kind := "book"
	if a.Email != "" {
		kind = "catalog"
	}
	done := "is added, a " + kind + " account"
	if c.NewFile != "" {
		done += ", in the new file " + c.NewFile
	}
	c.report(a, done)
	return nil
}

func (c *command[U]) passwd(ctx context.Context) error {
	u, a, err := c.account()
	if err != nil {
		return err
	}
	hash, err := c.newHash(ctx, u)
	if err != nil {
		return err
	}
	if err := c.SetPassword(u, hash); err != nil {
		return err
	}
	c.report(a, "has a new password; its sign-ins have ended")
	return nil
}

func (c *command[U]) admin(context.Context) error {
	u, a, err := c.account()
	if err != nil {
		return err
	}
	if err := c.SetAdmin(u, !c.off); err != nil {
		return err
	}
	if !c.off {
		c.report(a, "is an admin")
		return nil
	}
	c.report(a, "is no admin")
	c.warnOfNoAdmin()
	return nil
}

func (c *command[U]) delete(context.Context) error {
	u, a, err := c.account()
	if err != nil {
		return err
	}
	if err := c.Delete(u); err != nil {
		return err
	}
	c.report(a, "is deleted; what it made stays")
	if a.Admin {
		c.warnOfNoAdmin()
	}
	return nil
}

// warnOfNoAdmin warns if no account is an enabled admin any more. Only this
// command can change that, not a request.
func (c *command[U]) warnOfNoAdmin() {
	if !slices.ContainsFunc(c.All(), func(u *U) bool { return c.Show(u).administers() }) {
		fmt.Fprintln(c.Err, "shelf: warning: no enabled account is an admin now (shelf user admin NAME makes one)")
	}
}

// newHash asks for a new password of u and hashes it.
func (c *command[U]) newHash(ctx context.Context, u *U) (string, error) {
	text, err := term.ReadNewPassword(ctx, c.In, c.Err, term.Printable(c.Show(u).Username))
	if err != nil {
		return "", err
	}
	if why := c.Fault(u, text); why != "" {
		return "", errors.New(why)
	}
	c.Interrupt.Keeps("nothing was changed")
	defer c.Interrupt.Keeps("")
	return password.New(c.BcryptCost).Hash(ctx, netip.Prefix{}, text)
}

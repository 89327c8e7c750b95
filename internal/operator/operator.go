// Package operator implements the commands for the owner of a data file. [Run]
// lists accounts, adds one, sets a password, makes an account an admin, or
// deletes one. Beside a running server these commands go to it: a [Control]
// answers them there. [RunKeys] lists keys or creates one, which needs the server
// to be stopped. [Files] reads a data file, even of a running server.
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
	"strings"
	"text/tabwriter"
	"time"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/term"
)

// An Account is the part of an account that the commands show.
type Account struct {
	ID       int       `json:"id"`
	Username string    `json:"username"`
	Email    string    `json:"email,omitempty"` // none: an account of the book API
	Admin    bool      `json:"admin,omitempty"`
	Disabled bool      `json:"disabled,omitempty"`
	Hash     bool      `json:"hash,omitempty"` // it has a password
	Created  time.Time `json:"created"`
}

// administers reports whether a is an enabled admin.
func (a Account) administers() bool { return a.Admin && !a.Disabled }

// Accounts gives access to the accounts in a data file: to the file itself, or to
// the server that has locked it. [Reach] finds out which.
type Accounts struct {
	Passwords
	NewFile string // the data file, if it is new; else ""

	// Fault returns why a text can't be the password of that account, or nil.
	Fault func(a Account, password string) error

	List        func(each func(Account) error) error                 // by id
	Find        func(name string) (Account, error)                   // by e-mail, or else by username; [ErrNoAccount]
	New         func(name string) (a Account, taken bool, err error) // what Add would add; whether another has the e-mail or username
	Add         func(name, hash string) (Account, error)
	SetPassword func(id int, hash string) error // and ends its sign-ins
	SetAdmin    func(id int, admin bool) error
	Delete      func(id int) error
	Close       func() error
}

// Passwords are the rules for new passwords: those of the server, if one runs.
type Passwords struct {
	Policy     string `json:"policy"`
	BcryptCost int    `json:"bcrypt_cost"`
}

// ErrNoAccount means that no account has a name.
var ErrNoAccount = errors.New("no such account")

// Streams are the streams of the program.
type Streams struct {
	In        io.Reader
	Out, Err  io.Writer
	Interrupt *config.Interrupt // controls what Ctrl-C keeps
	Progress  history.Progress
}

// confirm asks a person on a terminal to confirm what can't be undone, unless sure, the
// flag -y, says yes. Nothing was changed before it.
func (s Streams) confirm(ctx context.Context, sure bool, format string, args ...any) error {
	if sure {
		return nil
	}
	s.Interrupt.Keeps("") // Ctrl-C is an answer
	err := term.Confirm(ctx, s.In, s.Err, fmt.Sprintf(format, args...))
	s.Interrupt.Keeps("nothing was changed")
	return err
}

// An Open opens the accounts of the data file that the flags name. If an account is to
// be added, the data file needn't exist.
type Open func(flags []string, adding bool) (*Accounts, error)

// A command holds the state of a running command.
type command struct {
	*Accounts
	Streams
	name string // the account's name; "" for list
	off  bool   // for admin
	sure bool   // for delete: the flag -y
}

// Run runs the command that args begin with. It may remove the last admin,
// because it can always add another.
func Run(ctx context.Context, args []string, streams Streams, open Open) (err error) {
	usage := config.Misused(errors.New("usage: shelf user list, or shelf user add|passwd|admin|delete NAME, flags last (shelf help user says more)"))
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 {
		return usage
	}
	c := &command{Streams: streams}
	do := map[string]func(context.Context) error{
		"list": c.list, "add": c.add, "passwd": c.passwd, "admin": c.admin, "delete": c.delete,
	}[args[0]]
	if do == nil {
		return usage
	}
	flags := args[1:]
	switch args[0] {
	case "admin":
		flags, c.off = config.TakeFlag(flags, "off")
	case "delete":
		flags, c.sure = config.TakeFlag(flags, "y")
	}
	if args[0] != "list" && len(flags) == 0 {
		return config.Misused(fmt.Errorf("shelf user %[1]s needs the name of an account: shelf user %[1]s NAME (shelf help user says more)", args[0]))
	}
	if args[0] != "list" && !config.WantsHelp(flags) {
		if len(flags) == 0 || strings.HasPrefix(flags[0], "-") || strings.TrimSpace(flags[0]) == "" {
			return usage
		}
		c.name, flags = strings.TrimSpace(flags[0]), flags[1:]
	}
	if c.Accounts, err = open(flags, args[0] == "add"); err != nil {
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
func (c *command) account() (Account, error) {
	a, err := c.Find(c.name)
	if errors.Is(err, ErrNoAccount) {
		err = fmt.Errorf("no account has the e-mail or username %q", c.name)
	}
	return a, err
}

// report prints what was done to an account.
func (c *command) report(a Account, what string) {
	fmt.Fprintf(c.Out, "%s (user %d) %s\n", term.Printable(a.Username), a.ID, what)
}

func (c *command) list(context.Context) error {
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tUSERNAME\tE-MAIL\tADMIN\tDISABLED\tCREATED\tCAN SIGN IN")
	err := c.List(func(a Account) error {
		signsIn := "yes"
		switch {
		case a.Disabled:
			signsIn = "no: disabled"
		case !a.Hash:
			signsIn = "no: has no password"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, term.Printable(a.Username), term.Printable(term.OrDash(a.Email)),
			term.YesNo(a.Admin), term.YesNo(a.Disabled), a.Created.UTC().Format(time.DateTime), signsIn)
		return nil
	})
	if err != nil {
		return err
	}
	return table.Flush()
}

func (c *command) add(ctx context.Context) error {
	added, taken, err := c.New(c.name) // Add checks it again; here it saves typing a password
	if err != nil {
		return err
	}
	if taken {
		return fmt.Errorf("an account with the e-mail or username %q exists already", c.name)
	}
	hash, err := c.newHash(ctx, added)
	if err != nil {
		return err
	}
	a, err := c.Add(c.name, hash)
	if err != nil {
		return err
	}
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

func (c *command) passwd(ctx context.Context) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	hash, err := c.newHash(ctx, a)
	if err != nil {
		return err
	}
	if err := c.SetPassword(a.ID, hash); err != nil {
		return err
	}
	c.report(a, "has a new password; its sign-ins have ended")
	return nil
}

func (c *command) admin(context.Context) error {
	a, err := c.account()
	if err != nil {
		return err
	}
	if err := c.SetAdmin(a.ID, !c.off); err != nil {
		return err
	}
	if !c.off {
		c.report(a, "is an admin")
		return nil
	}
	c.report(a, "is no admin")
	return c.warnOfNoAdmin()
}

func (c *command) delete(ctx context.Context) error {
	a, err := c.account()
	if err == nil {
		err = c.confirm(ctx, c.sure, "This deletes the account %s (user %d) and ends its sign-ins, for good. What it made stays, without an owner.", term.Printable(a.Username), a.ID)
	}
	if err != nil {
		return err
	}
	c.Interrupt.Keeps("")
	if err := c.Delete(a.ID); err != nil {
		return err
	}
	c.report(a, "is deleted; what it made stays")
	if a.Admin {
		return c.warnOfNoAdmin()
	}
	return nil
}

// warnOfNoAdmin warns if no account is an enabled admin any more. Only this
// command can change that, not a request.
func (c *command) warnOfNoAdmin() error {
	admins := 0
	err := c.List(func(a Account) error {
		if a.administers() {
			admins++
		}
		return nil
	})
	if err == nil && admins == 0 {
		fmt.Fprintln(c.Err, "shelf:", term.Paint(c.Err, term.Yellow, "warning:"), "no enabled account is an admin now (shelf user admin NAME makes one)")
	}
	return err
}

// newHash asks for a new password of an account and hashes it. So the password
// itself never leaves the command.
func (c *command) newHash(ctx context.Context, a Account) (string, error) {
	text, err := term.ReadNewPassword(ctx, c.In, c.Err, term.Printable(a.Username))
	if err != nil {
		return "", err
	}
	if err := c.Fault(a, text); err != nil {
		return "", err
	}
	c.Interrupt.Keeps("nothing was changed")
	defer c.Interrupt.Keeps("")
	return password.New(c.BcryptCost).Hash(ctx, netip.Prefix{}, text)
}

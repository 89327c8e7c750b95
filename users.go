package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/config"
	"example.com/shelf/internal/form"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/term"
	"example.com/shelf/internal/token"
)

// An accountCommand is one of the commands shelf user, at work: accounts as
// whoever has the data file sees and changes them, with the server stopped.
type accountCommand struct {
	config settings
	store  *store
	fresh  bool   // there was no data file
	name   string // whom it is about; "" for list
	added  *user  // add only
	off    bool   // admin only

	shell
}

// userCommand runs shelf user with args behind it. No rule about the last admin
// binds it, as it can always make another one.
func userCommand(ctx context.Context, sh shell, args []string) (err error) {
	usage := errors.New("usage: shelf user list, or shelf user add|passwd|admin|delete NAME, flags last (shelf help user says more)")
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 {
		return usage
	}
	a := &accountCommand{shell: sh}
	var do func(context.Context) error
	switch args[0] {
	case "list":
		do = a.list
	case "add":
		do = a.add
	case "passwd":
		do = a.passwd
	case "admin":
		do = a.admin
	case "delete":
		do = a.delete
	default:
		return usage
	}
	flags := args[1:]
	if args[0] != "list" && (len(flags) == 0 || !config.WantsHelp(flags)) {
		if len(flags) == 0 || strings.HasPrefix(flags[0], "-") || strings.TrimSpace(flags[0]) == "" {
			return usage
		}
		a.name, flags = strings.TrimSpace(flags[0]), flags[1:]
	}
	if args[0] == "admin" {
		n := len(flags)
		flags = slices.DeleteFunc(slices.Clone(flags), func(f string) bool { return f == "-off" || f == "--off" })
		a.off = len(flags) < n
	}
	if a.config, err = sh.parse(flags); err != nil {
		return err
	}
	if args[0] == "add" {
		if a.added, err = a.newAccount(); err != nil {
			return err
		}
	}
	if err := a.open(); err != nil {
		return err
	}
	defer func() {
		if closeErr := a.store.Close(); err == nil {
			err = closeErr
		}
	}()
	err = do(ctx)
	switch {
	case errors.Is(err, errNoUser):
		return fmt.Errorf("no account has the e-mail or username %q", a.name)
	case errors.Is(err, errUserExists):
		return fmt.Errorf("an account with the e-mail or username %q exists already", a.name)
	}
	return err
}

// newAccount is the account that add adds, as yet without a password.
func (a *accountCommand) newAccount() (*user, error) {
	u := &user{PublicID: token.NewUUID(), Username: a.name, Created: a.now().UTC().Truncate(time.Second)}
	if strings.Contains(a.name, "@") {
		u.Email = a.name
	}
	switch {
	case u.Email != "" && !validEmail(u.Email):
		return nil, fmt.Errorf("%q is no e-mail address that an account can have", a.name)
	case !utf8.ValidString(u.Username) || !within(u.Username, maxUsername):
		return nil, fmt.Errorf("a username is UTF-8 text of at most %d characters", maxUsername)
	}
	return u, nil
}

// open opens the data file. Only add makes one.
func (a *accountCommand) open() error {
	c := a.config
	if c.data == inMemory {
		return errors.New("a server with -data memory keeps no accounts to change")
	}
	if _, err := os.Stat(c.data); err != nil {
		if a.fresh = a.added != nil && errors.Is(err, os.ErrNotExist); !a.fresh {
			return fmt.Errorf("no data file: %w", err)
		}
	}
	var err error
	a.store, err = openStore(journal.OS{}, c.data, newLog(c, a.stderr), a.now)
	return err
}

// user finds the account that the command is about, or fails with errNoUser.
func (a *accountCommand) user() (*user, error) {
	if u := a.store.userByName(a.name); u != nil {
		return u, nil
	}
	return nil, errNoUser
}

// say tells what has been done to u.
func (a *accountCommand) say(u *user, what string) {
	fmt.Fprintf(a.stdout, "%s (user %d) %s\n", term.Printable(u.Username), u.ID, what)
}

func (a *accountCommand) list(context.Context) error {
	users, _ := a.store.usersAfter(0, math.MaxInt)
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ID\tUSERNAME\tE-MAIL\tADMIN\tDISABLED\tCREATED\tCAN SIGN IN")
	for _, u := range users {
		signsIn := "yes"
		switch {
		case u.Disabled:
			signsIn = "no: disabled"
		case u.Hash == "":
			signsIn = "no: has no password"
		}
		fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s\t%s\n", u.ID, term.Printable(u.Username), term.Printable(term.OrDash(u.Email)),
			term.YesNo(u.Admin), term.YesNo(u.Disabled), u.Created.UTC().Format(time.DateTime), signsIn)
	}
	return table.Flush()
}

func (a *accountCommand) add(ctx context.Context) error {
	u := a.added
	if a.store.userTaken(u) { // asked again below; here it saves the typing
		return errUserExists
	}
	var err error
	if u.Hash, err = a.newHash(ctx, u); err != nil {
		return err
	}
	if err := a.store.signUp(u); err != nil {
		return err
	}
	kind := "book"
	if u.Email != "" {
		kind = "catalog"
	}
	done := "is added, a " + kind + " account"
	if a.fresh {
		done += ", in the new file " + a.config.data
	}
	a.say(u, done)
	return nil
}

func (a *accountCommand) passwd(ctx context.Context) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	hash, err := a.newHash(ctx, u)
	if err != nil {
		return err
	}
	if err := a.store.setPassword(u, hash, noSession); err != nil {
		return err
	}
	a.say(u, "has a new password; its sign-ins have ended")
	return nil
}

func (a *accountCommand) admin(context.Context) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	admin := !a.off
	if u, err = a.store.setAccess(operator, u.ID, &admin, nil); err != nil {
		return err
	}
	if admin {
		a.say(u, "is an admin")
		return nil
	}
	a.say(u, "is no admin")
	a.warnOfNoAdmin()
	return nil
}

func (a *accountCommand) delete(context.Context) error {
	u, err := a.user()
	if err != nil {
		return err
	}
	if err := a.store.deleteUser(operator, u.ID); err != nil {
		return err
	}
	a.say(u, "is deleted; what it made stays")
	if u.Admin {
		a.warnOfNoAdmin()
	}
	return nil
}

// warnOfNoAdmin says so if nobody can administer any more: over the wire that
// could not be mended.
func (a *accountCommand) warnOfNoAdmin() {
	users, _ := a.store.usersAfter(0, math.MaxInt)
	if !slices.ContainsFunc(users, (*user).administers) {
		fmt.Fprintln(a.stderr, "shelf: warning: no enabled account is an admin now (shelf user admin NAME makes one)")
	}
}

// newHash asks for a new password of u's and hashes it.
func (a *accountCommand) newHash(ctx context.Context, u *user) (string, error) {
	text, err := term.ReadNewPassword(ctx, a.stdin, a.stderr, term.Printable(u.Username))
	if err != nil {
		return "", err
	}
	p := form.Password(text)
	if why := passwordFault(u, p); why != "" {
		return "", errors.New(why)
	}
	return password.New(a.config.bcryptCost).Hash(ctx, text)
}

// keyCommand is the command shelf key.
func keyCommand(_ context.Context, sh shell, args []string) error {
	if config.WantsHelp(args) {
		return flag.ErrHelp
	}
	if len(args) == 0 || args[0] != "rotate" && args[0] != "list" {
		return errors.New("usage: shelf key rotate [-now] [-data FILE] [-alg ALG], or shelf key list [-data FILE]")
	}
	rotate, args := args[0] == "rotate", args[1:]
	isNow := func(arg string) bool { return arg == "-now" || arg == "--now" }
	leaked := rotate && slices.ContainsFunc(args, isNow)
	if leaked {
		args = slices.DeleteFunc(slices.Clone(args), isNow)
	}
	c, err := sh.parse(args)
	switch {
	case err != nil:
		return err
	case !rotate:
		return listKeys(c, sh.now(), sh.stdout)
	case c.secret != "":
		return errors.New(rotateSecret)
	case c.data == inMemory:
		return errMemoryKeys
	}
	return rotateKeys(c, leaked, sh.now(), sh.stdout)
}

var errMemoryKeys = errors.New("a server with -data memory makes a new key whenever it starts")

const rotateSecret = `SECRET_KEY is set, so it signs, and nothing was changed. To change it:
  1. put what SECRET_KEY holds now first into SECRET_KEY_FALLBACKS
     (if it has leaked, don't: what it signed is to be refused)
  2. give SECRET_KEY a new value: openssl rand -base64 48
  3. restart the server
  4. take the fallback away when the last token it signed has ended`

// rotateKeys makes a new key that signs from the next start on. The one before
// it verifies until the last token that the store knows of has ended, as no
// other token is good; if it has leaked it goes at once, and what it signed with
// it.
//
// It holds the data file's lock meanwhile. A server that ran on would sign with
// the old key for longer than that verifies, and go on trusting a leaked one.
func rotateKeys(c settings, leaked bool, now time.Time, stdout io.Writer) error {
	if _, err := os.Stat(c.data); err != nil {
		return fmt.Errorf("no data file: %w", err)
	}
	lock, err := journal.Lock(journal.OS{}, c.data)
	if errors.Is(err, journal.ErrLocked) {
		return fmt.Errorf("a server runs on %s and would go on with the key that it has: stop it, rotate, start it", c.data)
	}
	if err != nil {
		return journal.Explain(c.data, err)
	}
	defer lock.Close()

	path := token.KeyPath(c.data)
	if leaked {
		if err := token.ReplaceKeys(path, c.alg, now); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s holds a new key and no other.\nEvery token made so far is refused: everybody has to sign in again.\n\n", path)
		return listKeys(c, now, stdout)
	}
	st, _, err := loadStore(c.data)
	if err != nil {
		return err
	}
	_, before, err := token.ReadKeyFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := token.RotateKey(path, c.alg, now, st.lastExpiry()); err != nil {
		return err
	}
	if slices.ContainsFunc(before, func(k *token.Key) bool { return k.Alg != c.alg }) {
		fmt.Fprintf(stdout, "%s holds a new key, which signs from the next start on that has -alg %s.\nA server with one -alg refuses what the keys for another have signed.\n\n", path, c.alg)
	} else {
		fmt.Fprintf(stdout, "%s holds a new key, which signs from the next start on.\nNobody is signed out: the old one verifies until the last token has ended.\n\n", path)
	}
	return listKeys(c, now, stdout)
}

// minuteTime is how commands write a moment.
const minuteTime = "2006-01-02 15:04 UTC"

// listKeys prints what keys there are, and nothing of what is secret in them.
func listKeys(c settings, now time.Time, stdout io.Writer) error {
	ring, err := token.ConfiguredKeys(c.secret, c.fallbacks, c.alg)
	switch {
	case err != nil:
		return err
	case ring != nil:
		ring.Print(stdout)
		return nil
	case c.data == inMemory:
		return errMemoryKeys
	}
	return token.PrintKeyFile(stdout, token.KeyPath(c.data), c.alg, now)
}

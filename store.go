package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"time"
	"unicode/utf8"

	"example.com/shelf/internal/clock"
	"example.com/shelf/internal/db"
	"example.com/shelf/internal/etcd"
	"example.com/shelf/internal/journal"
	"example.com/shelf/internal/list"
	"example.com/shelf/internal/metrics"
	"example.com/shelf/internal/operator"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

// What the rules of the store refuse.
var (
	errUserExists = errors.New("e-mail or username taken")
	errNoUser     = errors.New("no such user")    // the caller, or who signs in
	errNoAccount  = errors.New("no such account") // that the caller wants to change
	errDisabled   = errors.New("account disabled")
	errNotAdmin   = errors.New("no admin, or no longer")
	errLastAdmin  = errors.New("the last admin")
	errNoToken    = errors.New("no such token")
	errTokenEnded = errors.New("token ended by something else than its owner's revoking it")
	errOwnSignIn  = errors.New("token of the caller's own sign-in")
	errNoItem     = errors.New("no such item")
	errNoBook     = errors.New("no such book")
	errTitleTaken = errors.New("title taken")
	errNotOwner   = errors.New("made by another user")
	errStaleHash  = errors.New("password changed meanwhile")
)

// A store is the whole state of shelf: its tables, and in store_*.go the rules for
// each. Methods may be called from any goroutine. A change is durable when its method
// returns nil, and readers see it only then. After an error nothing has changed, but
// for history.ErrOutcomeUnknown.
type store struct {
	*db.DB
	now    func() time.Time
	fsyncs metrics.Histogram // those that writes have waited for; none in memory

	traffic           *metrics.Shared // with other replicas
	maxOwned, maxRows int             // items and books of an account, rows of all; 0: no bound

	users      *db.Table[*user]
	byEmail    *db.Unique[*user, string] // by emailKey
	byUsername *db.Unique[*user, string]
	byPublicID *db.Unique[*user, string]
	byOwnID    *db.Unique[*user, string] // by the text of the id

	tokens    *db.Table[*tokenRecord]
	byJTI     *db.Unique[*tokenRecord, string]
	tokensOf  *db.Multi[*tokenRecord, int] // by user
	maxTokens int                          // records that an account may have

	items    *db.Table[storedItem]
	itemsOf  *db.Multi[storedItem, int]    // by user, noOwner for those without
	itemsIn  *db.Multi[storedItem, string] // by category
	itemList *list.List[storedItem]
	books    *db.Table[*book]
	byTitle  *db.Unique[*book, string]
	booksOf  *db.Multi[*book, int] // by user, noOwner for those without
	bookList *list.List[*book]

	rows       *rows.Store // the collections
	plainUsers bool        // users is one of them, and accounts have no rows
	first      bool        // it held nothing before this start
}

// newStore declares the tables. The store keeps to memory until it is opened.
func newStore(log *slog.Logger, now func() time.Time) *store {
	return newStoreWith(db.Options{Log: log, Now: now})
}

func newStoreWith(options db.Options) *store {
	s := &store{now: options.Now, maxTokens: defaultMaxTokens, traffic: metrics.NewShared()}
	options.Tidy = s.tidy
	s.DB = db.New(options)
	s.addUsers()
	s.addTokens()
	s.addItems()
	s.addBooks()
	s.rows = rows.New(s.DB, rows.Options{})
	s.rows.Accounts(s.isOwner)
	s.watch()
	return s
}

// tidy drops what no one misses, before a compaction.
func (s *store) tidy() error {
	if _, err := s.as(theOperator).pruneTokens(); err != nil {
		return err
	}
	return s.Update(func(tx *db.Tx) error { s.rows.Tidy(tx); return nil })
}

// addUsers declares the accounts.
func (s *store) addUsers() {
	s.users = db.Add(s.DB, db.Schema[*user]{
		Name: "user", Plural: "users", KeysSuffice: true,
		ID: func(u *user) int { return u.ID },
		Check: func(_ *db.Tx, u *user) error {
			if u.Username == "" || u.PublicID == "" {
				return errors.New("a user needs a username and a public_id")
			}
			if u.Profile != "" && u.Profile[0] != '{' {
				return errors.New("a user's profile is an object")
			}
			return password.CheckHash(u.Hash)
		},
		Valid: validUser,
		Public: func(u *user) *user {
			bare := *u
			bare.Hash = ""
			return &bare
		},
		// A user's deletion makes the createdby of all the items that they made
		// null, and is told once.
		Event: func(tx *db.Tx, what db.Change, id int) string {
			if what == db.Deleted && s.itemsOf.IDs(tx, id).Len() > 0 {
				return "creator.deleted"
			}
			return ""
		},
	})
	s.byEmail = db.NewUnique(s.users, "e-mail", func(u *user) (string, bool) { return emailKey(u.Email), u.Email != "" })
	s.byUsername = db.NewUnique(s.users, "username", func(u *user) (string, bool) { return u.Username, true })
	s.byPublicID = db.NewUnique(s.users, "public_id", func(u *user) (string, bool) { return u.PublicID, true })
	s.byOwnID = db.NewUnique(s.users, "own_id", func(u *user) (string, bool) { return rows.KeyText(string(u.OwnID)), u.OwnID != "" })
}

// addTokens declares the token records. They go with their user: a record of a
// user who is gone would be damage to the next replay.
func (s *store) addTokens() {
	s.tokens = db.Add(s.DB, db.Schema[*tokenRecord]{
		Name: "token", Plural: "tokens", KeysSuffice: true,
		ID: func(t *tokenRecord) int { return t.ID },
		Check: func(tx *db.Tx, t *tokenRecord) error {
			old, ok := s.tokens.Get(tx, t.ID)
			switch {
			case ok && (old.JTI != t.JTI || old.User != t.User || old.Type != t.Type):
				return fmt.Errorf("token %d is another one's", t.ID)
			case t.JTI == "" || t.Type != token.Access && t.Type != token.Refresh:
				return errors.New("a token needs a jti and a type")
			}
			return nil
		},
	})
	s.byJTI = db.NewUnique(s.tokens, "jti", func(t *tokenRecord) (string, bool) { return t.JTI, true })
	s.tokensOf = db.NewMulti(s.tokens, func(t *tokenRecord) int { return t.User })
	db.Reference(s.tokensOf, s.users, nil)
}

// openStore opens the data file at path, creating it if there is none, and
// holds it until Close. It fails with one clear line.
func openStore(d journal.Disk, path string, log *slog.Logger, now func() time.Time) (*store, error) {
	return openStoreWith(journal.Options{}, d, path, log, now)
}

// openStoreForCommand is openStore for a command that leaves no file behind when it
// has nothing to keep. In a cluster the command is one more replica.
func openStoreForCommand(ctx context.Context, c settings, sh shell) (*store, error) {
	log := serve.NewLog(sh.screen, c.log, c.logFormat)
	if c.shared() {
		s, _, err := openShared(ctx, c, log, sh.now)
		return s, err
	}
	return openStoreWith(journal.Options{DropUnused: true, Progress: c.progress}, journal.OS{}, c.data, log, sh.now)
}

// openShared opens the store that several servers share. It fails with one clear line.
func openShared(ctx context.Context, c settings, log *slog.Logger, now func() time.Time) (*store, *etcd.Log, error) {
	cluster, err := c.etcd.Open(ctx, c.data, true, log, now)
	if err != nil {
		return nil, nil, err
	}
	s := newStoreWith(db.Options{Log: log, Now: now, MaxStale: c.etcd.MaxStale, Progress: c.progress})
	if err := s.OpenShared(ctx, cluster); err != nil {
		cluster.Close()
		return nil, nil, cluster.Explain(err)
	}
	return s, cluster, nil
}

func openStoreWith(options journal.Options, d journal.Disk, path string, log *slog.Logger, now func() time.Time) (*store, error) {
	s := newStoreWith(db.Options{Log: log, Now: now, Progress: options.Progress})
	options.Reserve, options.Synced = reserveForEndings, s.fsyncs.Observe
	if err := journal.OpenFor(s, d, path, options, log); err != nil {
		return nil, err
	}
	return s, nil
}

// reserveForEndings is how many bytes the data file keeps free, so that a full disk stops
// no log-out, revocation, demotion or deletion. One account can need half of them.
const reserveForEndings = 512 << 10

// forOperator is the accounts as shelf user works on them.
func (s *store) forOperator(c settings) *operator.Accounts {
	as := s.as(theOperator)
	return operator.Store[user]{
		New: func(name string) (*user, error) { return newAccount(name, s.now()) },
		Show: func(u *user) operator.Account {
			return operator.Account{ID: u.ID, Username: u.Username, Email: u.Email, Admin: u.Admin, Disabled: u.Disabled, Hash: u.Hash != "", Created: u.Created}
		},
		Page: s.usersAfter, Find: s.userByName, Get: s.users.Row, Taken: s.userTaken, Close: s.Close,
		Add:         func(u *user, hash string) error { u.Hash = hash; return s.signUp(u) },
		SetPassword: as.setPassword,
		SetAdmin:    func(id int, admin bool) error { _, err := as.setAccess(id, &admin, nil); return err },
		Delete:      as.deleteUser,
	}.Accounts(operator.Passwords{Policy: c.passwordPolicy, BcryptCost: c.bcryptCost})
}

// loadStore is a store in memory with what the data holds, which may be a running
// server's: see journal.LoadFor.
func loadStore(c settings) (s *store, found journal.Found, err error) {
	s = newStoreWith(db.Options{Now: clock.Real, Progress: c.progress})
	if c.shared() {
		found, err = c.etcd.LoadFor(s, c.data)
		return s, found, err
	}
	found, err = journal.LoadFor(s, c.data, c.progress)
	return s, found, operator.NoDataFile(c.data, err)
}

// contents says what is in the store, but for the token records: "1 user, 2 items,
// 0 books".
func (s *store) contents() string { return s.Counts().Words("token", "source") }

// A tooManyRows refuses rows over a limit of the server's owner: an account could
// otherwise fill memory and disk (CWE-770). Commands have no limit.
type tooManyRows struct {
	flag string
	most int
	also string // " and rows of collections" where there are some
}

func (e tooManyRows) Error() string {
	if e.flag == "max-owned" {
		return fmt.Sprintf("An account may own at most %d items and books%s (-max-owned)", e.most, e.also)
	}
	return fmt.Sprintf("The server keeps at most %d accounts, items and books%s (-max-rows)", e.most, e.also)
}

// roomFor fails with tooManyRows unless owner may have so many more rows, and with
// errNoUser if owner has gone. It may count a few pending rows twice.
func (s *store) roomFor(tx *db.Tx, owner, more int) error {
	u, there := s.users.Get(tx, owner)
	if owner != noOwner && !there {
		return errNoUser
	}
	also := ""
	if s.rows.Len(tx) > 0 {
		also = " and rows of collections"
	}
	if s.maxOwned > 0 && owner != noOwner && s.itemsOf.Count(tx, owner)+s.booksOf.Count(tx, owner)+s.rows.Owned(tx, s.rowsCaller(u))+more > s.maxOwned {
		return tooManyRows{"max-owned", s.maxOwned, also}
	}
	if s.maxRows > 0 && s.users.AtMost(tx)+s.items.AtMost(tx)+s.books.AtMost(tx)+s.rows.Len(tx)+more > s.maxRows {
		return tooManyRows{"max-rows", s.maxRows, also}
	}
	return nil
}

// noOwner is the owner of accounts, and of what accounts made that are gone.
const noOwner = 0

// An acting store is the store for one caller. Every rule for callers is a method of
// it, so no change can be made without its Update, which judges the caller.
type acting struct {
	*store
	caller *caller
}

// as is the store as c changes it.
func (s *store) as(c *caller) acting { return acting{s, c} }

// theOperator is the caller for commands and for the store itself. It may do what an
// admin may, and may remove the last admin, as it can make another one.
var theOperator = new(caller)

// Update is [db.DB.Update] for the caller. It judges the caller again, pending changes
// included: while the body was on its way, the token may have been revoked or the
// admin demoted (CWE-367, CWE-613). me is the caller's user as it is now.
func (s acting) Update(rules func(tx *db.Tx, me *user) error) error {
	return s.store.Update(func(tx *db.Tx) error {
		me, err := s.judgeAgain(tx)
		if err != nil {
			return err
		}
		return rules(tx, me)
	})
}

func (s acting) judgeAgain(tx *db.Tx) (*user, error) {
	if s.caller == theOperator {
		return &user{Admin: true}, nil
	}
	now := s.now()
	if s.caller.token.expired(now) {
		return nil, errTokenExpired
	}
	me, _ := s.users.Get(tx, s.caller.user.ID)
	record, _ := s.tokens.Get(tx, s.caller.token.ID)
	if err := judge(me, record, s.caller.token.Type, now); err != nil {
		return nil, err
	}
	if s.caller.asAdmin && !me.Admin {
		return nil, errNotAdmin
	}
	return me, nil
}

// terms are on which a caller wants to change a row.
type terms struct {
	shared  bool                   // anybody may change what others made
	expects func(tag string) error // rejects a row that has changed; nil for no conditions
}

// check fails with errNotOwner, or as expects does. latest includes pending changes:
// of two who edit the same version of a row, the second is told.
func (t terms) check(me *user, createdBy int, latest reply.Rendered) error {
	switch {
	case !t.shared && !me.Admin && (createdBy == 0 || createdBy != me.ID):
		return errNotOwner
	case t.expects != nil:
		return t.expects(latest.Tag())
	}
	return nil
}

// unchanged returns the latest row of u. It fails with errNoUser, errDisabled or
// errStaleHash if u has changed since the caller checked its password.
func (s *store) unchanged(tx *db.Tx, u *user) (*user, error) {
	latest, ok := s.users.Get(tx, u.ID)
	switch {
	case !ok:
		return nil, errNoUser
	case latest.Disabled && !u.Disabled:
		return nil, errDisabled
	case latest.Hash != u.Hash:
		return nil, errStaleHash
	}
	return latest, nil
}

// administers reports whether u is an admin who can act as one.
func (u *user) administers() bool { return u.Admin && !u.Disabled }

// lastAdmin reports whether u is the only admin, pending changes included: of two who
// demote each other at once, one stays.
func (s *store) lastAdmin(tx *db.Tx, u *user) bool {
	if !u.administers() {
		return false
	}
	for _, other := range s.users.All(tx) {
		if other.ID != u.ID && other.administers() {
			return false
		}
	}
	return true
}

// addFile adds a file's accounts and collections. The ids of accounts begin above
// every id that names a user in the file. sent is the hash that the file had before its
// clear passwords became hashes: it is noted too, as the file may still be that one.
func (s *store) addFile(f *rows.File, users []*user, sent string) error {
	return s.Update(func(tx *db.Tx) error {
		for id := range s.users.All(tx) {
			if id <= f.MaxUserID {
				return fmt.Errorf("the file speaks of a user %d, and there is an account of that id already: begin with a new data file", id)
			}
		}
		if sent != f.SHA256 {
			s.rows.NoteSource(tx, sent, "")
		}
		s.users.Reserve(tx, f.MaxUserID)
		for i, u := range users {
			if s.taken(tx, u) {
				return fmt.Errorf("users[%d]: %w", i, errUserExists)
			}
			u.ID = s.users.NewID(tx)
			s.users.Put(tx, u)
		}
		return s.rows.AddFile(tx, f)
	})
}

// takeUsers makes the accounts those of a file that a person has edited. An account of
// the file without a password keeps its own. What changes how an account signs in ends
// its sign-ins. The rows of an account that is gone lose their owner.
func (s *store) takeUsers(tx *db.Tx, f *rows.File, users []*user) (changed, removed int, err error) {
	left := maps.Collect(s.users.All(tx))
	for i, u := range users {
		old := s.memberNamed(tx, rows.KeyText(string(u.OwnID)))
		if old != nil {
			delete(left, old.ID)
			if text := f.Users[i].Text(); rows.SameMembers(text, old.fileRow()) || rows.SameMembers(text, old.row().Text) {
				continue
			}
			u = old.editedAs(u)
		}
		if s.taken(tx, u) {
			return 0, 0, fmt.Errorf("users[%d]: %w", i, errUserExists)
		}
		changed++
		switch {
		case old == nil:
			u.ID = s.users.NewID(tx)
		case u.Hash != old.Hash || u.identity() != old.identity():
			s.endTokens(tx, u.ID, endedByPassword, nil)
		}
		s.users.Put(tx, u)
	}
	for id, u := range left {
		if s.lastAdmin(tx, u) {
			return 0, 0, fmt.Errorf("users: %s is the last admin and is gone: make another account an admin first", u.identity())
		}
		s.rows.Disown(tx, s.idsOf(u)...)
		s.users.Delete(tx, id) // and its tokens: addTokens
	}
	return changed, len(left), nil
}

// editedAs is the account with what a person's edit of its row says.
func (u *user) editedAs(edit *user) *user {
	row := *u
	row.Role, row.Profile = edit.Role, edit.Profile
	if u.Username == u.Email || u.Email == "" {
		row.Username = edit.Username
	}
	row.Email = edit.Email
	row.Hash = cmp.Or(edit.Hash, u.Hash)
	return &row
}

// membersOf are the users of a file. clear are the indexes of those whose Hash is
// still a clear password.
func membersOf(f *rows.File, now time.Time, log *slog.Logger) (users []*user, clear []int, err error) {
	known := map[string]int{}
	var mute []string // why users can't sign in
	for i, o := range f.Users {
		u, isClear, why, err := memberOf(o, now)
		if why != "" {
			mute = append(mute, fmt.Sprintf("users[%d]: %s", i, why))
		}
		if err == nil {
			key := emailKey(cmp.Or(u.Email, u.Username))
			if other, taken := known[key]; taken {
				err = fmt.Errorf("it signs in as users[%d] does: give one of them another email or username", other)
			}
			known[key] = i
		}
		if err != nil {
			return nil, nil, fmt.Errorf("users[%d]: %w", i, err)
		}
		users = append(users, u)
		if isClear {
			clear = append(clear, i)
		}
	}
	if len(mute) > 0 { // ten lines are enough to see what is wrong
		log.Warn("the file has users who can't sign in; they are kept", "users", len(mute), "rows", strings.Join(mute[:min(10, len(mute))], "; "))
	}
	return users, clear, nil
}

// memberOf is a user of a file. why says why it can't sign in, if it was meant to.
func memberOf(o rows.Object, now time.Time) (u *user, isClear bool, why string, err error) {
	m := rows.MemberOf(o)
	u = newUser("", "", now)
	u.Username, why, err = m.SignsInAs(u.PublicID)
	u.Email, u.OwnID, u.Role, u.Profile = m.Email, m.ID, m.Role, m.Profile
	if err = cmp.Or(err, newNames(u, new(user))); err != nil || m.Password == "" {
		return u, false, why, err
	}
	u.Hash = m.Password
	if strings.HasPrefix(m.Password, "$2") {
		return u, false, why, password.CheckHash(m.Password)
	}
	if fault := password.Fault(m.Password); fault != "" {
		err = errors.New("the password " + fault)
	}
	if utf8.RuneCountInString(m.Password) < rows.MinPassword {
		why = cmp.Or(why, fmt.Sprintf("its password is shorter than %d characters", rows.MinPassword))
	}
	return u, true, why, err
}

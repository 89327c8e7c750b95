package rows

import (
	"net/http"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/limit"
)

// A Visit is a request for collections: where to, and what its caller may do.
type Visit struct {
	Address
	By    Caller
	Base  string // the address of the server as the client knows it
	Shown string // that of the request, with its query
	Visitor
}

// A Visitor is the sender of a request, as the program judges it. Its accounts are rows
// of the list "users", unless [Service.PlainUsers] is set.
type Visitor interface {
	// Members returns the accounts that the visitor may read.
	Members(tx *db.Tx) (Source, error)
	// Member returns one of these accounts, and the texts by which rows name it.
	Member(tx *db.Tx, id string) (row *Row, ids []string, err error)
	// Update runs rules for the visitor, who is judged again with the lock held.
	Update(rules func(tx *db.Tx, by Caller) error) error
	// Room fails if the visitor can't have one row more.
	Room(tx *db.Tx) error
}

// A Service answers requests for the collections of a Store.
type Service struct {
	DB    *db.DB
	Store *Store
	Scans *limit.Gate // for lists that look at every row

	Routes     Routes
	Prefix     string // the path below which the collections are, "" for the root
	Lenient    bool   // a filter on a field that no row has is ignored
	Delay      time.Duration
	PlainUsers bool // users is a collection like any other

	CheckName func(name string) error // fails for a name that a new collection can't have
	NotAdmin  error                   // refuses what is for admins
}

// isMembers reports whether a name is that of the list of accounts.
func (s Service) isMembers(name string) bool { return name == "users" && !s.PlainUsers }

// Wait waits for the delay, or until the request ends.
func (s Service) Wait(r *http.Request) {
	if s.Delay > 0 {
		select {
		case <-time.After(s.Delay):
		case <-r.Context().Done():
		}
	}
}

// Find tells what a request is for. base is the address of the server as the client
// knows it. own reports that the path is one of the program's own, as isOwn says; such
// a path has no prefix.
func (s Service) Find(r *http.Request, base string, isOwn func(names []string) bool) (v *Visit, own, ok bool) {
	sent := r.URL.EscapedPath()
	if r.URL.RawQuery != "" {
		sent += "?" + r.URL.RawQuery
	}
	target := s.Routes.Rewrite(sent)
	v = &Visit{Base: base, Shown: base + sent}
	if v.Address, ok = ParseAddress(target, ""); ok && isOwn(v.Names) {
		return v, true, true
	}
	if s.Prefix != "" {
		v.Address, ok = ParseAddress(target, s.Prefix)
	}
	if v.Query != r.URL.RawQuery { // a rule has made it
		v.Shown = base + target
	}
	return v, false, ok
}

// source is a collection as the visitor may read it. The accounts are one.
func (s Service) source(tx *db.Tx, v *Visit, name string) (Source, error) {
	if s.isMembers(name) {
		return v.Members(tx)
	}
	return s.Store.Source(tx, v.By, name)
}

// related is source for rows that are put into others.
func (s Service) related(tx *db.Tx, v *Visit) func(name string) (Source, bool) {
	return func(name string) (Source, bool) {
		from, err := s.source(tx, v, name)
		return from, err == nil
	}
}

// parentIDs are the texts by which children name the parent in the visitor's path. An
// account has several, for those who may read it.
func (s Service) parentIDs(tx *db.Tx, v *Visit) []string {
	if s.isMembers(v.Names[0]) {
		if _, ids, err := v.Member(tx, v.Names[1]); err == nil {
			return ids
		}
	}
	return v.Names[1:2]
}

package rows

import (
	"fmt"
	"slices"
	"strconv"
)

// A Guard is three digits that say who may read and write a collection: the owner of
// a row, those who are signed in, and anyone. 4 is to read, 2 to write, 6 both.
//
//	666  anyone reads and writes        644  anyone reads, owners write
//	664  anyone reads, signed in write  640  signed in read, owners write
//	660  signed in read and write       600  owners read and write
//	444  anyone reads                   400  owners read
//	440  signed in read
//
// Nobody writes under 444, 440 and 400, admins included. The zero Guard is no guard.
type Guard uint16

// The guards that have a meaning.
const (
	OpenGuard    Guard = 0o666
	DefaultGuard Guard = 0o640 // of a collection that no guard was set for
	allBits      Guard = 0o777 // And with allBits leaves a guard as it is
)

// Bits of the three digits.
const (
	ownerReads, ownerWrites   Guard = 0o400, 0o200
	signedReads, signedWrites Guard = 0o040, 0o020
	anyoneReads, anyoneWrites Guard = 0o004, 0o002
)

// ParseGuard reads three digits, such as "640". It fails for a number that has no
// meaning.
func ParseGuard(text string) (Guard, error) {
	n, err := strconv.ParseUint(text, 8, 16)
	g := Guard(n)
	if err != nil || len(text) != 3 || !g.valid() {
		return 0, fmt.Errorf("%.20q is no guard: it is one of 666, 664, 660, 644, 640, 600, 444, 440 and 400", text)
	}
	return g, nil
}

// valid reports whether each digit allows no more than the one before it, and the
// owner may read.
func (g Guard) valid() bool {
	for shift, before := 6, Guard(6); shift >= 0; shift -= 3 {
		digit := g >> shift & 7
		if digit != 0 && digit != 4 && digit != 6 || digit&^before != 0 {
			return false
		}
		before = digit
	}
	return g&ownerReads != 0
}

func (g Guard) String() string { return fmt.Sprintf("%03o", uint16(g)) }

// And returns the guard that allows what both allow. With 0 for tighter, it is g.
func (g Guard) And(tighter Guard) Guard {
	if tighter == 0 {
		tighter = allBits
	}
	return g & tighter
}

// ReadOnly reports whether nobody may write.
func (g Guard) ReadOnly() bool { return g&ownerWrites == 0 }

// Private reports whether a list holds only the caller's own rows.
func (g Guard) Private() bool { return g&(signedReads|anyoneReads) == 0 }

// Guards are the guards of all collections.
type Guards struct {
	ByName map[string]Guard
	Others Guard // set for all others by name, "*"; 0 for none
	Open   bool  // all others are open to anyone
}

// Of returns the guard of a collection, tightened by the guard that the address
// names, 0 for none. set is false if it is the default that nobody asked for: then
// those who are signed in may change rows without an owner.
func (g Guards) Of(name string, tighter Guard) (guard Guard, set bool) {
	guard, set = g.ByName[name]
	switch {
	case set:
	case g.Open:
		guard, set = OpenGuard, true
	case g.Others != 0:
		guard, set = g.Others, true
	default:
		guard = DefaultGuard
	}
	return guard.And(tighter), set || tighter != 0
}

// A Caller is who asks. The zero Caller is anonymous.
type Caller struct {
	// IDs are the texts by which a userId names the caller: the account's id as
	// /users has it, and its public id. The first is the one that new rows get.
	IDs []string
	// UserID is the raw JSON that new rows get as userId. It is IDs[0] if it is "":
	// a number if that is written like one, else a text.
	UserID   string
	SignedIn bool
	// Admin may read and write whatever a guard lets anybody read and write.
	Admin bool
	// Tighten is a guard that the address names, 0 for none.
	Tighten Guard
}

// ownIDs returns the texts by which a userId names the caller.
func (c Caller) ownIDs() []string {
	if !c.SignedIn {
		return nil
	}
	var ids []string
	for _, id := range c.IDs {
		if id != "" && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// owns reports whether owner, the text of a userId, names the caller.
func (c Caller) owns(owner string) bool {
	return c.SignedIn && owner != "" && slices.Contains(c.IDs, owner)
}

// userID returns the raw JSON that names the caller, "" for a caller who has no id.
func (c Caller) userID() string {
	switch {
	case c.UserID != "" || len(c.IDs) == 0 || c.IDs[0] == "":
		return c.UserID
	case isNumber(c.IDs[0]):
		return c.IDs[0]
	}
	return Quote(c.IDs[0])
}

// A Denied is a refusal: the caller may not do that.
type Denied struct {
	SignIn bool   // signing in may help: a 401 is due, else a 403
	Text   string // for the client
}

func (d *Denied) Error() string { return d.Text }

// The refusals, in the words of json-server-auth.
var (
	errSignIn   = &Denied{true, "Missing authorization header"}
	errReadOnly = &Denied{false, "Read only"}
	errAccess   = &Denied{false, "Private resource access: entity must have a reference to the owner id"}
	errCreation = &Denied{false, "Private resource creation: request body must have a reference to the owner id"}
	errReplaced = &Denied{false, "Private resource replacement: request body must have a reference to the owner id"}
)

// A rule is the guard that is in force for a caller and a collection.
type rule struct {
	Guard
	set bool // the owner asked for the guard
	by  Caller
}

// owned reports whether only the owner of a row may write it.
func (r rule) owned() bool { return r.Guard&(signedWrites|anyoneWrites) == 0 }

// readAny judges a read before a row is known. It fails for those who may read none.
func (r rule) readAny() error {
	if r.Guard&anyoneReads == 0 && !r.by.SignedIn && !r.by.Admin {
		return errSignIn
	}
	return nil
}

// mayRead reports whether the caller may read a row of that owner.
func (r rule) mayRead(owner string) bool { return !r.Private() || r.by.Admin || r.by.owns(owner) }

// writeAny judges a write before a row is known.
func (r rule) writeAny() error {
	signedIn := r.by.SignedIn || r.by.Admin
	switch {
	case r.ReadOnly() && !signedIn && r.Guard&anyoneReads == 0:
		return errSignIn
	case r.ReadOnly():
		return errReadOnly
	case r.Guard&anyoneWrites == 0 && !signedIn:
		return errSignIn
	}
	return nil
}

// write judges a write to a row of that owner, after writeAny.
func (r rule) write(owner string) error {
	switch {
	case !r.owned() || r.by.Admin || r.by.owns(owner):
		return nil
	case owner == "" && !r.set:
		return nil // a row of a file, under the default
	}
	return errAccess
}

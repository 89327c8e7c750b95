package operator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/livefile"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/term"
)

// Live is the store of collections and accounts as a livefile.Store: what a file shows
// that is kept in step. U is the program's type of an account.
type Live[U any] struct {
	*Collections[U]
	// UserRows returns the accounts as rows of the file, with their hashes, and nothing
	// if users are a plain collection.
	UserRows func(*db.Tx) []string
	// UserChanges counts the committed changes to accounts. pending reports whether
	// there will be others.
	UserChanges func(*db.Tx) (changes int, pending bool)
	// TakeUsers makes the accounts those of a file that a person has edited, and returns
	// what that changed. An account of the file without a password keeps its own.
	TakeUsers func(tx *db.Tx, f *rows.File, users []*U) (changed, removed int, err error)

	shown  rows.Version // what the file shows
	next   rows.Version // what it is about to show
	past   []rows.Past  // for each version before, the newest last: what changed from it to the next
	broken bool         // the file holds what is no file, and which gives no manner to write in

	base rows.Past // after a conflict: what clients have changed since the version that was edited
}

// The most that is remembered of the versions before.
const (
	maxVersions = 1000
	maxPastRows = 100_000
)

// fileOptions says that users in the file are what they are in the store.
func (l *Live[U]) fileOptions() rows.FileOptions {
	opt := l.FileOptions
	opt.Users = rows.AccountUsers
	l.DB.View(func(tx *db.Tx) {
		if _, plain := l.Rows.Collection(tx, "users"); plain {
			opt.Users = rows.PlainUsers
		}
	})
	return opt
}

// Shown is as livefile.Store says.
func (l *Live[U]) Shown() {
	if past := l.next.Since(l.shown); past.Rows() > 0 {
		l.past = append(l.past, past)
	}
	l.shown, l.broken = l.next, false
	sum := 0
	for i, past := range slices.Backward(l.past) {
		if sum += past.Rows(); sum > maxPastRows || len(l.past)-i > maxVersions {
			l.past = slices.Delete(l.past, 0, i+1)
			break
		}
	}
}

// Holds is as livefile.Store says.
func (l *Live[U]) Holds(text []byte) {
	f, err := rows.ParseFile(text, l.fileOptions())
	if l.broken = err != nil; !l.broken {
		l.shown, l.base, l.past = f.Version(), nil, nil
	}
}

// conflicts reports whether a person edited another version than the newest. An edit
// that has the newest version of all that clients have changed since is none.
func (l *Live[U]) conflicts(f *rows.File, now rows.Version) bool {
	missed := now.Since(l.shown).Before(l.base)
	if missed.Rows() == 0 && len(l.past) == 0 {
		return false
	}
	compared := f.Compare(now, append(slices.Clone(l.past), missed)...)
	conflict := compared.Misses(missed)
	from := len(l.past) // the version that was edited
	for i, past := range slices.Backward(l.past) {
		newer, older := compared.Ages(past)
		if newer > 0 { // a person who saw one version has all that had changed before
			break
		}
		if older > 0 {
			conflict, from = true, i
		}
	}
	if conflict {
		for _, past := range slices.Backward(l.past[from:]) {
			missed = missed.Before(past)
		}
		l.base = missed
	}
	return conflict
}

// tookOver notes that the store is what a person's file says.
func (l *Live[U]) tookOver(f *rows.File) {
	if l.base != nil { // the person has put the newest version into the file
		l.past = nil
	}
	l.shown, l.base = f.Version(), nil
}

var _ livefile.Store = (*Live[int])(nil)

// Changes is as livefile.Store says.
func (l *Live[U]) Changes() (n int) {
	l.DB.View(func(tx *db.Tx) { n = l.changes(tx) })
	return n
}

func (l *Live[U]) changes(tx *db.Tx) int {
	users, _ := l.UserChanges(tx)
	return l.Rows.Changes(tx) + users
}

// image returns what the file should show.
func (l *Live[U]) image() (image rows.Image, users []string, changes int) {
	l.DB.View(func(tx *db.Tx) {
		image, users, changes = l.Rows.Image(tx), l.UserRows(tx), l.changes(tx)
	})
	return image, users, changes
}

// State is as livefile.Store says.
func (l *Live[U]) State() string {
	image, users, _ := l.image()
	l.shown = image.Version(users)
	return image.State(users)
}

// Show is as livefile.Store says.
func (l *Live[U]) Show(old []byte) (text []byte, state string, changes int) {
	if l.broken {
		old = nil
	}
	image, users, changes := l.image()
	l.next = image.Version(users)
	return image.Like(old, users), image.State(users), changes
}

// Noted is as livefile.Store says.
func (l *Live[U]) Noted(sha256 string) (state string, ok bool) {
	l.DB.View(func(tx *db.Tx) { state, ok = l.Rows.Noted(tx, sha256) })
	return state, ok
}

// LastNoted is as livefile.Store says.
func (l *Live[U]) LastNoted() (state string) {
	l.DB.View(func(tx *db.Tx) { state = l.Rows.LastNoted(tx) })
	return state
}

// Note is as livefile.Store says.
func (l *Live[U]) Note(sha256, state string) error {
	return l.DB.Update(func(tx *db.Tx) error {
		l.Rows.NoteSource(tx, sha256, state)
		return nil
	})
}

// Take is as livefile.Store says. Readers wait for the changes only, not while the file
// is read and compared.
func (l *Live[U]) Take(ctx context.Context, text []byte, e livefile.Edit) (done string, err error) {
	opt := l.fileOptions()
	opt.SHA256 = e.SHA256
	l.DB.View(func(tx *db.Tx) { opt.Known = l.Rows.Image(tx) })
	f, err := rows.ParseFile(text, opt)
	if err != nil {
		return "", InDocument(l.File, text, err, "")
	}
	users, clear, err := l.Users(f)
	if err != nil {
		return "", InDocument(l.File, text, err, "")
	}
	if len(clear) > 0 {
		if _, err := l.hash(ctx, users, clear); err != nil {
			return "", err
		}
	}
	for {
		image, rows, changes := l.image()
		edit, err := image.Edit(f)
		if err != nil {
			return "", InDocument(l.File, text, err, "")
		}
		if e.Old {
			l.shown, l.base, l.past = f.Version(), nil, nil
		}
		if !e.Any && l.conflicts(f, image.Version(rows)) {
			return "", livefile.ErrConflict
		}
		moved := false
		err = l.DB.Update(func(tx *db.Tx) error {
			_, pending := l.UserChanges(tx)
			pending = pending || l.Rows.HasPending(tx)
			if moved = l.changes(tx) != changes || pending; moved {
				return nil // Update waits for what is pending
			}
			done, err = l.apply(tx, f, edit, users, e)
			return err
		})
		if moved {
			continue
		}
		if err == nil {
			l.tookOver(f)
		} else if errors.Is(err, history.ErrFull) || errors.Is(err, history.ErrReadOnly) || errors.Is(err, history.ErrOutcomeUnknown) {
			err = fmt.Errorf("%w: %w", livefile.ErrLater, err)
		}
		return done, err
	}
}

// apply makes the changes of an edit, unless it conflicts or loses too much.
func (l *Live[U]) apply(tx *db.Tx, f *rows.File, edit *rows.Edit, users []*U, e livefile.Edit) (done string, err error) {
	changed, removed, err := 0, 0, error(nil)
	if f.HasAccounts() {
		if changed, removed, err = l.TakeUsers(tx, f, users); err != nil {
			return "", err
		}
	}
	if err := l.Rows.Apply(tx, edit); err != nil {
		return "", err
	}
	l.Rows.NoteSource(tx, f.SHA256, "")
	if !edit.Any() && changed+removed == 0 {
		return "", nil
	}
	if len(edit.Lost) > 0 && !e.Loss {
		return "", &livefile.Loss{Words: fmt.Sprintf("most or all of %s is gone", strings.Join(edit.Lost, ", "))}
	}
	var words []string
	for _, part := range []struct {
		n    int
		what string
	}{{edit.Added, "row"}, {edit.Changed, "row"}, {edit.Removed, "row"}, {changed, "account"}, {removed, "account"}} {
		words = append(words, term.Count(part.n, part.what))
	}
	done = fmt.Sprintf("%s added, %s changed, %s removed", words[0], words[1], words[2])
	if changed+removed > 0 {
		done += fmt.Sprintf("; %s changed, %s removed", words[3], words[4])
	}
	return done, nil
}

package rows

import "example.com/shelf/internal/db"

// Set replaces the options. Nobody else may use the store meanwhile.
func (s *Store) Set(opt Options) {
	if opt.MaxCollections == 0 {
		opt.MaxCollections = s.opt.MaxCollections
	}
	s.opt = opt
}

// Accounts tells which owners are accounts. What an account owns doesn't go with a row
// that happens to have the account's id.
func (s *Store) Accounts(isAccount func(tx *db.Tx, owner string) bool) { s.isAccount = isAccount }

// Like takes over the options of another store.
func (s *Store) Like(other *Store) { s.opt = other.opt }

// CheckWrite fails for a caller who may write to no row of a collection: before the
// body of the request is read.
func (s *Store) CheckWrite(tx *db.Tx, by Caller, name string) error {
	_, _, err := s.target(tx, by, name)
	return err
}

package rows

// Set replaces the options. Nobody else may use the store meanwhile.
func (s *Store) Set(opt Options) {
	if opt.MaxCollections == 0 {
		opt.MaxCollections = s.opt.MaxCollections
	}
	s.opt = opt
}

// Like takes over the options of another store.
func (s *Store) Like(other *Store) { s.opt = other.opt }

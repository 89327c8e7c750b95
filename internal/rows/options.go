package rows

// Set replaces the options. Nobody else may use the store meanwhile.
func (s *Store) Set(opt Options) {
	if opt.MaxCollections == 0 {
		opt.MaxCollections = s.opt.MaxCollections
	}
	s.opt = opt
}

package program_test

// asUsual does nothing: there is no umask here, and no signal is ignored.
func asUsual() {}

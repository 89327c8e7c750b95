package livefile

// WithStep returns opt with a function that is called before each step that can fail.
func WithStep(opt Options, step func(string) error) Options {
	opt.step = step
	return opt
}

// Held returns why the file isn't written, "" if it is.
func (f *File) Held() string { return f.held }

package operator

// A Store is the accounts that the program keeps. U is its type of an account.
type Store[U any] struct {
	New   func(name string) (*U, error) // an account of that name, as yet without a password
	Show  func(*U) Account
	Page  func(after, limit int) (page []*U, more bool) // by id
	Find  func(name string) *U                          // by e-mail, or else by username; nil: not found
	Get   func(id int) (u *U, ok bool)
	Taken func(*U) bool // another account has its e-mail or username

	Add         func(u *U, hash string) error
	SetPassword func(u *U, hash string) error
	SetAdmin    func(id int, admin bool) error
	Delete      func(id int) error
	Close       func() error
}

// listPage is how many accounts List looks up at a time. Requests of clients are
// answered in between.
const listPage = 1000

// Accounts are the accounts in the store, with the rules for new passwords. Fault is
// left to the caller.
func (s Store[U]) Accounts(rules Passwords) *Accounts {
	return &Accounts{
		Passwords: rules,
		List:      s.list,
		Find: func(name string) (Account, error) {
			u := s.Find(name)
			if u == nil {
				return Account{}, ErrNoAccount
			}
			return s.Show(u), nil
		},
		New: func(name string) (Account, bool, error) {
			u, err := s.New(name)
			if err != nil {
				return Account{}, false, err
			}
			return s.Show(u), s.Taken(u), nil
		},
		Add: func(name, hash string) (Account, error) {
			u, err := s.New(name)
			if err == nil {
				err = s.Add(u, hash)
			}
			if err != nil {
				return Account{}, err
			}
			return s.Show(u), nil
		},
		SetPassword: func(id int, hash string) error {
			u, ok := s.Get(id)
			if !ok {
				return ErrNoAccount
			}
			return s.SetPassword(u, hash)
		},
		SetAdmin: s.SetAdmin, Delete: s.Delete, Close: s.Close,
	}
}

func (s Store[U]) list(each func(Account) error) error {
	for after, more := 0, true; more; {
		var page []*U
		page, more = s.Page(after, listPage)
		for _, u := range page {
			a := s.Show(u)
			after = a.ID
			if err := each(a); err != nil {
				return err
			}
		}
	}
	return nil
}

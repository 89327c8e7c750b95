package rows

// A Kind is what an Error is about. The caller gives each its status.
type Kind int

const (
	Invalid  Kind = iota + 1 // what the client sent can't be understood or kept
	TooLarge                 // what the client sent is too large
	Conflict                 // what the client sent contradicts what is kept
)

// An Error is an error that a client may read: what is wrong, then what to do.
type Error struct {
	Kind    Kind
	Message string
}

func (e *Error) Error() string { return e.Message }

package rows

// A Raw is a JSON value as it stands in a row, which encoding/json reads and writes.
type Raw string

// MarshalJSON returns the value.
func (raw Raw) MarshalJSON() ([]byte, error) { return []byte(raw), nil }

// UnmarshalJSON takes a value with the rules of [ParseValue].
func (raw *Raw) UnmarshalJSON(text []byte) error {
	value, err := ParseValue(text)
	*raw = Raw(value)
	return err
}

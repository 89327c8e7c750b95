package rows

import "bytes"

// SetUserMember returns the text of a file with another value for a member of some of
// its users, by index. All other bytes stay as they are. The file must be one that
// [ParseFile] reads, and the users must have the member.
func SetUserMember(text []byte, member string, values map[int]string) []byte {
	if len(values) == 0 {
		return text
	}
	var out []byte
	copied := 0
	c := cutter{text: text}
	object(&c, func(name string) {
		if name != "users" || c.text[c.at] != '[' {
			c.value()
			return
		}
		i := 0
		for c.enter(); c.more(']'); i++ {
			value, wanted := values[i]
			if !wanted {
				c.value()
				continue
			}
			object(&c, func(name string) {
				from := c.at
				c.value()
				if name == member {
					out = append(append(out, text[copied:from]...), value...)
					copied = c.at
				}
			})
		}
		c.at++
	})
	return append(out, text[copied:]...)
}

// object steps over the object that begins here, and calls each at every value, which
// it has to step over.
func object(c *cutter, each func(name string)) {
	if at := bytes.IndexByte(c.text[c.at:], '{'); at >= 0 {
		c.at += at
	}
	for c.enter(); c.more('}'); {
		raw, err := ParseValue(c.value())
		if err != nil {
			return
		}
		c.next()
		c.at++ // the colon
		c.next()
		each(unescaped(raw[1 : len(raw)-1]))
	}
	c.at++
}

package main

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/reply"
)

// streamEvents handles GET /api/v1/events: what happens to items and books, as
// it happens, as server-sent events (HTML standard §9.2). Nothing is sent that
// isn't on disk. A client that comes back with the last id that it has seen, in
// Last-Event-ID, goes on behind it: it misses nothing and gets nothing twice.
//
// The stream ends when the token has expired or was revoked, and when the account
// is disabled or gone.
func (s *server) streamEvents(w http.ResponseWriter, r *http.Request, c *caller) error {
	from, err := s.resumeFrom(r.Header.Values("Last-Event-ID"))
	if err != nil {
		return err
	}
	return s.streams.Serve(w, r, reply.Feed{
		Account: c.user.ID,
		Next: func(text []byte, after int64) ([]byte, int64, <-chan struct{}, error) {
			events, last, more, err := s.store.EventsAfter(after)
			for _, e := range events {
				text = appendEvent(text, e)
			}
			return text, last, more, err
		},
		Good: func() bool { return s.stillGood(c) },
	}, from)
}

// resumeFrom reads Last-Event-ID: the number of the change to go on behind.
// Without one a stream begins now.
func (s *server) resumeFrom(values []string) (int64, error) {
	value := strings.Join(values, ", ") // RFC 9110 §5.3
	if value == "" {
		return s.store.LastSeq(), nil
	}
	if strings.Trim(value, "0123456789") != "" {
		return 0, reply.Fail(http.StatusBadRequest, "Last-Event-ID should be the id of an event")
	}
	seq, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return 0, db.ErrEventsGone // too large a number is yet to come
	}
	_, _, _, err = s.store.EventsAfter(seq)
	return seq, err
}

// stillGood reports whether the token that c came with would still be taken.
func (s *server) stillGood(c *caller) bool {
	_, err := s.knownCaller(c.user.PublicID, c.token.JTI, c.token.Type, s.now())
	return err == nil
}

// appendEvent appends e as the HTML standard's §9.2.5 has it. JSON as we write it
// holds no line break, so data is one line.
func appendEvent(text []byte, e db.Event) []byte {
	return fmt.Appendf(text, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Name, e.Data)
}

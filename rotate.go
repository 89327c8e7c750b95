package main

import (
	"net/http"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/token"
)

// rotating is the wrapper of refresh that -rotate-refresh asks for: each use of a
// refresh token gives a new one in its place (RFC 9700 §4.14.2). A token that was used
// while the flag was on stays a token for one use.
//
// The store keeps no token. But the text of a token follows from its record, its time
// and the key. So an answer that got lost can be given again, also after a restart.
func (s *server) rotating(refresh callerHandler) callerHandler {
	return func(w http.ResponseWriter, r *http.Request, c *caller) error {
		if !s.config.rotateRefresh && c.token.Used.IsZero() {
			return refresh(w, r, c)
		}
		access, record, err := s.issue(c.user, token.Access, s.config.accessTTL, byToken)
		if err != nil {
			return err
		}
		now := s.now().UTC().Truncate(time.Second)
		next := &tokenRecord{JTI: token.NewUUID(), Type: token.Refresh, Expires: now.Add(s.config.refreshTTL)}
		next, made, replay, err := s.store.as(c).rotate(record, next)
		switch {
		case err != nil:
			return err
		case replay:
			s.note(r, "refresh token used twice", c.user, "token", c.token.ID)
			return errTokenRevoked
		}
		claims := token.NewClaims(c.user.PublicID, token.Refresh, made, next.Expires)
		claims.ID = next.JTI
		text, err := s.keys.Sign(claims)
		if err != nil {
			return err
		}
		return reply.Secret(w, http.StatusOK, success{Status: http.StatusOK, Data: []any{signedIn{access, text, nil}}})
	}
}

// reuseTime is how long a lost answer can be asked for again.
const reuseTime = 10 * time.Second

// rotate is refresh for a refresh token that is good for one use. It records the
// successor too and returns its record: next, or the one that an earlier use made. The
// use may be repeated for reuseTime, as long as the successor was not used. Any later
// use is a replay: two have the token, and one of them is a thief. A replay ends the
// whole sign-in.
func (s acting) rotate(access, next *tokenRecord) (successor *tokenRecord, made time.Time, replay bool, err error) {
	err = s.Update(func(tx *db.Tx, me *user) error {
		by, _ := s.tokens.Get(tx, s.caller.token.ID)
		if s.tokensOf.AtMost(tx, me.ID) >= s.maxTokens-1 {
			s.makeRoom(tx, me.ID, by.Session, 2)
		}
		if !by.Used.IsZero() {
			given, ok := s.tokens.Get(tx, by.Next)
			replay = !ok || given.EndedBy != "" || !given.Used.IsZero() || s.now().Sub(by.Used) > reuseTime
			if replay {
				tx.Ends()
				s.endTokens(tx, me.ID, endedByReplay, func(t *tokenRecord) bool { return t.Session == by.Session })
				return nil
			}
			successor, made = given, by.Used
			s.putNewTokens(tx, me.ID, by.Session, []*tokenRecord{access})
			return nil
		}
		s.putNewTokens(tx, me.ID, by.Session, []*tokenRecord{access, next})
		used := *by
		used.Used, used.Next = s.now().UTC(), next.ID
		s.tokens.Put(tx, &used)
		successor, made = next, used.Used
		return nil
	})
	return successor, made, replay, err
}

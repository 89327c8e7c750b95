package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"example.com/shelf/internal/db"
	"example.com/shelf/internal/history"
	"example.com/shelf/internal/limit"
	"example.com/shelf/internal/password"
	"example.com/shelf/internal/reply"
	"example.com/shelf/internal/rows"
	"example.com/shelf/internal/serve"
	"example.com/shelf/internal/token"
)

// A dialect is how one of the two APIs words its errors.
type dialect int

const (
	books   dialect = iota // {"message": "..."}: the book API, and paths that belong to neither
	catalog                // {"status": N, "error": "..."}: all below /api/v1
	plain                  // text: /login, as in the tutorial

	ofRows    // {"error": "..."}: collections, but a 404 is {}, and a 401 and a 403 is as ofMembers
	ofMembers // "...": the accounts of collections
)

// dialectOf tells which API's words answer a path, known or not.
func dialectOf(path string) dialect {
	switch {
	case path == "/api/v1" || strings.HasPrefix(path, "/api/v1/"):
		return catalog
	case path == "/login":
		return plain
	}
	return books
}

// speaks is the key of the dialect of a request that its path doesn't tell.
type speaks struct{}

// speak has errors of r be worded in the dialect d.
func speak(r *http.Request, d dialect) {
	*r = *r.WithContext(context.WithValue(r.Context(), speaks{}, d))
}

// dialectFor is the dialect of r.
func dialectFor(r *http.Request) dialect {
	if d, ok := r.Context().Value(speaks{}).(dialect); ok {
		return d
	}
	return dialectOf(r.URL.Path)
}

// toAPIError is where errors meet HTTP: the one place that knows which status
// and which sentence an error of the store or of the token rules becomes. Any
// error that neither is an [reply.Error] nor stands here is ours to mend: the log
// gets all of it, the client only "Internal server error".
func toAPIError(err error, d dialect) *reply.Error {
	var known *reply.Error
	if errors.As(err, &known) {
		return known
	}
	var bad *token.Error
	if errors.As(err, &bad) {
		return refusedToken(bad, d)
	}
	if many, ok := errors.AsType[limit.TooMany](err); ok { // RFC 6585 §4
		return &reply.Error{Status: http.StatusTooManyRequests, Message: "Too many attempts", RetryAfter: many.Wait}
	}
	if busy, ok := errors.AsType[password.Busy](err); ok { // by design, so the log hears nothing of it
		return &reply.Error{Status: http.StatusServiceUnavailable, Message: "Too many sign-ins at once", RetryAfter: busy.RetryAfter}
	}
	if full, ok := errors.AsType[tooManyRows](err); ok {
		return &reply.Error{Status: http.StatusForbidden, Message: full.Error()}
	}
	if busy, ok := errors.AsType[limit.Busy](err); ok {
		return &reply.Error{Status: http.StatusServiceUnavailable, Message: "Too many searches at once", RetryAfter: busy.RetryAfter}
	}
	if fault, ok := errors.AsType[*rows.Error](err); ok {
		return &reply.Error{Status: statusOfRows[fault.Kind], Message: fault.Message}
	}
	if denied, ok := errors.AsType[*rows.Denied](err); ok {
		return &reply.Error{Status: http.StatusForbidden, Message: denied.Text}
	}
	if errors.Is(err, history.ErrUnavailable) { // the store logs once that it is so
		return &reply.Error{Status: http.StatusServiceUnavailable, Message: "The store is out of reach: nothing was changed", RetryAfter: time.Second}
	}
	if errors.Is(err, history.ErrUnanswered) {
		return &reply.Error{Status: http.StatusServiceUnavailable, Message: "The store gave no answer in time: whether this change was kept is unknown, so read before you try again", RetryAfter: time.Second, Err: err}
	}
	answer := func(status int, message string) *reply.Error {
		return &reply.Error{Status: status, Message: message, Err: err}
	}
	switch {
	case errors.Is(err, errNoUser): // the caller's own account has gone since the token was judged
		return refusedToken(errTokenUserGone, d)
	case errors.Is(err, errDisabled):
		return refusedToken(errTokenDisabled, d)
	case errors.Is(err, errUserExists) && d == ofMembers:
		return answer(http.StatusBadRequest, "Email already exists")
	case errors.Is(err, errUserExists) && d == catalog:
		return answer(http.StatusBadRequest, "User already exists")
	case errors.Is(err, errNotOwner) && d == catalog:
		return answer(http.StatusForbidden, "Only the creator of an item or an admin can change it")
	}
	for _, r := range refusals {
		if errors.Is(err, r.err) {
			return answer(r.status, r.message)
		}
	}
	return answer(http.StatusInternalServerError, "Internal server error")
}

// statusOfRows are the statuses of what package rows refuses.
var statusOfRows = map[rows.Kind]int{rows.Invalid: http.StatusBadRequest, rows.TooLarge: http.StatusRequestEntityTooLarge, rows.Conflict: http.StatusConflict}

// refusals are the errors that are answered alike wherever they come from.
var refusals = []struct {
	err     error
	status  int
	message string
}{
	{errStaleHash, http.StatusForbidden, wrongPassword},
	{errNotAdmin, http.StatusForbidden, "Only admins can access this endpoint"},
	{errLastAdmin, http.StatusConflict, "This is the last enabled admin: make another account an admin first"},
	{errUserExists, http.StatusConflict, "User already exists!"},
	{errTitleTaken, http.StatusConflict, "Book with same title already exists!"},
	{errNoAccount, http.StatusNotFound, "User does not exist"},
	{errNoItem, http.StatusNotFound, "Item does not exist"},
	{errNoBook, http.StatusNotFound, "book does not exist"},
	{rows.ErrNoRow, http.StatusNotFound, "Not found"},
	{rows.ErrNoCollection, http.StatusNotFound, "Not found"},
	{errNoToken, http.StatusNotFound, "The specified token was not found"},
	{errTokenEnded, http.StatusConflict, "The specified token has ended and can't be restored"},
	{errOwnSignIn, http.StatusConflict, "A token of the same sign-in can't restore it: sign in again"},
	{errNotOwner, http.StatusForbidden, "Only the creator of a book or an admin can delete it"},
	{db.ErrEventsGone, http.StatusGone, "The events after that id are no longer kept: start without Last-Event-ID and read the lists anew"},
	{history.ErrQuota, http.StatusInsufficientStorage, "The store is full: nothing was changed"},
	{history.ErrFull, http.StatusInsufficientStorage, "The disk is full: nothing was changed"},
	{history.ErrOutcomeUnknown, http.StatusServiceUnavailable, "The disk failed: whether this change was kept is unknown until the server restarts"},
	{history.ErrTooLarge, http.StatusRequestEntityTooLarge, "The change is too large for the store: nothing was changed"},
	{history.ErrReadOnly, http.StatusServiceUnavailable, "The store can't be written: nothing was changed"},
}

// The refusals of a token by what the server knows of it.
var (
	errOnlyRefresh   = &token.Error{Reason: token.WrongType, Message: "Only refresh tokens are allowed", Detail: "this is an access token; only refresh tokens are allowed here"}
	errOnlyAccess    = &token.Error{Reason: token.WrongType, Message: "Only non-refresh tokens are allowed", Detail: "this is a refresh token; it is good for a new access token and for log-out only"}
	errTokenUserGone = &token.Error{Reason: token.UserGone, Message: "User not found"}
	errTokenDisabled = &token.Error{Reason: token.Disabled, Message: "Account is disabled"}
	errTokenExpired  = &token.Error{Reason: token.Expired, Message: "Token has expired"}
	errTokenRevoked  = &token.Error{Reason: token.Revoked, Message: "Token has been revoked"}
	errTokenUnknown  = &token.Error{Reason: token.Revoked, Message: "Token has been revoked", Detail: "this server has no record of the token"}
)

// refusedToken words the refusal of a token. The catalog answers as
// Flask-JWT-Extended does, 422 for what is no valid token and 401 for one that
// is no longer good; the book API has four answers in all.
func refusedToken(e *token.Error, d dialect) *reply.Error {
	if d == ofRows || d == ofMembers {
		return refusedByRows(e)
	}
	if d != catalog {
		// A scheme of this API's own: RFC 9110 §15.5.2 wants a challenge with every 401.
		a := &reply.Error{Status: http.StatusUnauthorized, Message: "Invalid token!", Challenge: `x-access-token realm="shelf"`, Err: e}
		switch e.Reason {
		case token.Missing:
			a.Message = "A valid token is missing!"
		case token.Expired:
			a.Message = "Token has expired!"
		case token.UserGone:
			a.Status, a.Message, a.Challenge = http.StatusNotFound, "User not found!", ""
		}
		return a
	}
	// 422 for a bad token is kept for the tutorial; a new API should answer every token
	// that it refuses with 401, as -bad-token-status 401 does (RFC 6750 §3.1).
	a := &reply.Error{Status: http.StatusUnprocessableEntity, Message: e.Message, Challenge: `Bearer realm="shelf"`, Err: e}
	switch e.Reason {
	case token.Missing, token.NotBearer, token.Expired, token.UserGone, token.Disabled, token.Revoked:
		a.Status = http.StatusUnauthorized
	}
	if e.Reason > token.Empty { // no error code where no token was sent (RFC 6750 §3.1)
		a.Challenge += ", " + e.Challenge()
	}
	return a
}

// refusedBy401 is err with 401 in the place of 422, which is only for tokens.
func refusedBy401(err error, d dialect) error {
	e, ok := err.(*token.Error)
	if !ok {
		return err
	}
	a := refusedToken(e, d)
	if a.Status == http.StatusUnprocessableEntity {
		a.Status = http.StatusUnauthorized
	}
	return a
}

// refusedByRows words the refusal of a token as json-server-auth does.
func refusedByRows(e *token.Error) *reply.Error {
	a := &reply.Error{Status: http.StatusUnauthorized, Message: "invalid token", Challenge: `Bearer realm="shelf"`, Err: e}
	if word := wordsOfRows[e.Reason]; word != "" {
		a.Message = word
	}
	if e.Reason > token.Empty { // no error code where no token was sent (RFC 6750 §3.1)
		a.Challenge += ", " + e.Challenge()
	}
	return a
}

// wordsOfRows are json-server-auth's for a token that is refused.
var wordsOfRows = map[token.Reason]string{
	token.Missing: "Missing authorization header", token.NotBearer: "Incorrect authorization scheme", token.Empty: "Missing token",
	token.BadText: "jwt malformed", token.BadSignature: "invalid signature", token.BadTimes: "jwt not active", token.Expired: "jwt expired",
	token.UserGone: "jwt revoked", token.Revoked: "jwt revoked", token.Disabled: "Account is disabled",
}

// writeError answers r with err, in the dialect of r's path. It is the only
// function that writes an error. A fault of ours (5xx) goes to the log in full. A
// refusal that holds no more than its message is none: to be busy is by design,
// and a flood of sign-ins must not become a flood of log lines (CWE-779).
func writeError(w http.ResponseWriter, r *http.Request, log *slog.Logger, err error) {
	d := dialectFor(r)
	e := toAPIError(err, d)
	serve.Because(w, e.Message)
	if e.Status >= 500 && e.Err != nil && log.Enabled(r.Context(), slog.LevelError) {
		log.ErrorContext(r.Context(), "request failed", "method", r.Method, "status", e.Status, "error", err, "request_id", serve.NameRequest(w.Header()))
	}
	h := w.Header()
	if e.Status == http.StatusUnauthorized && d == catalog {
		h.Set("WWW-Authenticate", `Bearer realm="shelf"`)
	}
	e.SetHeaders(h)
	switch d {
	case catalog:
		reply.JSON(w, e.Status, struct {
			Status  int            `json:"status"`
			Error   string         `json:"error"`
			Details []reply.Detail `json:"details,omitempty"`
		}{e.Status, e.Message, e.Details})
	case ofRows, ofMembers:
		switch {
		case e.Status == http.StatusNotFound:
			reply.Bytes(w, e.Status, []byte("{}"))
		case d == ofMembers || e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
			reply.JSON(w, e.Status, e.Message)
		default:
			reply.JSON(w, e.Status, struct {
				Error string `json:"error"`
			}{e.Message})
		}
	case plain:
		h.Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(e.Status)
		fmt.Fprint(w, e.Message)
	default:
		reply.JSON(w, e.Status, message{e.Message, e.Details})
	}
}

// A success is how the catalog answers when all went well.
type success struct {
	Status  int    `json:"status"`
	Message string `json:"message,omitempty"`
	Data    []any  `json:"data,omitzero"` // an empty list stays one
}

// A message is the book API's answer to everything but a read.
type message struct {
	Message string         `json:"message"`
	Details []reply.Detail `json:"details,omitempty"` // of an error
}

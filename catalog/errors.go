package catalog

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"
)

// Code classifies an error for every interface of Fandogh: HTTP status, git report
// line, SSH exit status and CLI exit code are all looked up by it.
type Code string

// The whole vocabulary. An error without a code is Internal.
const (
	Invalid      Code = "invalid"
	Unauthorized Code = "unauthorized"
	Forbidden    Code = "forbidden"
	NotFound     Code = "not_found"
	Conflict     Code = "conflict"
	Moved        Code = "moved" // it goes by another name, which the message says
	TooLarge     Code = "too_large"
	RateLimited  Code = "rate_limited"
	Unavailable  Code = "unavailable"
	Internal     Code = "internal"
)

// Error is an error that may be shown: Message is a sentence for the user,
// Field names the input at fault when there is one, Err is the cause and goes
// to the log only.
type Error struct {
	Code    Code
	Field   string
	Message string
	Err     error
}

// Error returns the message and the cause; show a user MessageOf instead.
func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an Error whose message is safe to show. It keeps no cause: use
// Wrap for one, whose text users must not see.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error()}
}

// FieldErrorf makes an Invalid error about one named input.
func FieldErrorf(field, format string, args ...any) *Error {
	e := Errorf(Invalid, format, args...)
	e.Field = field
	return e
}

// Wrap makes an Error that hides err behind a sentence safe to show.
func Wrap(code Code, err error, format string, args ...any) *Error {
	e := Errorf(code, format, args...)
	e.Err = err
	return e
}

// CodeOf returns err's code: Internal for an error that carries none, and the
// empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}

// HTTPStatus returns what an error of this code is over HTTP, where a protocol has no status of its own for it.
func (c Code) HTTPStatus() int {
	switch c {
	case Invalid:
		return http.StatusBadRequest
	case Unauthorized:
		return http.StatusUnauthorized
	case Forbidden:
		return http.StatusForbidden
	case NotFound:
		return http.StatusNotFound
	case Conflict:
		return http.StatusConflict
	case Moved:
		return http.StatusGone
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case RateLimited:
		return http.StatusTooManyRequests
	case Unavailable:
		return http.StatusServiceUnavailable
	case Internal:
	}
	return http.StatusInternalServerError
}

// MessageOf returns what a user may see of err.
func MessageOf(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return "internal error; the server's log has the details"
}

// IsDiskFull reports whether err came of a disk, or a quota of one, that has no room left.
func IsDiskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

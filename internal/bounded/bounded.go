// Package bounded reads what others send, and no more of it than there is room for.
package bounded

import (
	"fmt"
	"io"
)

// TooLongError is the error of a text that has more bytes than are taken.
type TooLongError struct{ Limit int64 }

func (e *TooLongError) Error() string { return fmt.Sprintf("it is longer than %d bytes", e.Limit) }

// ReadAll reads r to its end, which must come within limit bytes: what is longer is a
// *TooLongError, and never cut short without a word.
func ReadAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := Begin(r, limit+1)
	switch {
	case err != nil:
		return nil, err
	case int64(len(data)) > limit:
		return nil, &TooLongError{Limit: limit}
	}
	return data, nil
}

// Begin reads the first limit bytes of r, or all if it has fewer. It is for what is
// shown or guessed at; a caller that trusts the text takes ReadAll. What came before an
// error is returned with it.
func Begin(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit)) //nolint:forbidigo // this is the bounded reader
}

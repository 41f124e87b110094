// Package bounded reads what others send, and no more of it than there is room for.
package bounded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
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

// File reads a regular file within limit bytes. Another, such as a pipe that no program writes to, is refused and not waited for.
// Errors name the path.
func File(path string, limit int64) (text []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	info, err := f.Stat()
	if err == nil {
		err = readable(path, info, limit)
	}
	if err != nil {
		return nil, err
	}
	if text, err = ReadAll(f, limit); errors.As(err, new(*TooLongError)) { // it grew
		err = fmt.Errorf("%s: %w", path, err)
	}
	return text, err
}

// CheckFile reports by its error whether File would read what there is. It need not be readable for who asks.
func CheckFile(path string, limit int64) error {
	info, err := os.Stat(path)
	if err == nil {
		err = readable(path, info, limit)
	}
	return err
}

func readable(path string, info fs.FileInfo, limit int64) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: it is no regular file", path)
	case info.Size() > limit:
		return fmt.Errorf("%s: %w", path, &TooLongError{Limit: limit})
	}
	return nil
}

// Begin reads the first limit bytes of r, or all if it has fewer. It is for what is
// shown or guessed at; a caller that trusts the text takes ReadAll. What came before an
// error is returned with it.
func Begin(r io.Reader, limit int64) ([]byte, error) {
	return io.ReadAll(io.LimitReader(r, limit)) //nolint:forbidigo // this is the bounded reader
}

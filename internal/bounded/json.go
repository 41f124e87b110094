package bounded

import "fmt"

// TooManyError is the error of a JSON text that has more values than are taken.
type TooManyError struct{ Limit int }

func (e *TooManyError) Error() string { return fmt.Sprintf("it has more than %d values", e.Limit) }

// CheckValues returns a *TooManyError where a JSON text has more than so many values, members and elements. What is made of a text takes memory by their
// number: three bytes may become a hundred.
func CheckValues(text []byte, limit int) error {
	values, inString := 1, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case c == ',' && !inString:
			if values++; values > limit {
				return &TooManyError{Limit: limit}
			}
		}
	}
	return nil
}

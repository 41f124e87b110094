package bounded_test

import (
	"errors"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

func TestCheckValues(t *testing.T) {
	for text, want := range map[string]int{
		``: 1, `{}`: 1, `[1,2,3]`: 3, `{"a,b":"c,d","e":[{},{}]}`: 3, `["\",\",",1]`: 2, `["\\",1]`: 2, `"cut off, \`: 1,
	} {
		var many *bounded.TooManyError
		if err := bounded.CheckValues([]byte(text), want); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if err := bounded.CheckValues([]byte(text), want-1); want > 1 && (!errors.As(err, &many) || many.Limit != want-1) {
			t.Errorf("%s with less room: %v", text, err)
		}
	}
}

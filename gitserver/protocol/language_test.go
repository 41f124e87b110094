package protocol

import (
	"testing"

	"github.com/fandoghpaas/fandogh/internal/language/langtest"
)

// Whatever is said to who pushes is known in Persian, and nothing else is.
func TestEverythingIsSaidInPersian(t *testing.T) {
	langtest.Compare(t, langtest.Literals(t, ".", map[string]int{"Text": 0, "say": 0}), persian)
}

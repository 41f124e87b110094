package catalog

import (
	"context"
	"errors"
)

// ErrNearlyFull is what errors wrap that refuse more because little of the disk is left. Unlike a disk that is full it
// still takes what was begun.
var ErrNearlyFull = errors.New("the disk is nearly full")

// Admission says whether there is room for more. It is asked before work is done for it.
type Admission interface {
	// Admit returns why a namespace may not have more now, nil where it may. Errors: Unavailable (ErrNearlyFull), Forbidden (a quota).
	Admit(ctx context.Context, namespace string, more Amounts) error
	// AdmitContents is Admit for contents of the registry, bytes by digest, of which those count that the namespace has not.
	AdmitContents(ctx context.Context, namespace string, contents map[string]int64, more Amounts) error
}

// Admit asks a, where there is one.
func Admit(ctx context.Context, a Admission, namespace string, more Amounts) error {
	if a == nil {
		return nil
	}
	return a.Admit(ctx, namespace, more)
}

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
	// Reserve is Admit with contents of the registry beside more, bytes by digest, of which those count that the namespace has not. Until
	// release is called, when it is all stored or will not be, its bytes count as used: of what comes at the same time each is told of the
	// others. release is nil with an error alone.
	Reserve(ctx context.Context, namespace string, contents map[string]int64, more Amounts) (release func(), err error)
}

// Admit asks a, where there is one.
func Admit(ctx context.Context, a Admission, namespace string, more Amounts) error {
	if a == nil {
		return nil
	}
	return a.Admit(ctx, namespace, more)
}

// Reserve asks a, where there is one.
func Reserve(ctx context.Context, a Admission, namespace string, more Amounts) (release func(), err error) {
	if a == nil {
		return func() {}, nil
	}
	return a.Reserve(ctx, namespace, nil, more)
}

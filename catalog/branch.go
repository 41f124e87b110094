package catalog

import (
	"context"
	"fmt"
)

// DefaultBranch is what a clone of an image's repository checks out.
type DefaultBranch struct {
	Name   string // "main"
	Exists bool   // false: it was not pushed yet, and neither was any other
	// Awaited is what a user chose in its place and was not pushed yet: the default from then on.
	Awaited string
}

// Sentence tells a person.
func (d DefaultBranch) Sentence(image ImageRef) string {
	switch {
	case d.Awaited != "":
		return fmt.Sprintf("%s has no branch %s yet. It becomes the default branch when it is pushed; until then clones check out %s.", image, d.Awaited, d.Name)
	case !d.Exists:
		return fmt.Sprintf("The default branch of %s is %s, which does not exist yet; push it.", image, d.Name)
	}
	return fmt.Sprintf("The default branch of %s is %s: clones check it out.", image, d.Name)
}

// Branches tells of the branches of an image's repository and changes them. The git server implements it.
type Branches interface {
	// DefaultBranch returns what a clone checks out. Errors: NotFound (nothing was pushed yet).
	DefaultBranch(ctx context.Context, ref ImageRef) (DefaultBranch, error)
	// SetDefaultBranch chooses it, whether there is such a branch or not. Errors: Invalid (no name
	// of a branch), NotFound (nothing was pushed yet).
	SetDefaultBranch(ctx context.Context, ref ImageRef, branch string) (DefaultBranch, error)
}

package catalog

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// shortCommit is how many digits of a commit's name are shown to people, and stand in versions of branches.
const shortCommit = 7

// ShortCommit shortens a commit's name, hex, for people.
func ShortCommit(commit string) string { return commit[:min(len(commit), shortCommit)] }

var notInTag = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// BranchVersion names the version of a branch's commit: "main-0123abc".
func BranchVersion(branch, commit string) string {
	name := notInTag.ReplaceAllString(branch, "-")
	for strings.Contains(name, "..") {
		name = strings.ReplaceAll(name, "..", ".")
	}
	name = strings.TrimLeft(name, ".-")
	if len(name) > 100 {
		name = name[:100]
	}
	if name == "" {
		name = "branch"
	}
	return name + "-" + ShortCommit(commit)
}

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

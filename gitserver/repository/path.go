package repository

import (
	"strings"

	"github.com/fandoghpaas/fandogh/catalog"
)

// ParsePath reads what a git client calls a repository: app, app.git,
// ns/app or ns/app.git, with / or ~ before it as URLs bring along. Without a
// namespace it is the user's own. Errors: Invalid.
func ParsePath(path, own string) (catalog.ImageRef, error) {
	bad := func(why string) (catalog.ImageRef, error) {
		return catalog.ImageRef{}, catalog.FieldErrorf("repository", "repository path %q is not valid: %s; write it as app or namespace/app", path, why)
	}
	if i := strings.IndexFunc(path, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
		return bad("it contains a control character")
	}
	if strings.ContainsAny(path, `\%`) {
		return bad(`it contains \ or %`)
	}
	name := strings.TrimPrefix(path, "/")
	if rest, ok := strings.CutPrefix(name, "~"); ok {
		name = strings.TrimPrefix(rest, "/")
	}
	name = strings.TrimSuffix(name, "/")
	name = strings.TrimSuffix(name, ".git")
	parts := strings.Split(name, "/")
	for _, part := range parts {
		switch part {
		case "", ".", "..":
			return bad("it has an empty component, . or ..")
		}
	}
	ref := catalog.ImageRef{Namespace: own, Name: parts[len(parts)-1]}
	switch len(parts) {
	case 1:
	case 2:
		ref.Namespace = parts[0]
	default:
		return bad("it has more than two components")
	}
	if err := ref.Validate(); err != nil {
		return catalog.ImageRef{}, err
	}
	return ref, nil
}

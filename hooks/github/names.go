package github

import (
	"crypto/sha1"
	"net/url"
	"regexp"
	"strings"

	"github.com/moby/patternmatcher"

	"github.com/fandoghpaas/fandogh/catalog"
)

var (
	repositoryPattern = regexp.MustCompile(`^[A-Za-z0-9](?:[A-Za-z0-9-_]*[A-Za-z0-9])?/[A-Za-z0-9._-]+$`)
	objectPattern     = regexp.MustCompile(`^[0-9a-f]+$`)
)

const noObject = "0000000000000000000000000000000000000000"

// parseRepository reads "owner/name", or an address of it at the connected
// host as people copy it. Errors: Invalid.
func (s *Service) parseRepository(text string) (string, error) {
	name := strings.TrimSpace(text)
	switch {
	case strings.Contains(name, "://"):
		u, err := url.Parse(name)
		if err != nil || !strings.EqualFold(u.Hostname(), s.base.Hostname()) {
			return "", catalog.FieldErrorf("repository", "repository %q is not at %s", text, s.config.BaseURL)
		}
		name = strings.Trim(u.Path, "/")
		if prefix := strings.Trim(s.base.Path, "/"); prefix != "" {
			name = strings.TrimPrefix(name, prefix+"/")
		}
	case strings.HasPrefix(name, "git@"):
		host, rest, ok := strings.Cut(strings.TrimPrefix(name, "git@"), ":")
		if !ok || !strings.EqualFold(host, s.base.Hostname()) {
			return "", catalog.FieldErrorf("repository", "repository %q is not at %s", text, s.config.BaseURL)
		}
		name = rest
	}
	name = strings.TrimSuffix(strings.Trim(name, "/"), ".git")
	_, repo, _ := strings.Cut(name, "/")
	if !isRepository(name) || repo == "." || repo == ".." {
		return "", catalog.FieldErrorf("repository", "repository %q must be owner/name", text)
	}
	return name, nil
}

// pathMatcher returns what tells the paths that fit; patterns are as in
// .dockerignore, and one that names a directory fits all below it. Errors: Invalid.
func pathMatcher(list string) (func(string) bool, error) {
	m, err := patternmatcher.New(catalog.Patterns(list))
	if err != nil {
		return nil, catalog.FieldErrorf("paths", "paths %q: %v", list, err)
	}
	return func(name string) bool {
		ok, err := m.MatchesOrParentMatches(name)
		return ok && err == nil
	}, nil
}

const maxNameLength = 100 // bytes, of an owner and of a repository

// isRepository reports whether a name can be that of a repository with its owner.
func isRepository(name string) bool {
	owner, repo, _ := strings.Cut(name, "/")
	return len(owner) <= maxNameLength && len(repo) <= maxNameLength && repositoryPattern.MatchString(name)
}

func isObject(hash string) bool { return len(hash) == 2*sha1.Size && objectPattern.MatchString(hash) }

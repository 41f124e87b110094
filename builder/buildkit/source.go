package buildkit

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// maxHintedFiles bounds how many files are looked at for a Dockerfile that
// stands where nobody looks for it.
const maxHintedFiles = 20000

// source says which parts of a tree a build reads; both are slash paths in the tree.
type source struct {
	contextDir string // "." for the whole tree
	dockerfile string
}

// locate finds the build context and the Dockerfile. What is missing is the
// user's error, with where it was looked for.
func locate(tree catalog.Tree, o catalog.BuildOptions) (source, error) {
	s := source{contextDir: path.Clean(o.Context), dockerfile: path.Clean(o.Dockerfile)}
	if info, err := tree.Lstat(s.contextDir); err != nil || !info.IsDir() {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return source{}, unreadable(err)
		}
		return source{}, userError("context=%s is no directory of this commit; name one that is committed, or leave the option out to build from the top", o.Context)
	}
	candidates := []string{s.dockerfile}
	if o.Dockerfile == "" {
		// BuildKit's own rule: the name may also be written in lower case.
		candidates = []string{path.Join(s.contextDir, "Dockerfile"), path.Join(s.contextDir, "dockerfile")}
	}
	for _, name := range candidates {
		info, err := fs.Stat(tree, name)
		if err == nil && info.Mode().IsRegular() {
			s.dockerfile = name
			return s, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return source{}, unreadable(err)
		}
	}
	return source{}, noDockerfile(tree, candidates[0])
}

func noDockerfile(tree catalog.Tree, wanted string) error {
	message := fmt.Sprintf("no Dockerfile: this commit has no file %s", wanted)
	if found := findDockerfile(tree); found != "" {
		return userError("%s; to build with %s, push with -o dockerfile=%s", message, found, found)
	}
	return userError("%s; commit one, or name it with -o dockerfile=PATH", message)
}

// findDockerfile returns the first file that looks like a Dockerfile, in any
// case and at any depth, or nothing.
func findDockerfile(tree catalog.Tree) string {
	found, seen := "", 0
	_ = fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if seen++; err != nil || seen > maxHintedFiles {
			return fs.SkipAll
		}
		base := strings.ToLower(path.Base(name))
		if !entry.Type().IsRegular() || (base != "dockerfile" && base != "containerfile" && !strings.HasSuffix(base, ".dockerfile") && !strings.HasPrefix(base, "dockerfile.")) {
			return nil
		}
		if strings.HasSuffix(base, ".dockerignore") {
			return nil
		}
		if found == "" || strings.Count(name, "/") < strings.Count(found, "/") {
			found = name
		}
		return nil
	})
	return found
}

func userError(format string, args ...any) *builder.SolveError {
	return &builder.SolveError{Outcome: catalog.OutcomeUserError, Message: fmt.Sprintf(format, args...)}
}

func unreadable(err error) *builder.SolveError {
	return &builder.SolveError{Outcome: catalog.OutcomeInfrastructure, Message: "the commit's files could not be read", Err: err}
}

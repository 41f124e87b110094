package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxHintedFiles bounds how many files are looked at for a Dockerfile that
// stands where no build looks for it.
const maxHintedFiles = 20000

// maxDockerfile bounds how much of a Dockerfile is looked through for the build args it declares: all that the
// frontend takes.
const maxDockerfile = 1 << 20

// source says which parts of a tree a build reads, slash paths in the tree, and with which build args.
type source struct {
	contextDir string // "." for the whole tree
	dockerfile string
	digest     digest.Digest     // of the Dockerfile
	args       map[string]string // the user's, and what factArgs adds
}

// sourceOf is locate, with the build args.
func sourceOf(ctx context.Context, r builder.SolveRequest) (source, error) {
	s, err := locate(r.Tree, r.Options)
	if err != nil {
		return source{}, err
	}
	file, err := r.Tree.Whole().Open(s.dockerfile)
	if err != nil {
		return source{}, unreadable(err, notRead)
	}
	defer file.Close() //nolint:errcheck // only read
	text, err := bounded.Begin(file, maxDockerfile)
	if err != nil {
		return source{}, unreadable(err, notRead)
	}
	s.digest = digest.FromBytes(text)
	s.args, err = factArgs(ctx, r, string(text))
	return s, err
}

// locate finds the build context and the Dockerfile. What is missing, or can't be
// read as it is, is the user's error, with where it was looked for.
func locate(tree catalog.Tree, o catalog.BuildOptions) (source, error) {
	s := source{contextDir: path.Clean(o.Context)}
	if err := findContext(tree, s.contextDir, o.Context); err != nil {
		return source{}, err
	}
	candidates := o.Dockerfiles()
	whole := tree.Whole()
	for _, name := range candidates {
		if found, err := findText(whole, name, name); err != nil {
			return source{}, err
		} else if !found {
			continue
		}
		s.dockerfile = name
		return s, checkIgnoreFile(tree, s)
	}
	return source{}, noDockerfile(whole, candidates[0])
}

func findContext(tree catalog.Tree, dir, option string) error {
	info, err := fs.Stat(tree, dir)
	switch {
	case err == nil && info.IsDir():
		return nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return unreadable(err, notRead)
	}
	if info, err := fs.Stat(tree.Whole(), dir); err == nil && info.IsDir() {
		return userError("context=%s is excluded from builds by export-ignore in .gitattributes; remove that attribute", option)
	}
	return userError("context=%s is not a directory in this commit; name one that is, or omit the option to build from the root", option)
}

// checkIgnoreFile looks at the file that says what the context leaves out. BuildKit
// takes one that it can't find for none, and would build with all that a link to
// nowhere was meant to keep out.
func checkIgnoreFile(tree catalog.Tree, s source) error {
	own := s.dockerfile + ".dockerignore"
	if found, err := findText(tree.Whole(), own, own); found || err != nil {
		return err
	}
	context, err := tree.Sub(s.contextDir)
	if err != nil {
		return unreadable(err, notRead)
	}
	_, err = findText(context, ".dockerignore", path.Join(s.contextDir, ".dockerignore"))
	return err
}

// findText reports whether a file is there that BuildKit can read; users know it as
// shown. A link is followed inside files, as BuildKit does.
func findText(files fs.FS, name, shown string) (found bool, err error) {
	info, err := fs.Stat(files, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
		if target, err := fs.ReadLink(files, name); err == nil {
			return false, userError("%s is a symbolic link to %s, which is not a file in this build; commit that file, or replace the link by a file", shown, target)
		}
		return false, nil
	}
	if err != nil {
		return false, unreadable(err, notRead)
	}
	if !info.Mode().IsRegular() {
		return false, nil
	}
	file, err := files.Open(name)
	if err != nil {
		return false, unreadable(err, notRead)
	}
	defer file.Close() //nolint:errcheck // only read
	begin, err := bounded.Begin(file, 4)
	if err != nil {
		return false, unreadable(err, notRead)
	}
	if err := builder.CheckEncoding(shown, begin); err != nil {
		return false, unreadable(err, notRead)
	}
	return true, nil
}

func noDockerfile(tree catalog.Files, wanted string) error {
	message := fmt.Sprintf("this commit contains no file %s", wanted)
	if found := findDockerfile(tree); found != "" {
		return userError("%s; to build with %s, push with -o dockerfile=%s", message, found, found)
	}
	return userError("%s; commit one, or name it with -o dockerfile=PATH", message)
}

// findDockerfile returns the first file that looks like a Dockerfile, in any
// case and at any depth, or nothing.
func findDockerfile(tree catalog.Files) string {
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

const notRead = "the commit's files could not be read"

// unreadable says why something of the commit can't be read: something that can't be
// built, which is the user's, a repository elsewhere that does not answer, or a fault of ours.
func unreadable(err error, ours string) *builder.SolveError {
	switch catalog.CodeOf(err) {
	case catalog.Invalid:
		return userError("%s", catalog.MessageOf(err))
	case catalog.Unavailable: // the repository of a submodule
		later := infrastructure(err, "%s", catalog.MessageOf(err))
		later.Retry = builder.RetryLater
		return later
	}
	return infrastructure(err, "%s", ours)
}

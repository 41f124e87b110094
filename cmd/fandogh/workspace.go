package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/internal/usage"
)

// buildPaths are the slash paths of what a build reads.
type buildPaths struct {
	dockerfile string
	context    string // "." for the whole directory
}

// workspaceFile is one file or symbolic link to send.
type workspaceFile struct {
	name string // slash path below the directory
	mode fs.FileMode
	size int64 // bytes when it was listed, 0 for links
}

// workspace is the directory to publish, listed but not read.
type workspace struct {
	dir   string
	files []workspaceFile // each directory's in the order of names
	size  int64           // bytes of all
}

// openWorkspace lists what would be sent of a directory.
func openWorkspace(dir string, p project) (*workspace, error) {
	build, err := findDockerfile(dir, p)
	if err != nil {
		return nil, err
	}
	ignored, err := readIgnores(dir, build)
	if err != nil {
		return nil, err
	}
	secret, err := ownSecret()
	if err != nil {
		return nil, err
	}
	w := &workspace{dir: dir}
	err = filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || file == dir || secret(entry) {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		return w.visit(filepath.ToSlash(rel), entry, ignored)
	})
	return w, err
}

func (w *workspace) visit(name string, entry fs.DirEntry, ignored *ignores) error {
	skip, prune, err := ignored.skip(name, entry.IsDir())
	switch {
	case err != nil:
		return err
	case entry.IsDir() && prune:
		return fs.SkipDir
	case entry.IsDir() || skip: // git keeps no empty directories, so directories go with their files
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	switch kind := info.Mode().Type(); kind {
	case 0:
		w.files = append(w.files, workspaceFile{name: name, mode: info.Mode(), size: info.Size()})
		w.size += info.Size()
	case fs.ModeSymlink:
		w.files = append(w.files, workspaceFile{name: name, mode: info.Mode()})
	default:
		return usage.Errorf("%s is not a regular file or a symbolic link and can't be sent; exclude it in %s", name, fandoghIgnore)
	}
	return nil
}

// findDockerfile looks where the server will look.
func findDockerfile(dir string, p project) (buildPaths, error) {
	build := buildPaths{context: path.Clean(p.Build.Context)}
	candidates := []string{path.Clean(p.Build.Dockerfile)}
	if p.Build.Dockerfile == "" {
		candidates = []string{path.Join(build.context, "Dockerfile"), path.Join(build.context, "dockerfile")}
	}
	for _, name := range append(candidates, build.context) {
		if !fs.ValidPath(name) {
			return build, usage.Errorf("%s names %q, which is not a path inside this directory", projectFile, name)
		}
	}
	for _, name := range candidates {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		if err == nil && info.Mode().IsRegular() {
			build.dockerfile = name
			return build, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return build, err
		}
	}
	return build, usage.Errorf("there is no %s in this directory; the server builds the image from it. "+
		"Change to the directory of your project, or set build.dockerfile in %s", candidates[0], projectFile)
}

// ownSecret tells the file with the user's logins, which must not go into an
// image because a user publishes from the home directory.
func ownSecret() (func(fs.DirEntry) bool, error) {
	none := func(fs.DirEntry) bool { return false }
	path, err := credentialsPath()
	if err != nil {
		return none, nil //nolint:nilerr // no place for logins, no logins
	}
	own, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return none, nil
	}
	return func(entry fs.DirEntry) bool {
		if entry.Name() != own.Name() {
			return false
		}
		info, err := entry.Info()
		return err == nil && os.SameFile(own, info)
	}, err
}

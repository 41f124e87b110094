package builder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxPaths bounds the patterns of one image.
const maxPaths = 200

// normalPaths returns patterns as patternmatcher wants them. Errors: Invalid.
func normalPaths(patterns []string) ([]string, error) {
	if len(patterns) > maxPaths {
		return nil, catalog.Errorf(catalog.Invalid, "paths has %d patterns; %d are the most", len(patterns), maxPaths)
	}
	var normal []string
	wanted := len(patterns) == 0
	for _, pattern := range patterns {
		read, err := ignorefile.ReadAll(strings.NewReader(pattern))
		if err == nil {
			_, err = patternmatcher.New(read)
		}
		bare, excludes := strings.CutPrefix(strings.Join(read, "\n"), "!")
		if err != nil || len(read) != 1 || strings.Trim(bare, "./") == "" || bare == ".." || strings.HasPrefix(bare, "../") {
			return nil, catalog.Errorf(catalog.Invalid, "paths pattern %q is not valid; write it as in a .dockerignore, from the root of the repository, such as services/api/** or go.*", pattern)
		}
		wanted = wanted || !excludes
		normal = append(normal, read...)
	}
	if !wanted {
		return nil, catalog.Errorf(catalog.Invalid, "paths only has patterns with '!', so that no file counts; begin with what counts, such as **")
	}
	return normal, nil
}

// sumOf names the files that match patterns, by their names, modes and contents; empty: there are none. What is in
// submodules is not looked at. Errors: Invalid (of a file that can't be had).
func sumOf(files fs.FS, patterns []string) (string, error) {
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return "", err
	}
	sum, found := sha256.New(), false
	parents := map[string]patternmatcher.MatchInfo{}
	err = fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		matches, info, err := matcher.MatchesUsingParentResults(name, parents[path.Dir(name)])
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			parents[name] = info
			return nil
		case !matches:
			return nil
		}
		file, err := entry.Info()
		if err != nil {
			return err
		}
		found = true
		_, err = fmt.Fprintf(sum, "%q %o %v\n", name, file.Mode(), file.Sys())
		return err
	})
	if err != nil || !found {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

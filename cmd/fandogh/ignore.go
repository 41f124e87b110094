package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

const (
	dockerIgnore  = ".dockerignore"
	fandoghIgnore = ".fandoghignore"
)

// ignoreRule is one ignore file's patterns for one directory and all below it.
type ignoreRule struct {
	base    string // slash path, "." for the top
	matcher *patternmatcher.PatternMatcher
	parents map[string]patternmatcher.MatchInfo // by directory, relative to base
}

// ignores tells what is not sent. What the build itself reads is always sent,
// and so is what tells the server how to build.
type ignores struct {
	rules []*ignoreRule
	kept  map[string]bool
}

// readIgnores reads the ignore files that apply: the one that the build will go
// by, and our own. Both hide; neither brings back what the other hides.
func readIgnores(dir string, build buildPaths) (*ignores, error) {
	own := build.dockerfile + dockerIgnore
	general := path.Join(build.context, dockerIgnore)
	i := &ignores{kept: map[string]bool{build.dockerfile: true, own: true, general: true, projectFile: true, otherFile: true}}
	// A Dockerfile's own ignore file takes the general one's place.
	found, err := i.read(dir, own, build.context)
	if err == nil && !found {
		_, err = i.read(dir, general, build.context)
	}
	if err == nil {
		_, err = i.read(dir, fandoghIgnore, ".")
	}
	return i, err
}

func (i *ignores) read(dir, name, base string) (found bool, err error) {
	file, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer joinClose(&err, file)
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		return false, language.Errorf("read %s: %w", name, err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return false, usage.Errorf("%s: %w", name, err)
	}
	i.rules = append(i.rules, &ignoreRule{base: base, matcher: matcher, parents: map[string]patternmatcher.MatchInfo{}})
	return true, nil
}

// skip reports whether a path is left out, and for a directory whether all below
// it is, so that it need not be looked at. Directories must be asked about
// before what is in them.
func (i *ignores) skip(name string, isDir bool) (ignored, prune bool, err error) {
	if strings.EqualFold(path.Base(name), ".git") {
		return true, true, nil // the server keeps uploads in git, where nothing may be called that
	}
	prune = true
	for _, rule := range i.rules {
		hidden, err := rule.match(name, isDir)
		if err != nil {
			return false, false, err
		}
		if hidden {
			ignored = true
			prune = prune && !rule.matcher.Exclusions()
		}
	}
	if !ignored {
		return false, false, nil
	}
	if i.kept[name] {
		return false, false, nil
	}
	return true, isDir && prune && !i.keepsBelow(name), nil
}

func (i *ignores) keepsBelow(dir string) bool {
	for name := range i.kept {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}

func (r *ignoreRule) match(name string, isDir bool) (bool, error) {
	if r.base != "." {
		below, ok := strings.CutPrefix(name, r.base+"/")
		if !ok {
			return false, nil
		}
		name = below
	}
	hidden, info, err := r.matcher.MatchesUsingParentResults(name, r.parents[path.Dir(name)])
	if isDir {
		r.parents[name] = info
	}
	return hidden, err
}

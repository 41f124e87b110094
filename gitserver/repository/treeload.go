package repository

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

const (
	maxTreeEntries = 1_000_000
	maxTreeDepth   = 256
)

// lastTime is the last that images' configurations can be of.
var lastTime = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// Tree implements catalog.Sources.
func (r *Repositories) Tree(ctx context.Context, ref catalog.ImageRef, commit string) (catalog.Tree, error) {
	repo, err := r.Open(ref)
	if err != nil {
		return nil, err
	}
	t, err := openTree(ctx, repo, plumbing.NewHash(commit))
	if err != nil {
		return nil, errors.Join(err, repo.Objects.Close())
	}
	t.large = &largeFiles{ctx: context.WithoutCancel(ctx), from: r.LargeFiles, ref: ref, known: map[*node]*catalog.LFSObject{}}
	return t, nil
}

func openTree(ctx context.Context, repo *Repository, commit plumbing.Hash) (*tree, error) {
	c, err := repo.Commit(commit)
	if err != nil {
		return nil, err
	}
	t := &tree{repo: repo, time: time.Unix(min(c.Time, lastTime.Unix()), 0).UTC(), root: &node{name: ".", mode: fs.ModeDir | 0o755}}
	if err := t.load(ctx, t.root, c.Tree, "", nil); err != nil {
		return nil, err
	}
	return t, nil
}

// load fills a directory's node. rules are those of the directories above.
func (t *tree) load(ctx context.Context, dir *node, hash plumbing.Hash, prefix string, rules *attributeRules) error {
	if strings.Count(prefix, "/") > maxTreeDepth {
		return catalog.Errorf(catalog.Invalid, "%s is nested deeper than %d directories", prefix, maxTreeDepth)
	}
	data, err := t.repo.Objects.GetTyped(hash, plumbing.TreeObject)
	if err != nil {
		return err
	}
	entries, err := objects.ParseTree(data)
	if err != nil {
		return err
	}
	if rules, err = t.readRules(entries, prefix, rules); err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil { // there may be many entries, and many rules for each
			return err
		}
		name := prefix + e.Name
		isDir := e.Mode == objects.ModeTree
		attributes := rules.of(name, isDir)
		if t.count++; t.count > maxTreeEntries {
			return catalog.Errorf(catalog.Invalid, "the commit has more than %d files", maxTreeEntries)
		}
		child := newNode(e, name, attributes.lfs)
		if isDir {
			if err := t.load(ctx, child, e.Hash, name+"/", rules); err != nil {
				return err
			}
		}
		dir.all = append(dir.all, child)
		// A directory of which all is left out is too, as git archive has it. One that is empty, an upload
		// made so.
		if attributes.exportIgnore && e.Name != dockerignore || isDir && len(child.children) == 0 && len(child.all) > 0 {
			continue
		}
		dir.children = append(dir.children, child)
	}
	byName := func(a, b *node) int { return strings.Compare(a.name, b.name) }
	slices.SortFunc(dir.all, byName)
	slices.SortFunc(dir.children, byName)
	return nil
}

// dockerignore is the name of the files that say what is left out of a build, which
// hold although they are left out themselves.
const dockerignore = ".dockerignore"

func newNode(e objects.TreeEntry, path string, lfs bool) *node {
	n := &node{name: e.Name, hash: e.Hash}
	switch e.Mode {
	case objects.ModeSubmodule:
		n.mode, n.suspect = fs.ModeDir|0o755, path
	case objects.ModeTree:
		n.mode = fs.ModeDir | 0o755
	case objects.ModeSymlink:
		n.mode = fs.ModeSymlink | 0o777
	case objects.ModeExecutable:
		n.mode = 0o755
	default:
		n.mode = 0o644
	}
	if lfs && n.mode.IsRegular() {
		n.suspect = path
	}
	return n
}

// readRules adds the directory's own .gitattributes to the rules from above.
func (t *tree) readRules(entries []objects.TreeEntry, prefix string, above *attributeRules) (*attributeRules, error) {
	for _, e := range entries {
		if e.Name != ".gitattributes" || (e.Mode != objects.ModeFile && e.Mode != objects.ModeExecutable) {
			continue
		}
		_, size, err := t.repo.Objects.Header(e.Hash)
		if err != nil || size > maxAttributesFile {
			return above, err // git ignores such a file too
		}
		data, err := t.repo.Objects.GetTyped(e.Hash, plumbing.BlobObject)
		if err != nil {
			return nil, err
		}
		return above.with(prefix, data), nil
	}
	return above, nil
}

// refuseSubmodule returns why a directory can't be built, if so. Errors: Invalid.
func refuseSubmodule(n *node) error {
	if n.suspect == "" {
		return nil
	}
	return catalog.Errorf(catalog.Invalid, "%s is a git submodule, which can't be built: its files are in another repository; commit the files themselves, or name it in .dockerignore", n.suspect)
}

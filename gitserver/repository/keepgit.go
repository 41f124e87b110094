package repository

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"crypto/sha1" //nolint:gosec // git's
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
)

// Of a .git in a build context. Older commits are left out, as by a shallow clone.
const (
	maxKeptCommits = 100_000
	maxKeptBytes   = 1 << 30
)

// keptConfig says what the .git is: a clone that was asked for no trees and files but the commit's own. Git
// asks its remote for others, and there is none.
const keptConfig = "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n" +
	"[extensions]\n\tpartialclone = origin\n[remote \"origin\"]\n\tpromisor = true\n\tpartialclonefilter = tree:0\n"

// gitFile is a file of a tree that is no object of the repository.
type gitFile struct {
	content io.ReaderAt
	size    int64
}

func (f *gitFile) open() io.ReadCloser {
	return io.NopCloser(io.NewSectionReader(f.content, 0, f.size))
}

// keptGit is a .git in the making.
type keptGit struct {
	ctx  context.Context
	tree *tree
	as   catalog.CheckedOut
	tags map[plumbing.Hash][]knownTag
	pack *objects.PackBuilder
	size int64 // of the objects, before they are compressed
	cut  []plumbing.Hash
	refs []string // lines of packed-refs, by name
	root *node
}

// KeepGit implements catalog.Tree.
func (t *tree) KeepGit(ctx context.Context, as catalog.CheckedOut) error {
	dir, err := t.repos.temporary()
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // the next start removes what is left
	none, err := t.repos.packs.OpenStore(objects.NewFiles(filepath.Join(dir, "none")))
	if err != nil {
		return err
	}
	defer objects.Discard(none)
	pack, err := objects.NewPackBuilder(dir, none)
	if err != nil {
		return err
	}
	k := &keptGit{ctx: ctx, tree: t, as: as, pack: pack, root: newDir(".git")}
	if err := errors.Join(k.collect(), k.finishPack(dir)); err != nil {
		return errors.Join(err, pack.Close())
	}
	k.addTexts()
	t.root.add(k.root.sorted())
	t.root.sort()
	return nil
}

// collect packs what the .git has of the repository.
func (k *keptGit) collect() (err error) {
	if k.tags, err = k.tree.repo.tagsFor(k.tree.commit, k.as); err != nil {
		return err
	}
	if err := k.history(); err != nil {
		return err
	}
	c, err := k.tree.repo.Commit(k.tree.commit)
	if err != nil {
		return err
	}
	return k.files(c.Tree)
}

// history packs commits, the newest first, and the tags that name them.
func (k *keptGit) history() error {
	w, err := newDescriber(k.ctx, k.tree.repo, k.tags)
	if err == nil {
		err = w.push(k.tree.commit, 0)
	}
	kept := map[plumbing.Hash]bool{}
	var ends []*queuedCommit
	for err == nil && len(w.queue) > 0 && len(kept) < maxKeptCommits {
		next := heap.Pop(&w.queue).(*queuedCommit)
		kept[next.hash] = true
		ends = append(ends, next)
		err = errors.Join(k.add(plumbing.CommitObject, next.hash), k.addTags(next.hash), w.follow(next))
	}
	for _, c := range ends {
		if slices.ContainsFunc(c.parents, func(p plumbing.Hash) bool { return !kept[p] }) {
			k.cut = append(k.cut, c.hash)
		}
	}
	return err
}

// addTags packs the tags of a commit and writes their refs.
func (k *keptGit) addTags(commit plumbing.Hash) error {
	for _, tag := range k.tags[commit] {
		line := fmt.Sprintf("%s refs/tags/%s\n", tag.object, tag.name)
		if tag.annotated {
			line += fmt.Sprintf("^%s\n", commit)
		}
		k.refs = append(k.refs, line)
		for object := tag.object; object != commit; { // a tag may name a tag
			data, err := k.tree.repo.Objects.GetTyped(object, plumbing.TagObject)
			if err != nil {
				return err
			}
			if err := k.add(plumbing.TagObject, object); err != nil {
				return err
			}
			link, err := objects.ParseTag(data)
			if err != nil {
				return err
			}
			object = link.Hash
		}
	}
	return nil
}

// files packs a tree with all below it.
func (k *keptGit) files(tree plumbing.Hash) error {
	if err := k.add(plumbing.TreeObject, tree); err != nil {
		return err
	}
	data, err := k.tree.repo.Objects.GetTyped(tree, plumbing.TreeObject)
	if err != nil {
		return err
	}
	entries, err := objects.ParseTree(data)
	if err != nil {
		return err
	}
	for _, e := range entries {
		switch e.Mode {
		case objects.ModeTree:
			err = k.files(e.Hash)
		case objects.ModeSubmodule:
		default:
			err = k.add(plumbing.BlobObject, e.Hash)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *keptGit) add(typ plumbing.ObjectType, h plumbing.Hash) error {
	if err := k.ctx.Err(); err != nil {
		return err
	}
	_, size, err := k.tree.repo.Objects.Header(h)
	if err != nil {
		return err
	}
	if k.size += size; k.size > maxKeptBytes {
		return catalog.Errorf(catalog.Invalid, "keep_git: the files and the history of this commit are larger than %d MiB, the limit for a .git in the build; remove keep_git, and take what you need from build args such as FANDOGH_DESCRIBE", maxKeptBytes>>20)
	}
	content, err := k.tree.repo.Objects.Open(h)
	if err != nil {
		return err
	}
	_, err = k.pack.Add(typ, size, content)
	return errors.Join(err, content.Close())
}

// finishPack puts the pack and its index into the .git. Their files stay open, and have no names any more.
func (k *keptGit) finishPack(dir string) error {
	in, err := k.pack.Finish()
	if err != nil {
		return err
	}
	if err := in.Install(objects.Files(dir)); err != nil {
		return err
	}
	names, err := objects.Files(dir).Names()
	if err != nil {
		return err
	}
	for _, name := range names {
		for _, suffix := range []string{".idx", ".pack"} {
			file, err := os.Open(filepath.Join(dir, "pack", name+suffix))
			if err != nil {
				return err
			}
			k.tree.open = append(k.tree.open, file)
			info, err := file.Stat()
			if err != nil {
				return err
			}
			if err := k.put("objects/pack/"+name+suffix, file, info.Size()); err != nil {
				return err
			}
		}
		k.text("objects/pack/"+name+".promisor", "")
	}
	return nil
}

// addTexts puts the rest into the .git.
func (k *keptGit) addTexts() {
	commit := k.tree.commit.String()
	head := commit + "\n"
	if k.as.Branch != "" {
		head = "ref: refs/heads/" + k.as.Branch + "\n"
		k.refs = append(k.refs, fmt.Sprintf("%s refs/heads/%s\n", commit, k.as.Branch))
	}
	slices.SortFunc(k.refs, func(a, b string) int { return cmp.Compare(a[41:], b[41:]) })
	k.text("HEAD", head)
	k.text("config", keptConfig)
	k.text("packed-refs", "# pack-refs with: peeled fully-peeled sorted \n"+strings.Join(k.refs, ""))
	k.text("index", string(indexOf(k.tree.root)))
	if len(k.cut) > 0 {
		var lines strings.Builder
		for _, h := range k.cut {
			lines.WriteString(h.String() + "\n")
		}
		k.text("shallow", lines.String())
	}
	for _, dir := range []string{"refs/heads", "refs/tags"} {
		k.dir(dir)
	}
}

func (k *keptGit) text(name, content string) {
	_ = k.put(name, strings.NewReader(content), int64(len(content))) // memory can be read
}

func (k *keptGit) put(name string, content io.ReaderAt, size int64) error {
	hasher := plumbing.NewHasher(plumbing.BlobObject, size)
	if _, err := io.Copy(hasher, io.NewSectionReader(content, 0, size)); err != nil {
		return err
	}
	dir, base := k.root, name
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, base = k.dir(name[:i]), name[i+1:]
	}
	dir.add(&node{name: base, mode: 0o644, hash: hasher.Sum(), file: &gitFile{content, size}})
	return nil
}

// dir returns a directory of the .git, made where it is missing.
func (k *keptGit) dir(name string) *node {
	here := k.root
	for part := range strings.SplitSeq(name, "/") {
		i := slices.IndexFunc(here.all, func(n *node) bool { return n.name == part })
		if i < 0 {
			i = len(here.all)
			here.add(newDir(part))
		}
		here = here.all[i]
	}
	return here
}

func newDir(name string) *node { return &node{name: name, mode: fs.ModeDir | 0o755} }

func (n *node) add(child *node) {
	n.all = append(n.all, child)
	n.children = append(n.children, child)
}

// sorted brings a directory that was made here, and all below it, into the order that trees have.
func (n *node) sorted() *node {
	for _, child := range n.all {
		child.sorted()
	}
	n.sort()
	return n
}

// indexOf writes git's index of a commit's files. All are marked skip-worktree: none counts as changed or
// missing, whatever .dockerignore leaves out of the context.
func indexOf(root *node) []byte {
	const extended, skipWorktree, nameMask = 0x4000, 0x4000, 0xfff
	entries := indexEntries(nil, root, "")
	slices.SortFunc(entries, func(a, b objects.TreeEntry) int { return strings.Compare(a.Name, b.Name) })
	var b bytes.Buffer
	b.WriteString("DIRC")
	number := func(n int) { b.Write(binary.BigEndian.AppendUint32(b.AvailableBuffer(), uint32(n))) } //nolint:gosec // sizes and modes
	number(3)
	number(len(entries))
	for _, e := range entries {
		begin := b.Len()
		b.Write(make([]byte, 24)) // times, device and inode, which nothing is compared with
		number(int(e.Mode))
		b.Write(make([]byte, 12)) // owner and size
		b.Write(e.Hash[:])
		b.Write(binary.BigEndian.AppendUint16(b.AvailableBuffer(), extended|uint16(min(len(e.Name), nameMask)))) //nolint:gosec // bounded
		b.Write(binary.BigEndian.AppendUint16(b.AvailableBuffer(), skipWorktree))
		b.WriteString(e.Name)
		b.Write(make([]byte, 8-(b.Len()-begin)%8))
	}
	sum := sha1.Sum(b.Bytes()) //nolint:gosec // git's
	b.Write(sum[:])
	return b.Bytes()
}

func indexEntries(entries []objects.TreeEntry, dir *node, prefix string) []objects.TreeEntry {
	for _, n := range dir.all {
		e := objects.TreeEntry{Name: prefix + n.name, Hash: n.hash}
		switch {
		case n.isModule():
			e.Mode = objects.ModeSubmodule
		case n.mode.IsDir():
			entries = indexEntries(entries, n, e.Name+"/")
			continue
		case n.mode&fs.ModeSymlink != 0:
			e.Mode = objects.ModeSymlink
		case n.mode&0o100 != 0:
			e.Mode = objects.ModeExecutable
		default:
			e.Mode = objects.ModeFile
		}
		entries = append(entries, e)
	}
	return entries
}

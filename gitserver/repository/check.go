package repository

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha1" //nolint:gosec // git's
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// VersionOf is a version and its image, which may be another than the one whose repository it was built from.
type VersionOf struct {
	catalog.Version
	Image catalog.ImageRef
	// TagObject returns the annotated tag's object, as catalog.Build has it.
	TagObject func(ctx context.Context) (string, error)
}

// nameBeside names a version where a repository is spoken of.
func (v VersionOf) nameBeside(ref catalog.ImageRef) string {
	if v.Image.Repository() == ref.Repository() {
		return v.Name
	}
	return v.Name + " of " + v.Image.String()
}

// Check reports what is wrong with an image's repository: damaged packs, objects that a ref leads to and that are
// missing, and versions built from it that are not there. It changes nothing. Packs are read whole; what loose
// objects of files contain is not.
func (r *Repositories) Check(ctx context.Context, ref catalog.ImageRef, versions []VersionOf, report func(catalog.Fault)) error {
	fromBackup := "restore " + r.path(ref) + " from a backup"
	var place func(ctx context.Context, from, to string) (bool, error)
	if _, err := os.Stat(filepath.Join(r.path(ref), "packed-refs")); errors.Is(err, fs.ErrNotExist) {
		place = r.placeRefs(ref, versions)
	}
	say := func(what string, about ...any) {
		report(catalog.Fault{What: fmt.Sprintf(what, about...), File: r.path(ref), Place: place, Advice: fromBackup})
	}
	if _, err := os.Stat(r.path(ref)); errors.Is(err, fs.ErrNotExist) {
		for _, v := range versions {
			if v.Commit != "" {
				say("there is no git repository, and version %s has commit %s", v.nameBeside(ref), v.Commit)
			}
		}
		return nil
	}
	if err := r.exists(ref); err != nil {
		report(catalog.Fault{What: "the git repository's HEAD can't be read: " + catalog.MessageOf(err), Mend: r.mendHead(ref), Advice: fromBackup})
	}
	if err := r.checkPacks(ctx, ref, fromBackup, report); err != nil {
		return err
	}
	repo, err := r.OpenEmpty(ref)
	if err != nil {
		say("its objects can't be read: %v", err)
		return nil
	}
	defer objects.Discard(repo)
	shallow, err := repo.Shallow()
	if err != nil {
		return err
	}
	w := &checkWalk{ctx: ctx, of: r, ref: ref, repo: repo, placed: place != nil, shallow: map[plumbing.Hash]bool{}, report: report, say: say}
	for _, h := range shallow {
		w.shallow[h] = true
	}
	tags, err := w.refs()
	if err != nil {
		return err
	}
	if w.placed && len(tags) == 0 && slices.ContainsFunc(versions, func(v VersionOf) bool { return v.State == catalog.Built && v.Commit != "" }) {
		report(catalog.Fault{
			What: "its packed-refs is missing, and with it the branches", File: filepath.Join(r.path(ref), "packed-refs"), Whole: refs.CheckPacked, Place: place,
			Advice: "restore it from a backup, or push the branches again",
		})
	}
	return w.versions(versions, tags)
}

// checkPacks reads all packs and indexes.
func (r *Repositories) checkPacks(ctx context.Context, ref catalog.ImageRef, advice string, report func(catalog.Fault)) error {
	packs := filepath.Join(r.path(ref), "objects", "pack")
	entries, err := os.ReadDir(packs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	names := map[string]bool{}
	for _, e := range entries {
		if name, kind, _ := strings.Cut(e.Name(), "."); strings.HasPrefix(name, "pack-") && (kind == "pack" || kind == "idx") {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		what, reindex := checkPack(filepath.Join(packs, name))
		if what == "" {
			continue
		}
		fault := catalog.Fault{What: fmt.Sprintf(what, name), File: filepath.Join(packs, name+".pack"), Whole: wholePack, Advice: advice}
		if reindex {
			fault.Mend, fault.File = r.mendIndex(ref, name), ""
		}
		report(fault)
	}
	return nil
}

// checkPack says what is wrong with a pack and its index, of which path is the name without the ending; reindex: with the index alone.
func checkPack(path string) (what string, reindex bool) {
	sum, err := packSum(path + ".pack")
	switch {
	case err != nil:
		return fmt.Sprintf("%%s can't be read: %v", strings.ReplaceAll(err.Error(), "%", "%%")), false
	case sum == nil:
		return "%s is damaged", false
	}
	index, err := os.ReadFile(path + ".idx")
	if err == nil && len(index) < 2*sha1.Size {
		err = objects.ErrCorrupt
	}
	if err != nil {
		return fmt.Sprintf("the index of %%s can't be read: %v", strings.ReplaceAll(err.Error(), "%", "%%")), true
	}
	ofPack, ofIndex := index[len(index)-2*sha1.Size:len(index)-sha1.Size], index[len(index)-sha1.Size:]
	if own := sha1.Sum(index[:len(index)-sha1.Size]); !bytes.Equal(own[:], ofIndex) || !bytes.Equal(ofPack, sum) { //nolint:gosec // git's
		return "the index of %s is damaged", true
	}
	return "", false
}

// wholePack says by an error that a file is no pack whose sum is right.
func wholePack(path string) error {
	sum, err := packSum(path)
	if err == nil && sum == nil {
		err = fmt.Errorf("%s is damaged, too", path)
	}
	return err
}

// packSum returns the SHA-1 of a pack, without the one that it ends in. The two are the same, or the result is nil.
func packSum(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	sum := sha1.New() //nolint:gosec // git's
	if _, err := io.CopyN(sum, f, info.Size()-sha1.Size); err != nil {
		return nil, err
	}
	var said [sha1.Size]byte
	if _, err := io.ReadFull(f, said[:]); err != nil {
		return nil, err
	}
	if got := sum.Sum(nil); bytes.Equal(got, said[:]) {
		return got, nil
	}
	return nil, nil
}

// checkWalk follows a repository's refs.
type checkWalk struct {
	ctx     context.Context
	of      *Repositories
	ref     catalog.ImageRef
	repo    *Repository
	shallow map[plumbing.Hash]bool
	report  func(catalog.Fault)
	say     func(what string, about ...any) // of a fault that only a backup mends
	placed  bool                            // there are no refs, and those of one would be placed

	seen  objects.Hashes
	left  []objects.Link
	wrong int
}

// maxWrong is how many objects are reported of one repository.
const maxWrong = 20

// refs looks at all that refs lead to, and returns what tags mean in the end.
func (w *checkWalk) refs() (tags map[string]plumbing.Hash, err error) {
	tags = map[string]plumbing.Hash{}
	var broken error
	err = refs.Each(w.repo.Refs, "", func(f refs.Ref) error {
		typ, _, err := w.repo.Objects.Header(f.Hash)
		if err != nil {
			w.wrongObject(f.Name, objects.Link{Hash: f.Hash}, err)
			return nil
		}
		if target, err := w.repo.Objects.Peel(f.Hash); err == nil {
			tags[f.Name] = target.Hash
		}
		w.left = append(w.left, objects.Link{Hash: f.Hash, Type: typ})
		broken = w.follow(f.Name)
		return broken
	})
	if err != nil && broken == nil {
		w.report(catalog.Fault{What: fmt.Sprintf("its refs can't be read: %v", err), Mend: w.of.mendRefs(w.ref), Advice: "restore its packed-refs from a backup"})
		return tags, nil
	}
	return tags, err
}

// follow looks at what is left, and at all that it names.
func (w *checkWalk) follow(from string) error {
	for len(w.left) > 0 {
		link := w.left[len(w.left)-1]
		w.left = w.left[:len(w.left)-1]
		if _, added := w.seen.Add(link.Hash); !added {
			continue
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
		if err := w.look(link); err != nil {
			w.wrongObject(from, link, err)
		}
	}
	return nil
}

func (w *checkWalk) look(link objects.Link) error {
	if link.Type == plumbing.BlobObject {
		typ, _, err := w.repo.Objects.Header(link.Hash)
		if err == nil && typ != link.Type {
			err = fmt.Errorf("it is a %s", typ)
		}
		return err
	}
	data, err := w.repo.Objects.GetTyped(link.Hash, link.Type)
	if err != nil {
		return err
	}
	links, err := objects.LinksOf(link.Type, data, w.shallow[link.Hash])
	w.left = append(w.left, links...)
	return err
}

func (w *checkWalk) wrongObject(ref string, link objects.Link, err error) {
	w.wrong++
	switch {
	case w.wrong > maxWrong:
	case w.wrong == maxWrong:
		w.say("more objects are missing or damaged")
	case errors.Is(err, objects.ErrNotFound):
		w.say("object %s, to which %s leads, is missing", link.Hash, ref)
	default:
		w.say("object %s, to which %s leads, can't be read: %v", link.Hash, ref, err)
	}
}

// versions looks for the commits of versions, and for the tags of those that are built.
func (w *checkWalk) versions(versions []VersionOf, tags map[string]plumbing.Hash) error {
	for _, v := range versions {
		if v.Commit == "" {
			continue // it came as an image
		}
		commit := plumbing.NewHash(v.Commit)
		there, err := w.repo.Objects.Has(commit)
		if err != nil {
			w.say("commit %s of version %s can't be read: %v", v.Commit, v.nameBeside(w.ref), err)
			continue
		}
		if !there {
			w.say("commit %s of version %s is missing", v.Commit, v.nameBeside(w.ref))
			continue
		}
		if v.State != catalog.Built {
			continue
		}
		name := cmp.Or(v.Tag, v.Name)
		fault := catalog.Fault{Mend: w.of.mendTag(w.ref, v), Advice: fmt.Sprintf("as a user of the repository, push %s as tag %s", v.Commit, name)}
		switch tag, ok := tags["refs/tags/"+name]; {
		case !ok:
			fault.What = fmt.Sprintf("version %s is built and has no tag", v.nameBeside(w.ref))
			w.report(fault)
		case tag != commit:
			fault.What = fmt.Sprintf("tag %s points to %s, and version %s was built from %s", name, tag, v.nameBeside(w.ref), v.Commit)
			w.report(fault)
		}
	}
	return nil
}

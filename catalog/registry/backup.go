package registry

import (
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"

	"github.com/fandoghpaas/fandogh/catalog"
)

// EachFile visits what a registry's directory has of images, by names below it, in an order in which it may be copied
// while the registry is used, as long as nothing is removed (Config.Removing): tags, manifests' and blobs' links, and the blobs of all
// images last. Fixed are files that never change under their name. Unfinished uploads are left out.
func EachFile(dir string, images []catalog.ImageRef, visit func(name string, fixed bool) error) error {
	for _, ref := range images {
		repository := path.Join(repositoriesDir, ref.Repository())
		for _, part := range []string{
			path.Join(repository, "_manifests", "tags"), path.Join(referrersDir, ref.Repository()),
			path.Join(repository, "_manifests", "revisions"), path.Join(repository, layersDir),
		} {
			if err := walk(dir, part, visit); err != nil {
				return err
			}
		}
	}
	// The other way round a blob that is restored meanwhile would be seen in neither place.
	if err := walk(dir, trashDir, visit); err != nil {
		return err
	}
	return walk(dir, blobsDir, visit)
}

func walk(dir, part string, visit func(name string, fixed bool) error) error {
	return filepath.WalkDir(filepath.Join(dir, filepath.FromSlash(part)), func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(d.Name(), ".tmp") || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		// Tags may move; what lies under a digest may not.
		moves := strings.HasSuffix(name, "/current/link") || strings.HasPrefix(part, referrersDir)
		return visit(name, !moves)
	})
}

// removing asks whether something may be removed for good.
func (r *Registry) removing() (done func(), err error) {
	if r.mayRemove == nil {
		return func() {}, nil
	}
	return r.mayRemove()
}

// eachBlobFile visits the files of blobs, <algorithm>/<2 digits>/<hex>/data.
func (r *Registry) eachBlobFile(visit func(d digest.Digest, file string) error) error {
	root := filepath.Join(r.dir, filepath.FromSlash(blobsDir))
	return filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || entry.IsDir() || entry.Name() != "data" {
			return err
		}
		dir := filepath.Dir(file)
		return visit(digest.NewDigestFromEncoded(digest.Algorithm(filepath.Base(filepath.Dir(filepath.Dir(dir)))), filepath.Base(dir)), file)
	})
}

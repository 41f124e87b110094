package registry

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
)

// movingFile marks the directories of an image that is being transferred: what has it is the image's, whichever name it is
// found by, and what comes by either name meanwhile is not.
const movingFile = ".moving"

// Rename gives an image's tags, manifests, links and unfinished uploads another name, until EndRename. It may be done again after it was
// cut short. What was pushed by the new name and is no image's goes, and so does what comes by the old one meanwhile. The store
// must name the image by the new name already.
func (r *Registry) Rename(_ context.Context, from, to catalog.ImageRef) error {
	if err := errors.Join(from.Validate(), to.Validate()); err != nil {
		return err
	}
	r.linking.Lock()
	defer r.linking.Unlock()
	if err := moveDir(r.repositoryDir(from), r.repositoryDir(to)); err != nil {
		return err
	}
	return moveDir(r.referrersOf(from), r.referrersOf(to))
}

// EndRename is for when no Rename will be done again: until then what comes by the old name could be taken for the image's.
func (r *Registry) EndRename(to catalog.ImageRef) error {
	var errs []error
	for _, dir := range []string{r.repositoryDir(to), r.referrersOf(to)} {
		errs = append(errs, ignoreNotExist(os.Remove(filepath.Join(dir, movingFile))))
	}
	return errors.Join(errs...)
}

// checkName refuses what was begun by a name that is not the image's any more. The caller holds linking, so that nothing is moved until it is done.
func (r *Registry) checkName(ctx context.Context, image catalog.Image) error {
	if image.ID == 0 {
		return nil // which has none yet
	}
	now, err := r.store.ImageByID(ctx, image.ID)
	if err == nil && now.Ref != image.Ref {
		err = catalog.Errorf(catalog.Moved, "image %s was transferred and is %s now; use that name", image.Ref, now.Ref)
	}
	return err
}

// names are what images are called, by their ID. Errors: Unavailable (one is being moved).
func (r *Registry) names(ctx context.Context) (map[int64]catalog.ImageRef, error) {
	moves, err := r.store.Moves(ctx)
	if err == nil && len(moves) > 0 {
		err = catalog.Errorf(catalog.Unavailable, "image %s was just transferred and its files are being moved; try again in a moment", moves[0].To)
	}
	names := map[int64]catalog.ImageRef{}
	if err == nil {
		err = catalog.EachImage(ctx, r.store, "", func(image catalog.Image) error {
			names[image.ID] = image.Ref
			return nil
		})
	}
	return names, err
}

// checkNames refuses to go by what was found while an image was transferred: its tags were looked for where they are not. Errors: Unavailable.
func (r *Registry) checkNames(ctx context.Context, before map[int64]catalog.ImageRef) error {
	now, err := r.names(ctx)
	for id, ref := range now {
		if was, ok := before[id]; ok && was != ref && err == nil {
			err = catalog.Errorf(catalog.Unavailable, "image %s was transferred meanwhile and is %s now; try again", was, ref)
		}
	}
	return err
}

// moveDir moves a directory, if there is one, and waits until that is on disk.
func moveDir(from, to string) error {
	_, err := os.Stat(filepath.Join(to, movingFile))
	if err == nil { // it was moved
		return os.RemoveAll(from)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err = atomicfile.Replace(filepath.Join(from, movingFile), nil, 0o600)
	if errors.Is(err, fs.ErrNotExist) { // nothing was ever stored, or all of it is done
		return nil
	}
	if err == nil {
		err = os.RemoveAll(to)
	}
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.Rename(from, to)
	}
	for _, dir := range []string{filepath.Dir(to), filepath.Dir(from), filepath.Dir(filepath.Dir(to))} {
		if err == nil {
			err = atomicfile.SyncDir(dir)
		}
	}
	return err
}

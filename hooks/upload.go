package hooks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/archive"
)

// UploadConfig is what Uploads need beyond their Hooks. Writer and SpoolDir are
// required.
type UploadConfig struct {
	Writer catalog.SourceWriter
	// SpoolDir holds zip files while they are read. It belongs to the Uploads,
	// which empty it when they start.
	SpoolDir string
	Limits   archive.Limits
	Now      func() time.Time
}

// Uploads implement catalog.Uploader: an archive becomes a commit and a tag in
// the image's repository, and goes from there the way a push goes.
type Uploads struct {
	hooks  *Hooks
	config UploadConfig
}

var _ catalog.Uploader = (*Uploads)(nil)

// NewUploads returns Uploads that queue what they make with h.
func NewUploads(h *Hooks, config UploadConfig) (*Uploads, error) {
	if config.Writer == nil || config.SpoolDir == "" {
		return nil, errors.New("hooks: UploadConfig needs a Writer and a SpoolDir")
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if err := os.RemoveAll(config.SpoolDir); err != nil {
		return nil, err
	}
	return &Uploads{hooks: h, config: config}, os.MkdirAll(config.SpoolDir, 0o700)
}

// MaxBytes implements catalog.Uploader.
func (u *Uploads) MaxBytes() int64 { return u.config.Limits.Bytes }

// CheckVersion implements catalog.Uploader.
func (u *Uploads) CheckVersion(ctx context.Context, image catalog.Image, version string) error {
	_, err := u.version(ctx, image, version)
	return err
}

// version returns the version that an upload may become, zero when it is new.
func (u *Uploads) version(ctx context.Context, image catalog.Image, name string) (catalog.Version, error) {
	if err := image.CheckOwnSource(); err != nil {
		return catalog.Version{}, err
	}
	if err := catalog.ValidateVersion(name); err != nil {
		return catalog.Version{}, err
	}
	if image.NeedsSignedTags() {
		return catalog.Version{}, catalog.NewBuild{Trigger: catalog.TriggerUpload}.CheckSignedTag(image.Ref)
	}
	v, err := u.hooks.config.Store.Version(ctx, image.ID, name)
	if catalog.CodeOf(err) == catalog.NotFound {
		deleted, err := u.hooks.deleted(ctx, image.ID, name)
		if err == nil && deleted != nil {
			err = aboutVersion(deleted.Refuse()) // an upload is a commit of its own
		}
		if err == nil {
			err = catalog.Admit(ctx, u.hooks.config.Admission, image.Ref.Namespace, catalog.Amounts{Versions: 1, Builds: 1})
		}
		return catalog.Version{}, err
	}
	if err == nil && v.State == catalog.Built {
		err = aboutVersion(catalog.Errorf(catalog.Conflict, "version %s is already built and never changes; choose another version", name))
	}
	return v, err
}

// aboutVersion names the input at fault.
func aboutVersion(err error) error {
	return &catalog.Error{Code: catalog.CodeOf(err), Field: "version", Message: catalog.MessageOf(err)}
}

// upload implements catalog.Upload.
type upload struct {
	uploads *Uploads
	image   catalog.Image
	tree    catalog.TreeWriter
	note    string
}

// Receive implements catalog.Uploader.
func (u *Uploads) Receive(ctx context.Context, image catalog.Image, source io.Reader) (catalog.Upload, error) {
	if err := catalog.Admit(ctx, u.hooks.config.Admission, image.Ref.Namespace, catalog.Amounts{Bytes: 1, Builds: 1}); err != nil {
		return nil, err
	}
	tree, err := u.config.Writer.WriteTree(ctx, image.Ref)
	if err != nil {
		return nil, err
	}
	note, err := archive.Unpack(ctx, source, tree, u.config.Limits, u.config.SpoolDir)
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	return &upload{uploads: u, image: image, tree: tree, note: note}, nil
}

// Note implements catalog.Upload.
func (u *upload) Note() string { return u.note }

// Close implements catalog.Upload.
func (u *upload) Close() error { return u.tree.Close() }

// Submit implements catalog.Upload.
func (u *upload) Submit(ctx context.Context, n catalog.NewUpload) (catalog.QueuedBuild, error) {
	v, err := u.uploads.version(ctx, u.image, n.Version)
	if err != nil {
		return catalog.QueuedBuild{}, err
	}
	release, err := catalog.Reserve(ctx, u.uploads.hooks.config.Admission, u.image.Ref.Namespace, catalog.Amounts{Bytes: u.tree.Bytes()})
	if err != nil {
		return catalog.QueuedBuild{}, err
	}
	defer release()
	commit, err := u.tree.Commit(ctx, catalog.NewCommit{
		Author: n.Identity.User.Name, Message: fmt.Sprintf("Upload of %s %s", u.image.Ref, n.Version),
		Time: u.uploads.config.Now(), Like: v.Commit,
	})
	if err != nil {
		return catalog.QueuedBuild{}, err
	}
	busy := v.ID != 0 && !v.State.Ended()
	if busy && v.Commit != commit {
		return catalog.QueuedBuild{}, catalog.Errorf(catalog.Conflict, "version %s is being built from other files (commit %.7s); wait for it or cancel it, or choose another version", n.Version, v.Commit)
	}
	// From here on the client may go: what is begun must be ended.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queueTimeout)
	defer cancel()
	u.uploads.hooks.markArriving(u.image.Ref, n.Version)
	if !busy {
		if err := u.setTag(ctx, v, n.Version, commit); err != nil {
			return catalog.QueuedBuild{}, err
		}
	}
	queued, err := u.uploads.hooks.config.Submitter.Submit(ctx, []catalog.NewBuild{{
		ImageID: u.image.ID, Version: n.Version, Trigger: catalog.TriggerUpload, Commit: commit,
		UserID: n.Identity.User.ID, Options: n.Options,
	}})
	if err != nil {
		u.dropTag(ctx, n.Version, commit)
		return catalog.QueuedBuild{}, err
	}
	return queued[0], nil
}

// setTag sets a version's tag in place of one that its failed build has left.
func (u *upload) setTag(ctx context.Context, v catalog.Version, tag, commit string) error {
	if v.Commit != "" && v.Commit != commit {
		if err := u.uploads.hooks.config.Sources.WithdrawTag(ctx, u.image.Ref, tag, v.Commit); err != nil {
			return err
		}
	}
	err := u.uploads.hooks.config.Sources.SetTag(ctx, u.image.Ref, tag, commit)
	if catalog.CodeOf(err) == catalog.Conflict {
		return catalog.Wrap(catalog.Conflict, err, "version %s is being pushed from another commit right now; wait for its build, or choose another version", tag)
	}
	return err
}

// dropTag removes the tag of a build that could not be queued, unless another
// build needs it.
func (u *upload) dropTag(ctx context.Context, tag, commit string) {
	v, err := u.uploads.hooks.config.Store.Version(ctx, u.image.ID, tag)
	if err == nil && v.Commit == commit && (v.State == catalog.Built || !v.State.Ended()) {
		return
	}
	if err := u.uploads.hooks.config.Sources.WithdrawTag(ctx, u.image.Ref, tag, commit); err != nil {
		u.uploads.hooks.config.Logger.Error("failed to withdraw the tag of an upload that was not queued", "image", u.image.Ref, "tag", tag, "error", err)
	}
}

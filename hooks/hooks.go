// Package hooks decides what becomes of what arrived: it checks the refs of a
// push, queues a build for every new tag, and shows the pusher the builds' logs.
package hooks

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Submitter queues builds and sees to it that they run; the builder is one.
type Submitter interface {
	// Submit is as catalog.Builds.QueueBuilds: all or none, a version being
	// built from the same commit yields its build, Attached.
	Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error)
	// CancelWaiting takes a build off the queue if it has not begun, and tells whether it did. Errors: NotFound.
	CancelWaiting(ctx context.Context, buildID int64) (bool, error)
}

// Store is what the hooks read of catalog.Store.
type Store interface {
	catalog.BuildLister
	// Image, ImageByID and CreateImage are as catalog.Images has them.
	Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error)
	ImageByID(ctx context.Context, imageID int64) (catalog.Image, error)
	CreateImage(ctx context.Context, i catalog.NewImage) (catalog.Image, error)
	// Version, TagVersions and UnbuiltTags are as catalog.Versions has them.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	TagVersions(ctx context.Context, sourceID int64, tag string) ([]catalog.Version, error)
	UnbuiltTags(ctx context.Context, sourceID int64) (map[string]string, error)
	// Tombstone is as catalog.Tombstones has it.
	Tombstone(ctx context.Context, imageID int64, version string) (catalog.Tombstone, error)
}

// Config is what Hooks are made of; all but Tags, Prospects and Logger is required.
type Config struct {
	Store     Store
	Submitter Submitter
	Logs      catalog.BuildLogs
	Control   catalog.BuildControl
	Sources   catalog.Sources
	Tags      catalog.TagVerifier // nil: no tag is verified
	Prospects Prospector          // nil: commits say nothing
	Admission catalog.Admission   // of uploads, and of versions; nil: there is always room
	// SSHAddress returns "host:port" of the SSH server as users reach it; it
	// appears in the commands that messages suggest.
	SSHAddress func() string
	// PublicRegistry returns "host:port" of the registry as users write it.
	PublicRegistry func() string
	Logger         hclog.Logger
}

// Hooks implement catalog.PostReceiver.
type Hooks struct {
	config Config

	// arriving holds the tags that passed PreReceive while Reconcile has not
	// finished yet: their refs may move before their builds are queued, so
	// Reconcile must not check them. Nil once Reconcile is done.
	mu       sync.Mutex
	arriving map[tagKey]bool
	// unqueued holds the tags whose builds could not be queued. Their pushers were told that they
	// are refused, but taking them back may have failed, too.
	unqueued map[tagKey]unqueuedTag
}

// tagKey names a tag of the installation.
type tagKey struct{ repository, tag string }

// unqueuedTag is a tag that should be gone.
type unqueuedTag struct {
	image   catalog.Image
	commit  string
	touched time.Time // when it last came in a push
}

var _ catalog.PostReceiver = (*Hooks)(nil)

// New returns Hooks; call Reconcile once when they start.
func New(config Config) *Hooks {
	if config.Logger == nil {
		config.Logger = hclog.NewNullLogger()
	}
	return &Hooks{config: config, arriving: map[tagKey]bool{}, unqueued: map[tagKey]unqueuedTag{}}
}

// UnbuiltTags implements catalog.PostReceiver.
func (h *Hooks) UnbuiltTags(ctx context.Context, image catalog.Image) (map[string]string, error) {
	unbuilt, err := h.config.Store.UnbuiltTags(ctx, image.ID)
	if err != nil {
		return nil, err
	}
	tags := h.unqueuedOf(image)
	maps.Copy(tags, unbuilt)
	return tags, nil
}

// sshCommand returns the shell command for a verb on an image.
func (h *Hooks) sshCommand(verb string, image catalog.ImageRef, version string) string {
	return catalog.SSHCommand(h.config.SSHAddress(), fmt.Sprintf("%s %s %s", verb, image, version))
}

func (h *Hooks) reference(image catalog.ImageRef, version string) string {
	return h.config.PublicRegistry() + "/" + image.Repository() + ":" + version
}

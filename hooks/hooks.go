// Package hooks decides what becomes of what arrived: it checks the refs of a
// push, queues a build for every new tag, and shows the pusher the builds' logs.
package hooks

import (
	"context"
	"fmt"
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
	// Image is as catalog.Images has it.
	Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error)
	// Version is as catalog.Versions has it.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	// ListVersions is as catalog.Versions has it.
	ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error)
}

// Config is what Hooks are made of; all but Prospects and Logger is required.
type Config struct {
	Store     Store
	Submitter Submitter
	Logs      catalog.BuildLogs
	Control   catalog.BuildControl
	Sources   catalog.Sources
	Prospects Prospector // nil: commits say nothing
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
	filter := catalog.VersionFilter{States: []catalog.State{catalog.Pending, catalog.Building}}
	unbuilt := h.unqueuedOf(image)
	for {
		versions, err := h.config.Store.ListVersions(ctx, image.ID, filter)
		if err != nil {
			return nil, err
		}
		if len(versions) == 0 {
			return unbuilt, nil
		}
		for _, v := range versions {
			unbuilt[v.Name] = v.Commit
		}
		filter.Page.Before = versions[len(versions)-1].ID
	}
}

// sshCommand returns the shell command for a verb on an image.
func (h *Hooks) sshCommand(verb string, image catalog.ImageRef, version string) string {
	return catalog.SSHCommand(h.config.SSHAddress(), fmt.Sprintf("%s %s %s", verb, image, version))
}

func (h *Hooks) reference(image catalog.ImageRef, version string) string {
	return h.config.PublicRegistry() + "/" + image.Repository() + ":" + version
}

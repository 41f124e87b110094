// Package hooks decides what becomes of what arrived: it judges the refs of a
// push, queues a build for every new tag, and shows the pusher the builds' logs.
package hooks

import (
	"context"
	"fmt"
	"net"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Submitter queues builds and sees to it that they run; the builder is one.
type Submitter interface {
	// Submit is as catalog.Builds.QueueBuilds: all or none, a version being
	// built from the same commit yields its build, Attached.
	Submit(ctx context.Context, builds []catalog.NewBuild) ([]catalog.QueuedBuild, error)
}

// Store is what the hooks read of catalog.Store.
type Store interface {
	// Image is as catalog.Images has it.
	Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error)
	// Version is as catalog.Versions has it.
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	// ListVersions is as catalog.Versions has it.
	ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error)
}

// Config is what Hooks are made of; all but Logger is required.
type Config struct {
	Store     Store
	Submitter Submitter
	Logs      catalog.BuildLogs
	Control   catalog.BuildControl
	Sources   catalog.Sources
	// SSHAddress returns "host:port" of the SSH server as users reach it; it
	// appears in the commands that messages suggest.
	SSHAddress func() string
	// PublicRegistry returns "host:port" of the registry as users write it.
	PublicRegistry func() string
	Logger         hclog.Logger
}

// Hooks implement catalog.PostReceiver.
type Hooks struct {
	Config

	// arriving holds the tags that passed PreReceive while Reconcile has not
	// finished yet: their refs may move before their builds are queued, so
	// Reconcile must not judge them. Nil once Reconcile is done.
	mu       sync.Mutex
	arriving map[tagKey]bool
}

// tagKey names a tag of the installation.
type tagKey struct{ repository, tag string }

var _ catalog.PostReceiver = (*Hooks)(nil)

// New returns Hooks; call Reconcile once when they start.
func New(config Config) *Hooks {
	if config.Logger == nil {
		config.Logger = hclog.NewNullLogger()
	}
	return &Hooks{Config: config, arriving: map[tagKey]bool{}}
}

// Unsettled implements catalog.PostReceiver.
func (h *Hooks) Unsettled(ctx context.Context, image catalog.Image) (map[string]string, error) {
	filter := catalog.VersionFilter{States: []catalog.State{catalog.Pending, catalog.Building}}
	unsettled := map[string]string{}
	for {
		versions, err := h.Store.ListVersions(ctx, image.ID, filter)
		if err != nil {
			return nil, err
		}
		if len(versions) == 0 {
			return unsettled, nil
		}
		for _, v := range versions {
			unsettled[v.Name] = v.Commit
		}
		filter.Page.Before = versions[len(versions)-1].ID
	}
}

// sshCommand returns the shell command for a verb on an image, as
// "ssh -p 2222 host logs -f ns/app v1.0".
func (h *Hooks) sshCommand(verb string, image catalog.ImageRef, version string) string {
	address := h.SSHAddress()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		host, port = address, ""
	}
	if port != "" && port != "22" {
		host = "-p " + port + " " + host
	}
	return fmt.Sprintf("ssh %s %s %s %s", host, verb, image, version)
}

func (h *Hooks) reference(image catalog.ImageRef, version string) string {
	return h.PublicRegistry() + "/" + image.Repository() + ":" + version
}

// Package registry serves finished images by the OCI distribution protocol.
// The protocol and the storage are the distribution project's; who may do what,
// and which tags exist, is decided here from the catalog, so that the registry
// never knows an image the catalog doesn't.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/reference"
	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Store is the part of the catalog the registry asks.
type Store interface {
	catalog.Namespaces
	catalog.Images
	catalog.Versions
}

// Config is what New needs; every field is required.
type Config struct {
	Dir    string // where blobs and tags are kept; made when missing
	Store  Store
	Auth   catalog.Authenticator
	Logger hclog.Logger
}

// Registry is the http.Handler for everything under /v2/.
type Registry struct {
	// Grants are the credentials of running builds.
	Grants Grants

	dir       string
	recording sync.Mutex // held while a pushed manifest becomes a version

	store  Store
	auth   catalog.Authenticator
	logger hclog.Logger
	app    *handlers.App
	// content is the app's storage seen from the inside, for what has no HTTP
	// request behind it. Neither caches, so both see the other's changes.
	content distribution.Namespace
	driver  driver.StorageDriver
}

// storageThreads bounds the file operations that run at once.
const storageThreads = 100

// New opens the registry's storage.
func New(c Config) (*Registry, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("registry directory: %w", err)
	}
	routeLogs(c.Logger)
	app, err := newApp(dir)
	if err != nil {
		return nil, err
	}
	r := &Registry{dir: dir, store: c.Store, auth: c.Auth, logger: c.Logger, app: app}
	r.driver = filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: storageThreads})
	if r.content, err = storage.NewRegistry(context.Background(), r.driver, storage.EnableDelete); err != nil {
		return nil, errors.Join(fmt.Errorf("open registry storage: %w", err), r.Close())
	}
	if err := r.Ping(context.Background()); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// newApp turns the panics by which the app tells of a bad configuration into
// errors. No cache is configured: a cached descriptor outlives its deleted blob,
// which is then served as an empty success.
func newApp(dir string) (app *handlers.App, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open registry: %v", p)
		}
	}()
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": dir, "maxthreads": storageThreads},
			"delete":     configuration.Parameters{"enabled": true},
		},
	}
	config.HTTP.RelativeURLs = true // right behind any proxy
	return handlers.NewApp(context.Background(), config), nil
}

// Close ends the registry's background work. Requests must have ended.
func (r *Registry) Close() error { return r.app.Shutdown() }

// pingPath lies outside of what the registry itself keeps.
const pingPath = "/ping"

// Ping writes to the storage and reads it back. Errors: Unavailable.
func (r *Registry) Ping(ctx context.Context) error {
	want := []byte("ok")
	if err := r.driver.PutContent(ctx, pingPath, want); err != nil {
		return catalog.Wrap(catalog.Unavailable, err, "the registry's storage can't be written")
	}
	got, err := r.driver.GetContent(ctx, pingPath)
	if err != nil || !bytes.Equal(got, want) {
		return catalog.Wrap(catalog.Unavailable, err, "the registry's storage can't be read")
	}
	return nil
}

// DeleteImage removes an image's tags and manifests; its blobs go with the next
// garbage collection. No such repository is no error.
func (r *Registry) DeleteImage(ctx context.Context, ref catalog.ImageRef) error {
	name, err := reference.WithName(ref.Repository())
	if err != nil {
		return catalog.Wrap(catalog.Invalid, err, "%s is no name of an image", ref)
	}
	remover, ok := r.content.(distribution.RepositoryRemover)
	if !ok {
		return catalog.Errorf(catalog.Internal, "the registry's storage can't remove a repository")
	}
	return errors.Join(ignoreMissing(remover.Remove(ctx, name)), os.RemoveAll(r.referrersOf(ref)))
}

// DeleteVersion removes a version's tag. No such tag is no error.
func (r *Registry) DeleteVersion(ctx context.Context, ref catalog.ImageRef, version string) error {
	repository, err := r.repository(ctx, ref)
	if err != nil {
		return err
	}
	return ignoreMissing(repository.Tags(ctx).Untag(ctx, version))
}

func (r *Registry) repository(ctx context.Context, ref catalog.ImageRef) (distribution.Repository, error) {
	name, err := reference.WithName(ref.Repository())
	if err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, "%s is no name of an image", ref)
	}
	return r.content.Repository(ctx, name)
}

func ignoreMissing(err error) error {
	var missing driver.PathNotFoundError
	var unknown distribution.ErrTagUnknown
	if errors.As(err, &missing) || errors.As(err, &unknown) {
		return nil
	}
	return err
}

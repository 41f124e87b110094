// Package registry serves finished images by the OCI distribution protocol, and takes
// them from builds and from users. The protocol and the storage are the distribution
// project's; who may do what, and which tags exist, is decided here from the catalog,
// so that the registry never knows an image the catalog doesn't.
//
// A Registry is made by New, serves as an http.Handler from then on, and is closed after the last request. CollectEvery runs beside it; an
// admin verb may collect from another process at the same time. A blob comes by an
// upload, is kept while a version, a tag that is none, or a Git LFS object leads to it, goes to the trash when
// it was unused for the grace time, and from there for good after as long again.
//
// What always holds: a tag is served when its version is Built, or when it is one of
// those that are no versions, and then by the digest that the catalog names; a
// version's manifest never changes; a blob is served by a repository that holds it,
// to who may read that; no blob goes that a client was told of within the grace time
// (use marks it before the request is served); an error ends a collection, which
// removes nothing on a guess. A build may push its one version, by its grant, and
// nothing else.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/distribution/distribution/v3/registry/storage"
	"github.com/distribution/distribution/v3/registry/storage/driver"
	"github.com/distribution/distribution/v3/registry/storage/driver/filesystem"
	"github.com/distribution/reference"
	"github.com/hashicorp/go-hclog"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Store is the part of the catalog the registry asks.
type Store interface {
	catalog.Namespaces
	catalog.Images
	catalog.Versions
	// Tombstone is that of catalog.Tombstones, and ListLFSObjects that of catalog.LFS.
	Tombstone(ctx context.Context, imageID int64, version string) (catalog.Tombstone, error)
	ListLFSObjects(ctx context.Context, imageID int64) ([]catalog.LFSObject, error)
	// ForgetContents is that of catalog.Usage, and Moves that of catalog.Transfers.
	ForgetContents(ctx context.Context, imageID int64, digest string) error
	Moves(ctx context.Context) ([]catalog.Move, error)
}

// Admission says whether there is room for more. Of what it may return catalog.Admission tells.
type Admission interface {
	// ReserveBeside is catalog.Admission.Reserve where beside, contents by digest, counts as used, too.
	ReserveBeside(ctx context.Context, namespace string, beside, contents map[string]int64, more catalog.Amounts) (release func(), err error)
}

// Config is what New needs; every field but Secret, CacheTags, Admission and Removing is required.
type Config struct {
	Dir   string // where blobs and tags are kept; made when missing
	Store Store
	Auth  catalog.Authenticator
	// Secret proves that the address of an upload is ours. Without it such addresses end
	// with the Registry.
	Secret []byte
	// CacheTags are patterns, as of path.Match, of tags that are no versions and may move.
	CacheTags []string
	// Admission is asked before users push; nil: there is always room.
	Admission Admission
	// Removing is asked before a collection removes something, and done is called afterwards. An error ends the
	// collection, which is tried again soon.
	Removing func() (done func(), err error)
	Logger   hclog.Logger
}

// Registry is the http.Handler for everything under /v2/.
type Registry struct {
	// Grants are the credentials of running builds.
	Grants Grants

	dir       string
	cacheTags []string
	admission Admission
	mayRemove func() (done func(), err error) // nil: always
	recording sync.Mutex                      // held while a pushed manifest becomes a version
	// linking is held, shared, while a manifest is put, and exclusively while what no name leads
	// to is looked for.
	linking sync.RWMutex
	// attaching is held while something is attached: several versions may have one manifest.
	attaching sync.Mutex

	pending pending
	pulls   pulls
	removed *lru.Cache[catalog.ImageRef, time.Time] // when files of images were last removed
	store   Store
	auth    catalog.Authenticator
	logger  hclog.Logger
	app     *handlers.App
	// content is the app's storage seen from the inside, for what has no HTTP
	// request behind it. Neither caches, so both see the other's changes.
	content distribution.Namespace
	driver  driver.StorageDriver
}

// maxRemoved is of how many images it is remembered when their files went, for the requests that met that.
const maxRemoved = 1000

// storageThreads bounds the file operations that run at once.
const storageThreads = 100

// New opens the registry's storage.
func New(c Config) (*Registry, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, fmt.Errorf("registry directory: %w", err)
	}
	for _, pattern := range c.CacheTags {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("cache tag %q: %w", pattern, err)
		}
	}
	routeLogs(c.Logger)
	app, err := newApp(dir, c.Secret)
	if err != nil {
		return nil, err
	}
	r := &Registry{dir: dir, cacheTags: c.CacheTags, admission: c.Admission, mayRemove: c.Removing, store: c.Store, auth: c.Auth, logger: c.Logger, app: app}
	r.pending = pending{dir: filepath.Join(dir, pendingDir), logger: c.Logger, of: map[string]map[string]int64{}}
	r.removed, _ = lru.New[catalog.ImageRef, time.Time](maxRemoved) // only a size below one is an error
	r.driver = filesystem.New(filesystem.DriverParameters{RootDirectory: dir, MaxThreads: storageThreads})
	if r.content, err = storage.NewRegistry(context.Background(), r.driver, storage.EnableDelete); err != nil {
		return nil, errors.Join(fmt.Errorf("open registry storage: %w", err), r.Close())
	}
	// On a full disk what is stored can be read, and what nobody needs be removed.
	if err := r.Ping(context.Background()); err != nil && !catalog.IsDiskFull(err) {
		return nil, errors.Join(err, r.Close())
	}
	if r.admission != nil {
		if err := r.loadPending(); err != nil {
			r.logger.Error("not all that was uploaded to the registry and belongs to no version counts for quotas", "error", err)
		}
	}
	return r, nil
}

// newApp turns the panics by which the app tells of a bad configuration into
// errors. No cache is configured: a cached descriptor outlives its deleted blob,
// which is then served as an empty success.
func newApp(dir string, secret []byte) (app *handlers.App, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("open registry: %v", p)
		}
	}()
	config := &configuration.Configuration{
		Storage: configuration.Storage{
			"filesystem": configuration.Parameters{"rootdirectory": dir, "maxthreads": storageThreads},
			"delete":     configuration.Parameters{"enabled": true},
			// Collect does it, and counts.
			"maintenance": configuration.Parameters{"uploadpurging": map[any]any{"enabled": false}},
		},
	}
	config.HTTP.RelativeURLs = true // right behind any proxy
	config.HTTP.Secret = string(secret)
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
		if of := (driver.Error{}); errors.As(err, &of) {
			err = errors.Join(err, of.Detail) // which it does not unwrap to
		}
		return catalog.Wrap(catalog.Unavailable, err, "failed to write to the registry's storage")
	}
	got, err := r.driver.GetContent(ctx, pingPath)
	if err != nil || !bytes.Equal(got, want) {
		return catalog.Wrap(catalog.Unavailable, err, "failed to read the registry's storage")
	}
	return nil
}

// DeleteImage removes an image's tags and manifests; its blobs go with the next
// garbage collection. No such repository is no error.
func (r *Registry) DeleteImage(ref catalog.ImageRef) error {
	if _, err := reference.WithName(ref.Repository()); err != nil {
		return catalog.Wrap(catalog.Invalid, err, "%s is not a valid image name", ref)
	}
	defer func() { r.removed.Add(ref, time.Now()) }()
	r.removed.Add(ref, time.Now())
	return errors.Join(removeAll(r.repositoryDir(ref)), removeAll(r.referrersOf(ref)))
}

// DeleteNamespace removes all that was stored under a namespace's name, also what never became an
// image. Blobs go with the next garbage collection. No such namespace is no error.
func (r *Registry) DeleteNamespace(name string) error {
	if err := catalog.ValidateNamespace(name); err != nil {
		return err
	}
	return errors.Join(
		removeAll(filepath.Join(r.dir, filepath.FromSlash(repositoriesDir), name)),
		removeAll(filepath.Join(r.dir, referrersDir, name)),
	)
}

// removeAll removes a directory into which uploads may still put files: each sees only afterwards that it may not.
func removeAll(dir string) error {
	var err error
	for range 1000 {
		if err = os.RemoveAll(dir); !errors.Is(err, syscall.ENOTEMPTY) {
			break
		}
	}
	return err
}

func (r *Registry) repository(ctx context.Context, ref catalog.ImageRef) (distribution.Repository, error) {
	name, err := reference.WithName(ref.Repository())
	if err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, "%s is not a valid image name", ref)
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

// Package github builds what is pushed to GitHub. A signed delivery becomes a
// durable job; the job fetches the ref by the connected address into the
// image's own repository; from there on it is a tag like any other. What came
// of the build goes back as a commit status.
package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/jobs"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/internal/egress"
)

// Kinds of jobs.
const (
	KindDelivery catalog.JobKind = "github.delivery" // subject: connection
	KindStatus   catalog.JobKind = "github.status"   // subject: connection
	KindSync     catalog.JobKind = "github.sync"     // subject: connection
)

// Consumer follows the events, by this name.
const Consumer = string(KindStatus)

// Store is what the connections need of catalog.Store.
type Store interface {
	catalog.Connections
	catalog.BuildLister
	catalog.Events
	catalog.Jobs
	Image(ctx context.Context, ref catalog.ImageRef) (catalog.Image, error)
	ImageByID(ctx context.Context, imageID int64) (catalog.Image, error)
	Version(ctx context.Context, imageID int64, name string) (catalog.Version, error)
	TagVersions(ctx context.Context, sourceID int64, tag string) ([]catalog.Version, error)
	ListVersions(ctx context.Context, imageID int64, f catalog.VersionFilter) ([]catalog.Version, error)
	Build(ctx context.Context, buildID int64) (catalog.Build, error)
	UserByID(ctx context.Context, id int64) (catalog.User, error)
}

// Policy says which tags may be set, and which builds are not needed any more; hooks.Hooks does.
type Policy interface {
	PreReceive(ctx context.Context, push catalog.Push) map[string]error
	// Supersede gives up the builds of a tag that wait and were asked for by trigger.
	Supersede(ctx context.Context, image catalog.Image, tag string, trigger catalog.Trigger) error
	// Builds returns what a tag asks for. Errors: Invalid, Conflict, Forbidden.
	Builds(ctx context.Context, t hooks.Tagged) ([]hooks.ImageBuild, error)
}

// App is a GitHub App of the installation; the zero value is none.
type App struct {
	ID            int64
	Key           []byte // PEM
	WebhookSecret string // of the App's own webhook
}

// Config is what a Service is made of. The limits are those of package config; zero numbers of
// what no operator sets take the defaults named beside them.
type Config struct {
	Store     Store
	Policy    Policy
	Queue     hooks.Submitter
	Sources   catalog.Sources
	Prospects hooks.Prospector // nil: commits say nothing
	Fetcher   catalog.Fetcher
	Admission catalog.Admission // of what is fetched; nil: there is always room
	Secrets   *secrets.Keyring
	// BaseURL is where people see the repositories; empty: https://github.com.
	// Only for that default are private addresses refused: another one was
	// chosen by the operator.
	BaseURL string
	APIURL  string // empty: what belongs to BaseURL
	SSHURL  string // for deploy keys, "ssh://git@host[:port]"; empty: BaseURL's host
	App     App
	// KnownHosts is the file of SSH host keys.
	KnownHosts string
	// WebhookURL returns the address of ServeHTTP as GitHub reaches it.
	WebhookURL func() string
	// BuildURL returns where a person looks at a build.
	BuildURL func(b catalog.Build) string

	MaxPayload     int64 // bytes of a delivery
	MaxPackBytes   int64 // of what is fetched; 0: no limit, as of the two that follow
	MaxObjectBytes int64
	MaxObjects     int64
	SyncInterval   time.Duration   // 0: never by itself
	SyncLimit      int             // builds of one sync
	Parallel       int             // deliveries worked off at once; 4
	Pauses         []time.Duration // between attempts; 5 s, 30 s, 2 min, 10 min, 30 min
	WorkerID       string          // names this process in leases; unique to each start
	Logger         hclog.Logger
}

const publicGitHub = "https://github.com"

// Service is the connections to GitHub.
type Service struct {
	config Config
	base   *url.URL
	http   *http.Client
	worker *jobs.Worker
	bodies *bodyMemory
	large  *semaphore.Weighted // held while the signature of a large delivery is checked
	images keyedLock           // by image ID: one ref of an image is dealt with at a time
	sent   keyedLock           // by connection ID: statuses go one by one
	tokens installationTokens
}

var _ catalog.GitHubControl = (*Service)(nil)

// New returns a Service; Run makes it work.
func New(c Config) (*Service, error) {
	public := c.BaseURL == "" || strings.TrimSuffix(c.BaseURL, "/") == publicGitHub
	if err := c.setAddresses(); err != nil {
		return nil, err
	}
	if c.MaxPayload > maxBodies {
		return nil, fmt.Errorf("github: a delivery may have at most %d bytes", maxBodies)
	}
	if c.Pauses == nil {
		c.Pauses = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute}
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.App.ID != 0 && len(c.App.Key) == 0 {
		return nil, errors.New("github: the App has no private key")
	}
	s := &Service{config: c, bodies: newBodyMemory(), large: semaphore.NewWeighted(1)}
	var err error
	if s.base, err = url.Parse(c.BaseURL); err != nil {
		return nil, err
	}
	api, err := url.Parse(c.APIURL)
	if err != nil {
		return nil, err
	}
	s.http = egress.Client(egress.Policy{Origins: []string{egress.Origin(s.base), egress.Origin(api)}, Private: !public})
	s.worker = jobs.New(jobs.Config{
		Store: c.Store, WorkerID: c.WorkerID + "/github", Parallel: c.Parallel, Logger: c.Logger,
		Kinds: map[catalog.JobKind]jobs.Kind{
			KindDelivery: {Do: s.deliver, Pauses: c.Pauses},
			KindStatus:   {Do: s.sendStatus, Pauses: c.Pauses},
			KindSync:     {Do: s.sync, Pauses: c.Pauses[:min(1, len(c.Pauses))]},
		},
	})
	return s, nil
}

// setAddresses completes the addresses, without slashes at their ends.
func (c *Config) setAddresses() error {
	if c.BaseURL == "" {
		c.BaseURL = publicGitHub
	}
	c.BaseURL = strings.TrimSuffix(c.BaseURL, "/")
	base, err := url.Parse(c.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || base.User != nil {
		return fmt.Errorf("github: %q is not a valid https://host", c.BaseURL)
	}
	switch {
	case c.APIURL == "" && c.BaseURL == publicGitHub:
		c.APIURL = "https://api.github.com"
	case c.APIURL == "":
		c.APIURL = c.BaseURL + "/api/v3"
	}
	c.APIURL = strings.TrimSuffix(c.APIURL, "/")
	if c.SSHURL == "" {
		c.SSHURL = "ssh://git@" + base.Hostname()
	}
	c.SSHURL = strings.TrimSuffix(c.SSHURL, "/")
	return nil
}

// Run works off deliveries, sends statuses and compares tags by schedule until
// ctx ends; then what is left waits in the store, and it returns nil.
func (s *Service) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return s.worker.Run(ctx) })
	group.Go(func() error { return s.schedule(ctx) })
	follower := jobs.Follower{Store: s.config.Store, Name: Consumer, Handle: s.onEvent, Logger: s.config.Logger}
	group.Go(func() error { return follower.Run(ctx) })
	return group.Wait()
}

// keyedLock is a lock for each ID.
type keyedLock struct{ locks sync.Map }

func (k *keyedLock) lock(id int64) (unlock func()) {
	l, _ := k.locks.LoadOrStore(id, &sync.Mutex{})
	mutex := l.(*sync.Mutex)
	mutex.Lock()
	return mutex.Unlock
}

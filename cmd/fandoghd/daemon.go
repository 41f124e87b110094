package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/builder/mirror"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/retention"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/gitserver"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/hooks/signing"
	"github.com/fandoghpaas/fandogh/internal/connlimit"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
	"github.com/fandoghpaas/fandogh/internal/imagefiles"
	"github.com/fandoghpaas/fandogh/internal/metrics"
	"github.com/fandoghpaas/fandogh/internal/version"
)

// daemon is every part of a running fandoghd. open makes it, run works, close
// gives everything back in the reverse order.
type daemon struct {
	config    config.Config                 // as it was at the start
	reloaded  atomic.Pointer[config.Config] // config, with what was reloaded since
	load      func() (config.Config, error) // reads it again
	hangups   chan os.Signal                // asks for that
	log       hclog.Logger
	audit     *auditKeeper
	tracer    trace.Tracer
	addresses addresses

	registryHost  string // host:port of the registry as BuildKit reaches it
	registryPlain bool   // by plain HTTP

	httpListener, sshListener net.Listener
	registryListener          net.Listener      // for our own BuildKit, which reaches no more of this machine; nil without it
	metricsListener           net.Listener      // nil without one of its own
	certificate               *certificateFiles // nil unless files have it

	metrics   *metrics.Metrics
	disk      *diskspace.Watcher
	store     *sqlite.Store
	measured  catalog.Store // store, with what is queued and ended by way of it counted
	keyring   *secrets.Keyring
	secrets   *secrets.Service
	accounts  *account.Service
	repos     *repository.Repositories
	lfs       *lfs.Server
	registry  *registry.Registry
	solver    *buildkit.Solver
	managed   *buildkitd.Manager // nil when BuildKits were given
	mirror    *mirror.Mirror     // for managed
	builder   *builder.Builder
	hooks     *hooks.Hooks
	uploads   *hooks.Uploads
	git       *gitserver.Server
	rest      *rest.Server
	web       *web.Server
	files     *imagefiles.Files
	upkeep    *upkeep
	sizes     *dataSizes
	github    *github.Service
	webhooks  *notify.Service
	signing   *signing.Service
	remover   *remover
	retention *retention.Service
	quota     *quota.Service

	closers []func() error
}

func databasePath(data string) string { return filepath.Join(data, "fandogh.db") }

func (d *daemon) onClose(f func() error) { d.closers = append(d.closers, f) }

func (d *daemon) close() error {
	var errs []error
	for i := len(d.closers) - 1; i >= 0; i-- {
		errs = append(errs, d.closers[i]())
	}
	return errors.Join(errs...)
}

func (d *daemon) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.lockData,       // first: what another daemon is in the middle of looks like what a crash left
		d.openTracer,     // each part is given it; it is closed after them, so that their last spans are sent
		d.openStore,      // all that follows looks things up
		d.openDisk,       // parts ask it whether there is room for more
		d.listen,         // parts tell users these addresses; a port in use ends the start before storage is mended
		d.openStorage,    // repositories and registry remove what a crash left; nothing uses them yet
		d.openBuilder,    // builds from the repositories into the registry
		d.openHooks,      // submit to the builder
		d.openInterfaces, // what users talk to leans on all of them
		d.watchState,     // asks all of them
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// run starts all services. A group starts before those that lean on it, and stops after them: first no
// new work, and running builds handed back; then BuildKit; then the registry that builds push to.
func (d *daemon) run(ctx context.Context) error {
	// First, as builds pull from it and push to it, and monitoring may ask whether we are ready.
	groups := [][]service{{{"http", d.serveHTTP}}}
	if d.registryListener != nil {
		groups[0] = append(groups[0], service{"registry", d.serveRegistry})
	}
	if d.metricsListener != nil {
		groups[0] = append(groups[0], service{"metrics", d.serveMetrics})
	}
	// Before what gives it work. Builds wait while it starts, and git needs it not at all.
	if d.managed != nil {
		groups = append(groups, []service{{"buildkitd", d.managed.Run}})
	}
	// What makes and takes work, together: whatever comes first waits in the store. Pushes may come while
	// mend still looks for what a crash left; the hooks tell the two apart.
	groups = append(groups, append([]service{
		{"builder", d.builder.Run},
		{"git", func(ctx context.Context) error { return d.git.Serve(ctx, d.sshListener) }},
		{"mend", d.mend},
		{"admin", d.watchAdmin},
		{"retention", func(ctx context.Context) error { return d.retention.Run(ctx, d.config.Retention.Interval.Std()) }},
		{"audit", d.audit.run},
		{"audit pruning", d.pruneAudit},
		{"watchdog", d.watchdog},
		{"reload", d.reloadOnSignal},
		{"disk", d.disk.Run},
		{"upkeep", d.upkeep.run},
		{"git gc", d.pruneGit},
		{"gc", func(ctx context.Context) error {
			return d.registry.CollectEvery(ctx, d.config.Registry.GCInterval.Std(), d.config.Registry.Grace.Std())
		}},
	}, d.hookServices()...))
	return runGroups(ctx, groups...)
}

// lockData makes the data directory and this process its only daemon.
func (d *daemon) lockData(context.Context) error {
	if err := os.MkdirAll(d.config.Data, 0o700); err != nil {
		return dataFault(err)
	}
	// A directory that was there, such as a volume, may be readable for all, and what is
	// in it is private.
	if err := os.Chmod(d.config.Data, 0o700); err != nil { //nolint:gosec // a directory
		return dataFault(err)
	}
	absolute, err := filepath.Abs(d.config.Data) // children run elsewhere
	if err != nil {
		return err
	}
	d.config.Data = absolute
	now := d.config
	d.reloaded.Store(&now)
	lock, err := lockDirectory(d.config.Data)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("another fandoghd is running on %s; stop it, or use another --data", d.config.Data)
	}
	if err != nil {
		return dataFault(err)
	}
	d.onClose(lock.Close)
	return nil
}

// dataFault is an error of the data directory itself.
func dataFault(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("data directory: %w; run fandoghd as the owner of the directory, or change its owner", err)
	}
	return fmt.Errorf("data directory: %w", err)
}

// lockDirectory makes this process the only one that changes a data directory as a daemon does,
// until the file is closed. Errors: unix.EWOULDBLOCK.
func lockDirectory(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

// lostDatabase says that a data directory has images and no catalog of them, which a new one would take for what nothing needs.
func lostDatabase(data string) error {
	info, err := os.Stat(databasePath(data))
	if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // others tell what is wrong with it
	}
	if err := interruptedRestore(data); err != nil {
		return err
	}
	for _, dir := range []string{"repos", filepath.Join("registry", "docker", "registry", "v2", "repositories")} {
		namespaces, err := os.ReadDir(filepath.Join(data, dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for _, n := range namespaces {
			if strings.HasPrefix(n.Name(), ".") {
				continue
			}
			if images, err := os.ReadDir(filepath.Join(data, dir, n.Name())); err != nil || len(images) > 0 {
				return errors.Join(err, fmt.Errorf("%s is missing or empty, and there are images without it; put it back, or restore a backup with `fandoghd admin restore`", databasePath(data)))
			}
		}
	}
	return nil
}

// passLogs has builds begin logs of their own where the database is an earlier copy, which knows nothing of later ones.
func (d *daemon) passLogs(ctx context.Context) error {
	logs, err := os.ReadDir(d.config.DataPath("logs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	last, lastErr := d.store.LastBuildID(ctx)
	if err = errors.Join(err, lastErr); err != nil {
		return err
	}
	highest := last
	for _, log := range logs {
		highest = max(highest, builder.LogID(log.Name()))
	}
	if highest == last {
		return nil
	}
	d.log.Warn("the database is older than logs of builds that are there, as an earlier copy of it is; what users did since is not in it", "last_build", last, "last_log", highest)
	return d.store.SkipIDs(ctx, highest-last)
}

func (d *daemon) openStore(ctx context.Context) error {
	if err := lostDatabase(d.config.Data); err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, databasePath(d.config.Data))
	if err != nil {
		return err
	}
	d.store = store
	if err := d.passLogs(ctx); err != nil {
		return errors.Join(err, store.Close())
	}
	if d.config.Metrics.Enabled {
		d.metrics = metrics.New(version.String(), d.log.Named("metrics"))
	}
	d.measured = d.metrics.Store(store)
	store.SetLimits(storeLimits(d.config))
	d.onClose(store.Close)
	d.audit.keep = store.KeepAudit
	d.onClose(func() error { return d.audit.flush(context.Background()) })
	d.accounts = account.New(account.Config{Users: store})
	file := d.config.DataPath("initial-admin-password")
	created, err := firstAdmin(ctx, store, d.accounts, file)
	if created {
		d.log.Warn("created the first administrator, admin; change the password with `fandoghd admin --data "+d.config.Data+" user passwd admin`", "password_file", file)
	}
	return err
}

func storeLimits(c config.Config) catalog.Limits {
	u := c.Users
	return catalog.Limits{Tokens: u.MaxTokens, Keys: u.MaxKeys, Namespaces: u.MaxNamespaces, Images: u.MaxImages, Webhooks: u.MaxWebhooks, Secrets: u.MaxSecrets,
		Running: c.Builder.Limits.Namespace.Running, Waiting: c.Builder.Limits.Namespace.Waiting, Quota: quotaOf(c.Quota)}
}

func (d *daemon) listen(ctx context.Context) error {
	c := d.config
	var listen net.ListenConfig
	var err error
	if d.httpListener, err = listen.Listen(ctx, "tcp", c.HTTP.Addr); err != nil {
		return fmt.Errorf("http.addr: %w; is another program using it?", err)
	}
	d.onClose(closeListener(d.httpListener))
	d.httpListener = &limitedListener{
		Listener: d.httpListener, idle: c.HTTP.IdleTimeout.Std(), log: d.log.Named("http"),
		limits: &connlimit.Limits{Max: c.HTTP.MaxConnections, PerNetwork: c.HTTP.MaxConnectionsPerAddress, Many: slices.Concat(loopback, c.HTTP.Proxies())},
	}
	if d.sshListener, err = listen.Listen(ctx, "tcp", c.SSH.Addr); err != nil {
		return fmt.Errorf("ssh.addr: %w; is another program using it?", err)
	}
	d.onClose(closeListener(d.sshListener))
	a := addresses{HTTP: reachable(d.httpListener.Addr()), SSH: reachable(d.sshListener.Addr()), PublicURL: c.HTTP.PublicURL, PublicSSH: c.SSH.PublicAddr, Grace: c.Registry.Grace.Std(), Quota: quotaOf(c.Quota)}
	if a.PublicURL == "" {
		a.PublicURL = publicURL(c.HTTP.TLS, a.HTTP)
	}
	if a.PublicSSH == "" {
		a.PublicSSH = a.SSH
	}
	d.addresses = a
	if len(c.Builder.Addresses) == 0 {
		if d.registryListener, err = listen.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
			return err
		}
		d.onClose(closeListener(d.registryListener))
	}
	if c.Metrics.Addr != "" {
		if d.metricsListener, err = listen.Listen(ctx, "tcp", c.Metrics.Addr); err != nil {
			return fmt.Errorf("metrics.addr: %w; is another program using it?", err)
		}
		d.onClose(closeListener(d.metricsListener))
		d.addresses.Metrics = reachable(d.metricsListener.Addr())
	}
	if c.HTTP.TLS.Enabled() {
		return d.speakTLS()
	}
	return nil
}

// speakTLS wraps the HTTP listener.
func (d *daemon) speakTLS() error {
	if len(d.config.HTTP.TLS.ACMEHosts) > 0 {
		d.httpListener = tls.NewListener(d.httpListener, acmeConfig(d.config.HTTP.TLS, d.config.DataPath("acme")))
		return nil
	}
	d.certificate = &certificateFiles{log: d.log.Named("http")}
	if err := d.certificate.use(d.config.HTTP.TLS.Cert, d.config.HTTP.TLS.Key); err != nil {
		return fmt.Errorf("http.tls: %w", err)
	}
	d.httpListener = tls.NewListener(d.httpListener, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: d.certificate.get, NextProtos: []string{"h2", "http/1.1"}})
	return nil
}

// closeListener closes one that its server may have closed already.
func closeListener(l net.Listener) func() error {
	return func() error {
		if err := l.Close(); !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	}
}

// workerID names this process in leases.
func workerID() string { return fmt.Sprintf("%d-%s", os.Getpid(), rand.Text()[:8]) }

package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/account"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/gitserver"
	"github.com/fandoghpaas/fandogh/hooks"
	"github.com/fandoghpaas/fandogh/hooks/github"
	"github.com/fandoghpaas/fandogh/hooks/notify"
)

// daemon is every part of a running fandoghd. open makes it, run works, close
// gives everything back in the reverse order.
type daemon struct {
	config    config.Config
	log       hclog.Logger
	tracer    trace.Tracer
	addresses addresses

	registryHost  string // host:port of the registry as BuildKit reaches it
	registryPlain bool   // by plain HTTP

	httpListener, sshListener net.Listener
	registryListener          net.Listener // plain, for our own BuildKit; nil unless HTTP speaks TLS

	store    *sqlite.Store
	accounts *account.Service
	repos    *gitserver.Repositories
	registry *registry.Registry
	solver   *buildkit.Solver
	managed  *buildkit.Manager // nil when BuildKits were given
	builder  *builder.Builder
	hooks    *hooks.Hooks
	uploads  *hooks.Uploads
	git      *gitserver.Server
	rest     *rest.Server
	github   *github.Service
	webhooks *notify.Service

	closers []func() error
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, c config.Config, log hclog.Logger, stdout io.Writer) (err error) {
	d := &daemon{config: c, log: log}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(ctx); err != nil {
		return err
	}
	if err := d.addresses.write(c.Data); err != nil {
		return err
	}
	d.onClose(func() error { return os.Remove(c.DataPath(addressesFile)) })
	fmt.Fprintf(stdout, "fandoghd http=%s ssh=%s\n", d.addresses.HTTP, d.addresses.SSH)
	log.Info("ready for pushes", "try", d.sshHint())
	return d.run(ctx)
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
		d.lockData, d.openTracer, d.openStore, d.listen, d.openStorage, d.openBuilder, d.openGitHub, d.openFaces,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lockData makes the data directory and this process its only daemon.
func (d *daemon) lockData(context.Context) error {
	if err := os.MkdirAll(d.config.Data, 0o700); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	absolute, err := filepath.Abs(d.config.Data) // children run elsewhere
	if err != nil {
		return err
	}
	d.config.Data = absolute
	lock, err := os.OpenFile(d.config.DataPath("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	d.onClose(lock.Close)
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("another fandoghd runs on %s; stop it, or use another --data", d.config.Data)
	}
	return nil
}

func (d *daemon) openStore(ctx context.Context) error {
	store, err := sqlite.Open(ctx, databasePath(d.config.Data))
	if err != nil {
		return err
	}
	d.store = store
	d.onClose(store.Close)
	d.accounts = account.New(account.Config{Users: store})
	file := d.config.DataPath("initial-admin-password")
	created, err := firstAdmin(ctx, store, d.accounts, file)
	if created {
		d.log.Warn("made the first administrator, admin; change the password with `fandoghd admin user passwd admin`", "password_file", file)
	}
	return err
}

func (d *daemon) listen(ctx context.Context) error {
	c := d.config
	var listen net.ListenConfig
	var err error
	if d.httpListener, err = listen.Listen(ctx, "tcp", c.HTTP.Addr); err != nil {
		return fmt.Errorf("http.addr: %w; is another program using it?", err)
	}
	d.onClose(closeListener(d.httpListener))
	if d.sshListener, err = listen.Listen(ctx, "tcp", c.SSH.Addr); err != nil {
		return fmt.Errorf("ssh.addr: %w; is another program using it?", err)
	}
	d.onClose(closeListener(d.sshListener))
	a := addresses{HTTP: reachable(d.httpListener.Addr()), SSH: reachable(d.sshListener.Addr()), PublicURL: c.HTTP.PublicURL, PublicSSH: c.SSH.PublicAddr}
	if a.PublicURL == "" {
		a.PublicURL = "http://" + a.HTTP
		if c.HTTP.TLS.Enabled() {
			a.PublicURL = "https://" + a.HTTP
		}
	}
	if a.PublicSSH == "" {
		a.PublicSSH = a.SSH
	}
	d.addresses = a
	if c.HTTP.TLS.Enabled() {
		return d.speakTLS(ctx)
	}
	return nil
}

// speakTLS wraps the HTTP listener, and opens a plain one on loopback for our own
// BuildKit, which would not trust just any certificate.
func (d *daemon) speakTLS(ctx context.Context) error {
	c, err := tlsConfig(d.config.HTTP.TLS, d.config.DataPath("acme"))
	if err != nil {
		return fmt.Errorf("http.tls: %w", err)
	}
	d.httpListener = tls.NewListener(d.httpListener, c)
	var listen net.ListenConfig
	if d.registryListener, err = listen.Listen(ctx, "tcp", "127.0.0.1:0"); err != nil {
		return err
	}
	d.onClose(closeListener(d.registryListener))
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

// sshHint is the command by which a user reaches the git server.
func (d *daemon) sshHint() string {
	host, port, err := net.SplitHostPort(d.addresses.PublicSSH)
	if err != nil || port == "22" {
		return "ssh git@" + host
	}
	return "ssh -p " + port + " git@" + host
}

// owner names this process in leases.
func owner() string { return fmt.Sprintf("%d-%s", os.Getpid(), rand.Text()[:8]) }

// grants lets the builder ask the registry for credentials.
type grants struct{ registry *registry.Grants }

func (g grants) Issue(grant catalog.BuildGrant) (builder.Credential, func()) {
	user, password, revoke := g.registry.Issue(grant)
	return builder.Credential{Username: user, Password: password}, revoke
}

// serveHTTP serves REST and registry until ctx ends.
func (d *daemon) serveHTTP(ctx context.Context) error {
	stop := context.AfterFunc(ctx, d.rest.EndStreams)
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("/v2/", d.registry)
	mux.Handle(webhookPath, d.github)
	mux.Handle("/", d.rest)
	return d.serveOn(ctx, d.httpListener, behindProxies(d.config.HTTP.Proxies(), mux))
}

// serveRegistry serves our own BuildKit while HTTP speaks TLS.
func (d *daemon) serveRegistry(ctx context.Context) error {
	return d.serveOn(ctx, d.registryListener, d.registry)
}

// serveOn serves until ctx ends, then lets requests finish within the grace.
func (d *daemon) serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: d.log.Named("http").StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), d.config.Shutdown.Std())
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		d.log.Warn("broke off requests that outlasted shutdown_grace")
		return server.Close()
	}
	return err
}

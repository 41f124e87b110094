package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/builder/mirror"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

// serveHTTP serves pages, REST, registry and Git LFS until ctx ends.
func (d *daemon) serveHTTP(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { d.rest.EndStreams(); d.web.EndStreams() })
	defer stop()
	mux := http.NewServeMux()
	mux.Handle("/v2/", d.metrics.HTTP("registry", registry.RouteName, d.registry))
	mux.Handle(webhookPath, d.metrics.HTTP("github", nil, d.github))
	mux.Handle("/", d.metrics.HTTP("rest", d.rest.RouteName, d.rest))
	pages := d.metrics.HTTP("web", d.web.RouteName, d.web)
	files := d.metrics.HTTP("lfs", nil, d.lfs)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if lfs.Serves(r.URL.Path) { // below a namespace, which may have any name
			files.ServeHTTP(w, r)
			return
		}
		if d.web.Serves(r) || d.isForNobody(r) && web.WantsPage(r) {
			pages.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return d.serveOn(ctx, d.httpListener, paced(d.config.HTTP.IdleTimeout.Std(), behindProxies(d.config.HTTP.Proxies(), all)))
}

// isForNobody reports whether nothing serves a path, and no program looks for its answer there.
func (d *daemon) isForNobody(r *http.Request) bool {
	for _, prefix := range []string{"/api/", "/fa/api/", "/v2/", webhookPath} {
		if strings.HasPrefix(r.URL.Path+"/", prefix) {
			return false
		}
	}
	return d.rest.RouteName(r) == "none"
}

// serveRegistry serves our own BuildKit, for which it is also a mirror of other registries.
func (d *daemon) serveRegistry(ctx context.Context) error {
	kept := d.metrics.HTTP("mirror", nil, d.mirror)
	own := d.metrics.HTTP("builds", registry.RouteName, d.registry)
	return d.serveOn(ctx, d.registryListener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if d.mirror.Serves(mirror.RegistryOf(r)) {
			kept.ServeHTTP(w, r)
			return
		}
		own.ServeHTTP(w, r)
	}))
}

// serveOn serves until ctx ends, then lets requests finish within the grace.
func (d *daemon) serveOn(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: maxHeader,
		ConnContext: withConn, ConnState: noteState,
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
		d.log.Warn("closed requests that were still running after shutdown_grace")
		return server.Close()
	}
	return err
}

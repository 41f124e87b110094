package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/gitserver"
	"github.com/fandoghpaas/fandogh/hooks"
)

func (d *daemon) openStorage(context.Context) error {
	var err error
	if d.repos, err = gitserver.OpenRepositories(d.config.DataPath("repos"), d.log.Named("git")); err != nil {
		return err
	}
	d.registry, err = registry.New(registry.Config{
		Dir: d.config.DataPath("registry"), Store: d.store, Auth: d.accounts, Logger: d.log.Named("registry"),
	})
	if err != nil {
		return err
	}
	d.onClose(d.registry.Close)
	return nil
}

func (d *daemon) openBuilder(context.Context) error {
	if err := d.openBuildKit(); err != nil {
		return err
	}
	var err error
	d.builder, err = builder.New(builder.Config{
		Store: d.store, Sources: d.repos, Solver: d.solver,
		Credentials:    grants{&d.registry.Grants},
		RegistryHost:   func() string { return d.registryHost },
		PublicRegistry: d.addresses.publicHost,
		LogDir:         d.config.DataPath("logs"),
		Owner:          owner(),
		Parallel:       parallelBuilds(d.config.Builder.Parallel, usableMemory),
		Timeout:        d.config.Builder.Timeout.Std(),
		Tracer:         d.tracer,
		Logger:         d.log.Named("builder"),
	})
	if err != nil {
		return err
	}
	d.hooks = hooks.New(hooks.Config{
		Store: d.store, Submitter: d.builder, Logs: d.builder, Control: d.builder, Sources: d.repos,
		SSHAddress:     func() string { return d.addresses.PublicSSH },
		PublicRegistry: d.addresses.publicHost,
		Logger:         d.log.Named("hooks"),
	})
	return nil
}

// openBuildKit reaches the BuildKits that were given, or prepares our own. Our
// own reaches the registry on this machine; those given may be elsewhere and use the
// address that users have.
func (d *daemon) openBuildKit() error {
	c := d.config.Builder
	given := func() []string { return c.Addresses }
	var diskFull func() bool
	d.registryHost, d.registryPlain = d.addresses.publicHost(), strings.HasPrefix(d.addresses.PublicURL, "http://")
	var disk *buildkit.Disk
	if len(c.Addresses) == 0 {
		disk = &buildkit.Disk{Dir: d.config.Data, Free: int64(c.Limits.FreeDisk)}
		if disk.Free == 0 {
			disk.Free = buildkit.UsualFree(disk.Dir)
		}
		d.registryHost, d.registryPlain = d.addresses.HTTP, true
		if d.registryListener != nil {
			d.registryHost = d.registryListener.Addr().String()
		}
		var err error
		d.managed, err = buildkit.NewManager(buildkit.ManagerConfig{
			Dir: d.config.DataPath("buildkit"), Binary: c.Managed.Buildkitd, CNIBinDir: c.Managed.CNIDir, Subnet: c.Managed.Subnet,
			RegistryHost: d.registryHost, RegistryAliases: []string{d.addresses.publicHost()}, PlainHTTP: d.registryPlain,
			KeepBytes: int64(c.Managed.KeepCache), Disk: disk, Frontends: c.Frontends,
			Limits:     buildkit.Limits{Memory: stepsMemory(c.Limits.Memory, usableMemory), PIDs: int64(c.Limits.PIDs), CPUs: c.Limits.CPUs},
			StepLimits: buildkit.Limits{Memory: int64(c.Limits.Step.Memory), PIDs: int64(c.Limits.Step.PIDs), CPUs: c.Limits.Step.CPUs},
			Logger:     d.log.Named("buildkitd"),
		})
		if err != nil {
			return fmt.Errorf("%w; or name a running BuildKit in builder.addresses", err)
		}
		given, diskFull = func() []string { return []string{d.managed.Address()} }, d.managed.DiskFull
	}
	var err error
	d.solver, err = buildkit.New(buildkit.Config{
		Addresses: given, TLS: buildkit.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key},
		RegistryHost: d.registryHost, RegistryAliases: []string{d.addresses.publicHost()}, PlainHTTP: d.registryPlain,
		Disk: disk, Compression: c.Compression, Frontends: c.Frontends, TimesDir: d.config.DataPath("times"), DiskFull: diskFull, Logger: d.log.Named("buildkit"),
	})
	if err != nil {
		return err
	}
	d.onClose(d.solver.Close)
	return nil
}

// openFaces makes what users talk to.
func (d *daemon) openFaces(context.Context) error {
	var err error
	c := d.config.SSH
	d.git, err = gitserver.New(gitserver.Config{
		Store: d.store, Repositories: d.repos, Receiver: d.hooks, Logs: d.builder, Control: d.builder, GitHub: d.github,
		HostKeyFile:  d.config.DataPath("ssh_host_ed25519_key"),
		Address:      d.addresses.PublicSSH,
		MaxPackBytes: int64(c.MaxPack), MaxObjectBytes: int64(c.MaxObject), MaxObjects: int64(c.MaxObjects),
		HandshakeTimeout: c.HandshakeTimeout.Std(), IdleTimeout: c.IdleTimeout.Std(), TotalTimeout: c.TotalTimeout.Std(),
		MaxConnections: c.MaxConnections, MaxConnectionsPerAddress: c.MaxConnectionsPerAddress,
		ShutdownGrace: d.config.Shutdown.Std(),
		Tracer:        d.tracer,
		Logger:        d.log.Named("git"),
	})
	if err != nil {
		return err
	}
	u := d.config.Uploads
	d.uploads, err = hooks.NewUploads(d.hooks, hooks.UploadConfig{
		Writer: d.repos, SpoolDir: d.config.DataPath("uploads"),
		Limits: hooks.UploadLimits{Bytes: int64(u.MaxArchive), Unpacked: int64(u.MaxUnpacked), Entries: u.MaxEntries},
	})
	if err != nil {
		return err
	}
	d.rest, err = rest.New(rest.Config{
		Uploads: d.uploads,
		Store:   d.store, Auth: d.accounts, Accounts: d.accounts, Logs: d.builder, Control: d.builder,
		Contents: d.registry, Remover: remover{d}, GitHub: d.github, Webhooks: d.webhooks,
		RegistryHost: d.addresses.publicHost(), GitURL: "ssh://git@" + d.addresses.PublicSSH,
		Checks: []rest.Check{
			{Name: "database", Ping: d.store.Ping},
			{Name: "registry", Ping: d.registry.Ping},
			{Name: "buildkit", Ping: d.solver.Ping},
		},
		Logger: d.log.Named("rest"),
	})
	return err
}

// run starts all parts. They stop from the last stage to the first: no new
// work and running builds handed back, then BuildKit, then the registry that
// builds push to.
func (d *daemon) run(ctx context.Context) error {
	stages := [][]part{{{"http", d.serveHTTP}}}
	if d.registryListener != nil {
		stages[0] = append(stages[0], part{"registry", d.serveRegistry})
	}
	if d.managed != nil {
		stages = append(stages, []part{{"buildkitd", d.managed.Run}})
	}
	stages = append(stages, append([]part{
		{"builder", d.builder.Run},
		{"git", func(ctx context.Context) error { return d.git.Serve(ctx, d.sshListener) }},
		{"reconcile", d.reconcile},
		{"collect", func(ctx context.Context) error {
			return d.registry.CollectEvery(ctx, d.config.Registry.CollectEvery.Std(), d.config.Registry.Grace.Std())
		}},
	}, d.hookParts()...))
	return runStages(ctx, stages...)
}

// reconcile mends what a crash left. A repository it can't mend is a warning:
// the others must be served.
func (d *daemon) reconcile(ctx context.Context) error {
	if err := d.hooks.Reconcile(ctx); err != nil && ctx.Err() == nil {
		d.log.Warn("some tags and versions could not be made to agree", "error", err)
	}
	<-ctx.Done()
	return nil
}

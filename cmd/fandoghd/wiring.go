package main

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit"
	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/builder/mirror"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/catalog/rest"
	"github.com/fandoghpaas/fandogh/catalog/retention"
	"github.com/fandoghpaas/fandogh/catalog/web"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/gitserver"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/hooks/secrets"
	"github.com/fandoghpaas/fandogh/hooks/submodules"
	"github.com/fandoghpaas/fandogh/internal/backup"
	"github.com/fandoghpaas/fandogh/internal/imagefiles"
	"github.com/fandoghpaas/fandogh/internal/version"
)

// secretsKey is the file of the key that secrets are sealed with.
const secretsKey = "secrets.key"

func (d *daemon) openStorage(ctx context.Context) error {
	var err error
	if d.repos, err = repository.Open(d.config.DataPath("repos"), objects.NewBudget(), d.log.Named("git")); err != nil {
		return err
	}
	d.repos.AskBeforeRemoving(removing(d.config.Data))
	d.repos.AskBeforeMaking(func(ref catalog.ImageRef) error {
		_, err := d.store.Image(context.Background(), ref)
		return err
	})
	d.repos.AskForNeeded(func(ctx context.Context, ref catalog.ImageRef) ([]string, error) {
		image, err := d.store.Image(ctx, ref)
		if err != nil {
			return nil, err
		}
		return d.store.SourceObjects(ctx, image.ID)
	})
	if d.keyring, err = secrets.OpenBeside(ctx, d.store, d.config.DataPath(secretsKey)); err != nil {
		return err
	}
	d.secrets, err = secrets.New(ctx, secrets.Config{Store: d.store, Keyring: d.keyring, Helpers: d.config.Builder.CredentialHelpers, Logger: d.log.Named("secrets")})
	if err != nil {
		return fmt.Errorf("builder.credential_helpers: %w", err)
	}
	d.quota = quota.New(quota.Config{
		Store: d.store, Git: d.repos.Used, Log: logSizes(d.config.Data), Quota: func() catalog.Quota { return quotaOf(d.reloaded.Load().Quota) }, Room: d.disk.Err,
		Contents: func(ctx context.Context, image catalog.Image, v catalog.Version) (map[string]int64, error) {
			return d.registry.Contents(ctx, image, v) // which is made with this
		},
		Tagged: func(ctx context.Context, image catalog.Image) (map[string]int64, error) {
			return d.registry.Tagged(ctx, image)
		},
	})
	uploads, err := d.keyring.Derive("fandogh registry uploads")
	if err != nil {
		return err
	}
	d.registry, err = registry.New(registry.Config{
		Dir: d.config.DataPath("registry"), Store: d.store, Auth: ownedBy{d.accounts}, Secret: uploads, CacheTags: d.config.Registry.CacheTags,
		Admission: d.quota, Removing: removing(d.config.Data), Logger: d.log.Named("registry"),
	})
	if err != nil {
		return err
	}
	d.onClose(d.registry.Close)
	return d.openLFS()
}

// quotaOf is the setting as the catalog has it.
func quotaOf(c config.Quota) catalog.Quota {
	return catalog.Quota{Bytes: int64(c.Bytes), Images: c.Images, Versions: c.Versions, Builds: c.Builds}
}

// removing asks whether something of a data directory may be removed now.
func removing(data string) func() (done func(), err error) {
	return func() (func(), error) { return backup.Removing(data) }
}

// openLFS makes what keeps the files behind Git LFS pointers, and gives it to those who read trees.
func (d *daemon) openLFS() error {
	secret, err := d.keyring.Derive("fandogh git lfs tokens")
	if err != nil {
		return err
	}
	d.lfs = lfs.New(lfs.Config{
		Store: d.store, Contents: d.registry, Auth: ownedBy{d.accounts}, LoggedIn: ownConn, Secret: secret,
		Trusts: func(authority string) (bool, error) { return gitserver.Trusts(d.config.SSH.TrustedUserCA, authority) },
		URL:    func() string { return d.addresses.PublicURL }, EnsureRepository: d.repos.Ensure, MaxObjectBytes: int64(d.config.SSH.MaxLFSObject), Admission: d.quota, Logger: d.log.Named("lfs"),
	})
	d.repos.LargeFiles = d.lfs
	return nil
}

func (d *daemon) openBuilder(context.Context) error {
	if err := d.openBuildKit(); err != nil {
		return err
	}
	var err error
	d.builder, err = builder.New(builder.Config{
		Store: d.measured, Sources: d.repos, Solver: d.solver,
		Credentials:    grants{&d.registry.Grants},
		Secrets:        d.secrets,
		Tags:           d.accounts,
		Differences:    d.repos,
		RegistryHost:   func() string { return d.registryHost },
		PublicRegistry: d.addresses.publicHost,
		Submodules:     d.submodules(),
		Labels:         labelList(d.config.Builder.Labels),
		LogDir:         d.config.DataPath("logs"),
		WorkerID:       workerID(),
		Settings:       builderSettings(d.config.Builder),
		Room:           d.disk.Err,
		Tracer:         d.tracer,
		Logger:         d.log.Named("builder"),
	})
	return err
}

func builderSettings(c config.Builder) builder.Settings {
	return builder.Settings{
		Parallel: parallelBuilds(c.Parallel, usableMemory), Spare: c.Spare, Timeout: c.Timeout.Std(), Ceiling: ceiling(c), Limits: buildLimits(c.Limits.Build),
	}
}

// submodules finds submodules for builds, where these reach.
func (d *daemon) submodules() *submodules.Finder {
	limits := d.config.SSH
	c := submodules.Config{
		Tokens:       tokens{d},
		SSHAddress:   func() string { return d.addresses.PublicSSH },
		MaxPackBytes: int64(limits.MaxPack), MaxObjectBytes: int64(limits.MaxObject), MaxObjects: int64(limits.MaxObjects),
	}
	if d.managed != nil {
		c.Allow = func(a netip.AddrPort) bool { return !d.managed.Refuses(a) }
	}
	return submodules.New(c)
}

// tokens are those of the connections, which are made after the builder.
type tokens struct{ daemon *daemon }

func (t tokens) Credentials(ctx context.Context, build catalog.Build, u *url.URL) (*catalog.Remote, error) {
	return t.daemon.github.Credentials(ctx, build, u)
}

// labelList is a setting as BuildOptions.Labels has it.
func labelList(names []string) string {
	return cmp.Or(strings.Join(names, ","), catalog.LabelsNone)
}

// grants lets the builder ask the registry for credentials.
type grants struct{ registry *registry.Grants }

func (g grants) Issue(grant catalog.BuildGrant) (builder.Credential, func()) {
	user, password, revoke := g.registry.Issue(grant)
	return builder.Credential{Username: user, Password: password}, revoke
}

// openBuildKit reaches the BuildKits that were given, or prepares our own. Our
// own reaches the registry on this machine; those given may be elsewhere and use the
// address that users have.
func (d *daemon) openBuildKit() error {
	c := d.config.Builder
	given := func() []string { return c.Addresses }
	var refuses func(netip.AddrPort) bool
	d.registryHost, d.registryPlain = d.addresses.publicHost(), strings.HasPrefix(d.addresses.PublicURL, "http://")
	var disk *buildkitd.Disk
	if len(c.Addresses) == 0 {
		disk = &buildkitd.Disk{Dir: d.config.Data, Free: int64(c.Limits.FreeDisk), CacheFree: d.cacheFree()}
		if disk.Free == 0 {
			disk.Free = buildkitd.UsualFree(disk.Dir)
		}
		d.registryHost, d.registryPlain = d.registryListener.Addr().String(), true
		mirroring := mirror.Config{
			Dir: d.config.DataPath("mirror"), Registries: c.PullThrough.Registries, Mirrors: c.Mirrors, MaxBytes: int64(c.PullThrough.MaxSize), LeaveFree: disk.LeaveFree(), Recheck: c.PullThrough.Recheck.Std(),
			Authorize: d.registry.Grants.Namespace, Logger: d.log.Named("mirror"),
		}
		var err error
		d.managed, err = buildkitd.New(buildkitd.Config{
			Dir: d.config.DataPath("buildkit"), Binary: c.Managed.Buildkitd, CNIBinDir: c.Managed.CNIDir, Subnet: c.Managed.Subnet, Allow: c.Network.Allow,
			RegistryHost: d.registryHost, RegistryAliases: []string{d.addresses.publicHost()}, PlainHTTP: d.registryPlain, Mirrored: mirror.Mirrored(mirroring),
			KeepBytes: int64(c.Managed.KeepCache), KeepRecords: c.Managed.KeepRecords, Disk: disk, Frontends: c.Frontends,
			Limits:     buildkitd.Limits{Memory: stepsMemory(c.Limits.Memory, usableMemory), PIDs: int64(c.Limits.PIDs), CPUs: c.Limits.CPUs},
			StepLimits: buildkitd.Limits{Memory: int64(c.Limits.Step.Memory), PIDs: int64(c.Limits.Step.PIDs), CPUs: c.Limits.Step.CPUs},
			Output:     int64(c.Limits.Log),
			Logger:     d.log.Named("buildkitd"),
		})
		if err != nil {
			return fmt.Errorf("%w; or set builder.addresses to a running BuildKit", err)
		}
		d.addresses.BuildKit = d.managed.Address()
		given = func() []string { return []string{d.managed.Address()} }
		refuses = d.managed.Refuses
		mirroring.Refuses = refuses
		if d.mirror, err = mirror.New(mirroring); err != nil {
			return fmt.Errorf("open what is kept of other registries: %w", err)
		}
	}
	var limiter builder.StepLimiter
	if d.managed != nil {
		limiter = d.managed
	} else {
		d.log.Warn("given BuildKits bound memory and processors of each step by itself, from BuildKit v0.31 on; processes and disk of a build, and what all its steps use together, they can't", "without", "pids, disk")
	}
	var mirrored buildkit.Mirror
	if d.mirror != nil {
		mirrored = d.mirror
	}
	var err error
	d.solver, err = buildkit.New(buildkit.Config{
		Addresses: given, TLS: buildkit.TLS{CA: c.TLS.CA, Cert: c.TLS.Cert, Key: c.TLS.Key},
		RegistryHost: d.registryHost, RegistryAliases: []string{d.addresses.publicHost()}, PlainHTTP: d.registryPlain,
		Disk: disk, Limiter: limiter, LogLimit: int64(c.Limits.Log), Compression: c.Compression, Frontends: c.Frontends, Accounts: d.secrets, Mirror: mirrored, Refuses: refuses, TimesDir: d.config.DataPath("times"), Version: version.String(), Logger: d.log.Named("buildkit"),
	})
	if err != nil {
		return err
	}
	d.onClose(d.solver.Close)
	return nil
}

// checks are what a push needs.
func (d *daemon) checks() []rest.Check {
	return []rest.Check{
		{Name: "database", Ping: d.store.Ping},
		{Name: "registry", Ping: d.registry.Ping},
		{Name: "buildkit", Ping: d.solver.Ping},
		{Name: "disk", Ping: d.pingDisk},
	}
}

// openRetention makes what removes versions and logs that no rule keeps.
func (d *daemon) openRetention() {
	d.remover = &remover{daemon: d}
	d.retention = retention.New(retention.Config{
		Store: d.store, Images: d.registry, Branches: d.repos, Logs: d.builder, Remove: d.remover.Remove, Removing: removing(d.config.Data),
		Settings: retentionSettings(d.config),
		Removed:  d.metrics.Retained,
		Logger:   d.log.Named("retention"),
	})
}

func retentionSettings(c config.Config) retention.Settings {
	r := c.Retention
	rule := func(r config.RetentionRule) catalog.RetentionRule {
		return catalog.RetentionRule{KeepLast: r.KeepLast, KeepDays: r.KeepDays, Keep: strings.Join(r.Keep, " ")}
	}
	return retention.Settings{
		Rules:     map[catalog.RetentionKind]catalog.RetentionRule{catalog.RetainVersions: rule(r.Versions), catalog.RetainBranches: rule(r.Branches)},
		Lifetimes: retention.Lifetimes{Failed: r.FailedDays, Logs: r.LogDays, Events: r.EventDays},
		Recent:    c.Builder.Timeout.Std() + time.Hour,
	}
}

// openInterfaces makes what users talk to.
func (d *daemon) openInterfaces(context.Context) error {
	d.openRetention()
	var err error
	c := d.config.SSH
	d.git, err = gitserver.New(gitserver.Config{
		Store: d.store, Repositories: d.repos, LFS: d.lfs, Receiver: d.hooks, Admission: d.quota, Tags: d.accounts, Logs: d.builder, Control: d.builder,
		GitHub: d.github, Secrets: d.secrets, Retention: d.retention, Transfers: d.remover,
		HostKeyDir:   d.config.Data,
		Version:      version.String(),
		Address:      d.addresses.PublicSSH,
		MaxPackBytes: int64(c.MaxPack), MaxObjectBytes: int64(c.MaxObject), MaxObjects: int64(c.MaxObjects),
		HandshakeTimeout: c.HandshakeTimeout.Std(), IdleTimeout: c.IdleTimeout.Std(), TotalTimeout: c.TotalTimeout.Std(),
		MaxConnections: c.MaxConnections, MaxConnectionsPerAddress: c.MaxConnectionsPerAddress, MaxPerUser: c.MaxPerUser,
		TrustedUserCA: c.TrustedUserCA,
		ShutdownGrace: d.config.Shutdown.Std(),
		Pushed:        d.metrics.Pushed,
		Tracer:        d.tracer,
		Logger:        d.log.Named("git"),
	})
	if err != nil {
		return err
	}
	var mirrored catalog.Mirror
	if d.mirror != nil {
		mirrored = d.mirror
	}
	d.rest, err = rest.New(rest.Config{
		Uploads: d.uploads, Branches: d.repos,
		Store: d.store, Auth: ownedBy{d.accounts}, Accounts: d.accounts, Logs: d.builder, Control: d.builder,
		Contents: d.registry, Remover: d.remover, Transfers: d.remover, GitHub: d.github, Webhooks: d.webhooks, Secrets: d.secrets, Retention: d.retention, Usage: d.quota, Parts: func() map[string]int64 { return measureData(d.config.Data) }, Mirror: mirrored,
		Origins: d.repos, Keys: signingKeys(d.config.Data, d.config.Signing), SBOMs: d.signing, Comparisons: d.signing, Diagnoses: d.builder,
		NamespacesByAdmins: !d.config.Users.CreateNamespaces,
		RegistryHost:       d.addresses.publicHost(), GitURL: "ssh://git@" + d.addresses.PublicSSH,
		Checks:  d.checks(),
		Metrics: d.metrics.Handler(),
		Version: version.String(),
		Logger:  d.log.Named("rest"),
	})
	if err != nil {
		return err
	}
	d.files = imagefiles.New(imagefiles.Config{Images: d.registry, Logger: d.log.Named("files")})
	d.onClose(d.files.Close)
	d.sizes = &dataSizes{dir: d.config.Data}
	d.upkeep = newUpkeep(d)
	d.web, err = web.New(web.Config{
		Store: d.store, Auth: ownedBy{d.accounts}, Accounts: d.accounts, Logs: d.builder, Control: d.builder, Running: d.builder, Contents: d.registry,
		Diagnoses: d.builder, Files: d.files, Histories: d.repos,
		Webhooks: d.webhooks, GitHub: d.github, Retention: d.retention, Usage: d.quota, Remover: d.remover, Operator: d.upkeep,
		PublicURL: d.addresses.PublicURL, RegistryHost: d.addresses.publicHost(), GitURL: "ssh://git@" + d.addresses.PublicSSH,
		Logger: d.log.Named("web"),
	})
	return err
}

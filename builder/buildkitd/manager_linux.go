package buildkitd

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/worker/label"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/workers"
)

const (
	stopTimeout  = 3 * time.Second        // from SIGTERM, which waits for builds, to SIGKILL, which is safe
	firstBackoff = 250 * time.Millisecond // before a restart; doubles up to maxBackoff
	maxBackoff   = 10 * time.Second
	healthyAfter = time.Minute // a run this long starts the back-off over
)

// Config describes the buildkitd that a Manager runs.
type Config struct {
	Dir    string // holds root, configuration and, path length allowing, the socket
	Binary string // buildkitd; empty: beside this executable, else in PATH
	// CNIBinDir holds the network plugins; empty: where distributions put them.
	CNIBinDir string
	// Subnet is the IPv4 network of RUN steps, "10.88.7.0/24"; empty: a free one
	// derived from Dir.
	Subnet string
	// Allow are networks, addresses ("10.0.0.0/8", "10.1.2.3") and TCP services
	// ("10.1.2.3:5000") that builds may reach although they are not on the public Internet.
	// Of this machine they reach the services alone.
	Allow []string
	// RegistryHost is address:port of Fandogh's own registry, on loopback. What Dockerfiles
	// take from the RegistryAliases is fetched there. ADD reaches it too, so nothing
	// else may be served there.
	RegistryHost    string
	RegistryAliases []string
	PlainHTTP       bool     // RegistryHost does not speak TLS
	Mirrored        []string // other registries, of which RegistryHost is asked first, as a mirror
	MaxParallelism  int      // steps at once over all builds; 0: no limit
	KeepBytes       int64    // what the build cache may use; 0: BuildKit's own rule for the disk
	KeepRecords     int      // what the build cache may have of records, which buildkitd holds in memory; 0: any number
	Disk            *Disk    // whose Free the build cache leaves; nil: BuildKit's own rule
	Limits          Limits   // of all RUN steps together
	StepLimits      Limits   // of each RUN step
	Output          int64    // bytes of each RUN step's output that a log may keep; 0: builder.MaxOutput
	Frontends       []string // images that "# syntax=" may name besides Docker's own
	Logger          hclog.Logger
}

// Manager runs one buildkitd of its own as a child and keeps it running.
// Nothing of it outlives the manager: not the steps that run, not its mounts and,
// after an orderly stop, not its network.
type Manager struct {
	cfg     Config
	log     hclog.Logger
	id      string // of the data directory, in every name that is global to the machine
	tools   tools
	socket  string
	network *network
	proxies []string // variables for buildkitd
	cgroups cgroups

	timing timing
	bootID string // the file that tells; another one in tests

	suspicion suspicion  // of Run's goroutine
	dropping  sync.Mutex // held while a cache that was set aside is removed
	counting  sync.Mutex // held while the cache's records are counted, and removed

	mu    sync.Mutex
	ready chan struct{} // closed while buildkitd answers

	buildsMu   sync.Mutex
	builds     map[uint64]*buildGroup // by shares
	nextShares uint64
}

// timing is what tests make shorter.
type timing struct{ backoff, health, answer, records time.Duration }

// New checks that all there must be is there. An error names what to
// install or to set.
func New(cfg Config) (*Manager, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("buildkitd's directory: %w", err)
	}
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	found, err := findTools(cfg)
	if err != nil {
		return nil, err
	}
	id, err := directoryID(dir)
	if err != nil {
		return nil, err
	}
	allow, err := parseReach(cfg.Allow)
	if err != nil {
		return nil, err
	}
	if cfg.RegistryHost != "" {
		registry, err := netip.ParseAddrPort(cfg.RegistryHost)
		if err != nil || !registry.Addr().Is4() || !registry.Addr().IsLoopback() {
			return nil, fmt.Errorf("buildkitd: Config.RegistryHost %q must be an IPv4 loopback address and a port", cfg.RegistryHost)
		}
		allow.loopback = append(allow.loopback, registry)
	}
	net, err := newNetwork(id, cfg.Subnet, allow)
	if err != nil {
		return nil, err
	}
	proxies, relays := relayProxies(os.Environ())
	net.services = append(net.services, relays...)
	return &Manager{
		cfg: cfg, log: cfg.Logger, id: id, tools: found, network: net, proxies: proxies,
		socket: socketPath(dir, id), ready: make(chan struct{}), cgroups: findCgroups(id), builds: map[uint64]*buildGroup{},
		timing: timing{backoff: firstBackoff, health: healthInterval, answer: workers.Timeout, records: recordsInterval}, bootID: bootID,
	}, nil
}

// Address is where buildkitd listens, for the Solver's configuration. It never changes.
func (m *Manager) Address() string { return "unix://" + m.socket }

// Refuses reports whether builds are kept from an address, for the Solver's configuration.
func (m *Manager) Refuses(service netip.AddrPort) bool { return m.network.refuses(service) }

// Ready waits until buildkitd answers. It returns ctx's error when that comes first.
func (m *Manager) Ready(ctx context.Context) error {
	m.mu.Lock()
	ready := m.ready
	m.mu.Unlock()
	select {
	case <-ready:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run keeps a buildkitd running until ctx ends, then stops it and removes what it
// left on the machine. Whatever keeps buildkitd from running, it is tried again: the
// only error is that another daemon works in the directory.
func (m *Manager) Run(ctx context.Context) error {
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	watchCtx, stopWatch := context.WithCancel(ctx)
	var watches sync.WaitGroup
	defer func() {
		stopWatch()
		watches.Wait()
		m.trustCache()
		m.cleanUp()
	}()
	m.suspicion = suspicion{}
	backoff, prepared := m.timing.backoff, false
	for {
		started := time.Now()
		ready := false
		if !prepared {
			if err = m.prepare(); err == nil {
				prepared = true
				watches.Go(func() { m.network.watch(watchCtx, m.log) })
				watches.Go(func() { m.watchDisk(watchCtx) })
			}
		}
		if prepared {
			ready, err = m.runOnce(ctx)
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(started) > healthyAfter {
			backoff = m.timing.backoff
		}
		level := hclog.Warn
		if !ready {
			level = hclog.Error
		}
		m.log.Log(level, "buildkitd is not running; builds wait until it is", "error", err, "restart_in", backoff)
		if prepared {
			m.checkCache(ready, err)
		}
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return nil
		}
		backoff = min(2*backoff, maxBackoff)
		m.sweep()
	}
}

// prepare writes the configuration and makes the network, over whatever a
// killed predecessor left.
func (m *Manager) prepare() error {
	if err := os.MkdirAll(m.cfg.Dir, 0o700); err != nil {
		return fmt.Errorf("buildkitd's directory: %w", err)
	}
	removeOrphans(m.log)
	m.sweep()
	if err := m.doubtCache(); err != nil {
		return fmt.Errorf("check the build cache after the last run: %w", err)
	}
	if err := m.network.up(); err != nil {
		return fmt.Errorf("set up the network of builds: %w", err)
	}
	m.limitSteps()
	return m.writeConfig()
}

// runOnce runs one buildkitd to its end and reports whether it was ever ready.
func (m *Manager) runOnce(ctx context.Context) (ready bool, err error) {
	began := time.Now()
	m.cgroups.create(m.cfg.Limits, m.cfg.StepLimits) // sweep may have removed them
	c, err := startChild(m.network.device, m.tools.buildkitd, []string{"--config", m.configPath()}, m.variables(), m.stepsInMemory()+m.cgroups.enter(), m.log)
	if err != nil {
		return false, err
	}
	defer m.setReady(false)
	if why := m.awaitReady(ctx, c); why != "" {
		return false, c.end(why)
	}
	if ready = !c.hasExited() && ctx.Err() == nil; ready {
		m.log.Info("buildkitd is ready", "address", m.Address(), "took", time.Since(began).Round(time.Millisecond))
		m.suspicion = suspicion{}
		m.warnOfSnapshotter(ctx)
		m.setReady(true)
		if why := m.watch(ctx, c); why != "" {
			return true, c.end(why)
		}
	}
	c.stop(stopTimeout)
	return ready, c.failure()
}

// variables are those of buildkitd beside this process's. It keeps in memory what it passes on of each of a step's two
// streams. What a build's log takes is less, so the log says first that output is left out; the last 256 KiB come anyway.
func (m *Manager) variables() []string {
	return append(slices.Clone(m.proxies), "PATH="+m.path(),
		fmt.Sprintf("BUILDKIT_STEP_LOG_MAX_SIZE=%d", cmp.Or(m.cfg.Output, builder.MaxOutput)+1<<20), "BUILDKIT_STEP_LOG_MAX_SPEED=-1")
}

// path is where buildkitd looks for programs: emulators that come with it, as buildkit-qemu-aarch64, are beside it.
func (m *Manager) path() string {
	return os.Getenv("PATH") + string(os.PathListSeparator) + filepath.Dir(m.tools.buildkitd)
}

// warnOfSnapshotter tells what a file system without overlays costs.
func (m *Manager) warnOfSnapshotter(ctx context.Context) {
	err := m.ask(ctx, func(_ *client.Client, all []*client.WorkerInfo) error {
		if all[0].Labels[label.Snapshotter] == "native" {
			m.log.Warn("builds are slow and use many times the disk space: each step copies all files of its image, because overlayfs does not work on the file system of the data directory; use ext4 or XFS", "dir", m.cfg.Dir)
		}
		return nil
	})
	if err != nil {
		m.log.Debug("failed to find out the file system of the build cache", "error", err)
	}
}

// sweep removes what a killed buildkitd leaves in the file system: its socket
// and the mount points of network namespaces, which went with its mounts, and
// empty control groups.
func (m *Manager) sweep() {
	_ = os.Remove(m.socket)
	_ = os.Remove(m.tracePath())
	_ = os.RemoveAll(filepath.Join(m.rootDir(), "net", "cni"))
	m.cgroups.remove()
}

func (m *Manager) cleanUp() {
	m.sweep()
	if err := m.network.down(); err != nil {
		m.log.Warn("failed to remove all of the network of RUN steps", "error", err)
	}
}

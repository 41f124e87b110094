package buildkit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/moby/buildkit/worker/label"
)

const (
	stopTimeout  = 3 * time.Second        // from SIGTERM, which waits for builds, to SIGKILL, which is safe
	firstBackoff = 250 * time.Millisecond // before a restart; doubles up to maxBackoff
	maxBackoff   = 10 * time.Second
	healthyAfter = time.Minute // a run this long starts the back-off over
)

// ManagerConfig describes the buildkitd that a Manager runs.
type ManagerConfig struct {
	Dir    string // holds root, configuration and, path length allowing, the socket
	Binary string // buildkitd; empty: beside this executable, else in PATH
	// CNIBinDir holds the network plugins; empty: where distributions put them.
	CNIBinDir string
	// Subnet is the IPv4 network of RUN steps, "10.88.7.0/24"; empty: a free one
	// derived from Dir.
	Subnet string
	// RegistryHost is host:port of Fandogh's own registry. What Dockerfiles take
	// from the RegistryAliases is fetched there.
	RegistryHost    string
	RegistryAliases []string
	PlainHTTP       bool     // RegistryHost does not speak TLS
	MaxParallelism  int      // steps at once over all builds; 0: no limit
	KeepBytes       int64    // what the build cache may use; 0: BuildKit's own rule for the disk
	Disk            *Disk    // whose Free the build cache leaves; nil: BuildKit's own rule
	Limits          Limits   // of all RUN steps together
	StepLimits      Limits   // of each RUN step
	Frontends       []string // as Config.Frontends
	Logger          hclog.Logger
}

// Manager runs one buildkitd of its own as a child and keeps it running.
// Nothing of it outlives the manager: not the steps that run, not its mounts and,
// after an orderly stop, not its network.
type Manager struct {
	cfg     ManagerConfig
	log     hclog.Logger
	id      string // of the data directory, in every name that is global to the machine
	tools   tools
	socket  string
	network *network
	cgroups cgroups

	timing timing

	suspicion suspicion  // of Run's goroutine
	dropping  sync.Mutex // held while a cache that was set aside is removed

	mu    sync.Mutex
	ready chan struct{} // closed while buildkitd answers
}

// timing is what tests make shorter.
type timing struct{ backoff, health, answer time.Duration }

// NewManager checks that all there must be is there. An error names what to
// install or to set.
func NewManager(cfg ManagerConfig) (*Manager, error) {
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
	net, err := newNetwork(id, cfg.Subnet)
	if err != nil {
		return nil, err
	}
	return &Manager{
		cfg: cfg, log: cfg.Logger, id: id, tools: found, network: net,
		socket: socketPath(dir, id), ready: make(chan struct{}), cgroups: findCgroups(id),
		timing: timing{backoff: firstBackoff, health: healthInterval, answer: answerTimeout},
	}, nil
}

// Address is where buildkitd listens, for Config.Addresses. It never changes.
func (m *Manager) Address() string { return "unix://" + m.socket }

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
		m.log.Log(level, "buildkitd does not run, builds wait for it", "error", err, "starting again in", backoff)
		if prepared {
			m.judge(ready, err)
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
	if err := m.network.up(); err != nil {
		return fmt.Errorf("network for RUN steps: %w", err)
	}
	m.limitSteps()
	return m.writeConfig()
}

// runOnce runs one buildkitd to its end and tells whether it was ever ready.
func (m *Manager) runOnce(ctx context.Context) (ready bool, err error) {
	began := time.Now()
	m.cgroups.create(m.cfg.Limits, m.cfg.StepLimits) // sweep may have removed them
	c, err := startChild(m.tools.buildkitd, []string{"--config", m.configPath()}, m.cgroups.enter(), m.log)
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

// warnOfSnapshotter tells what a file system without overlays costs.
func (m *Manager) warnOfSnapshotter(ctx context.Context) {
	client, err := (&backends{}).connect(ctx, m.Address())
	if err != nil {
		return
	}
	defer client.Close() //nolint:errcheck // only asked
	workers, err := client.ListWorkers(ctx)
	if err == nil && len(workers) > 0 && workers[0].Labels[label.Snapshotter] == "native" {
		m.log.Warn("builds are slow and take many times the disk space: each step copies all files of its image, for the file system of the data directory can't be the upper one of an overlay; use ext4 or XFS", "dir", m.cfg.Dir)
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
		m.log.Warn("the network of RUN steps is not wholly removed", "error", err)
	}
}

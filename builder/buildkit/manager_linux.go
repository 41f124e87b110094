package buildkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	startTimeout = 30 * time.Second       // from fork to the first answer
	stopTimeout  = 3 * time.Second        // from SIGTERM, which waits for builds, to SIGKILL, which is safe
	pollInterval = 20 * time.Millisecond  // between questions whether it answers
	firstBackoff = 250 * time.Millisecond // before a restart; doubles up to maxBackoff
	maxBackoff   = 10 * time.Second
	healthyAfter = time.Minute // a run this long starts the back-off over
	// startAttempts is how often a buildkitd that never answered is tried.
	startAttempts = 3
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

	mu    sync.Mutex
	ready chan struct{} // closed while buildkitd answers
}

// NewManager checks that all there must be is there. An error names what to
// install or to set.
func NewManager(cfg ManagerConfig) (*Manager, error) {
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, err
	}
	cfg.Dir = dir
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	found, err := findTools(cfg)
	if err != nil {
		return nil, err
	}
	id := directoryID(dir)
	net, err := newNetwork(id, cfg.Subnet)
	if err != nil {
		return nil, err
	}
	return &Manager{
		cfg: cfg, log: cfg.Logger, id: id, tools: found, network: net,
		socket: socketPath(dir, id), ready: make(chan struct{}),
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
// left on the machine. It returns early with an error when buildkitd does not
// come up at all.
func (m *Manager) Run(ctx context.Context) error {
	unlock, err := m.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.prepare(); err != nil {
		return err
	}
	defer m.cleanUp()
	backoff, attempts := firstBackoff, 0
	for {
		started := time.Now()
		answered, err := m.runOnce(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if answered {
			attempts = 0
		} else if attempts++; attempts == startAttempts {
			return fmt.Errorf("buildkitd does not start: %w", err)
		}
		if time.Since(started) > healthyAfter {
			backoff = firstBackoff
		}
		m.log.Warn("buildkitd ended, starting it again", "error", err, "after", backoff)
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
	if err := m.network.up(m.log); err != nil {
		return errors.Join(fmt.Errorf("network for RUN steps: %w", err), m.network.down())
	}
	return m.writeConfig()
}

// runOnce runs one buildkitd to its end and tells whether it ever answered.
func (m *Manager) runOnce(ctx context.Context) (answered bool, err error) {
	began := time.Now()
	c, err := startChild(m.tools.buildkitd, []string{"--config", m.configPath()}, m.log)
	if err != nil {
		return false, err
	}
	defer m.setReady(false)
	startCtx, cancel := context.WithTimeout(ctx, startTimeout)
	answered = m.awaitAnswer(startCtx, c)
	cancel()
	if answered {
		m.log.Info("buildkitd is ready", "address", m.Address(), "took", time.Since(began).Round(time.Millisecond))
		m.setReady(true)
		select {
		case <-c.exited:
			return true, c.failure()
		case <-ctx.Done():
		}
	}
	c.stop(stopTimeout)
	if ctx.Err() == nil {
		err = c.failure()
	}
	return answered, err
}

// awaitAnswer asks until buildkitd answers, dies or ctx ends.
func (m *Manager) awaitAnswer(ctx context.Context, c *child) bool {
	asker := &backends{}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.exited:
			return false
		case <-ctx.Done():
			return false
		}
		if _, err := os.Stat(m.socket); err != nil {
			continue
		}
		if client, err := asker.connect(ctx, m.Address()); err == nil {
			_ = client.Close()
			return true
		}
	}
}

func (m *Manager) setReady(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ready:
		if !is {
			m.ready = make(chan struct{})
		}
	default:
		if is {
			close(m.ready)
		}
	}
}

// sweep removes what a killed buildkitd leaves in the file system: its socket
// and the mount points of network namespaces, which went with its mounts, and
// empty control groups.
func (m *Manager) sweep() {
	_ = os.Remove(m.socket)
	_ = os.Remove(m.tracePath())
	_ = os.RemoveAll(filepath.Join(m.rootDir(), "net", "cni"))
	removeCgroups(cgroupParent(m.id))
}

func (m *Manager) cleanUp() {
	m.sweep()
	if err := m.network.down(); err != nil {
		m.log.Warn("the network of RUN steps is not wholly removed", "error", err)
	}
}

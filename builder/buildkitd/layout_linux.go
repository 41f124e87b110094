package buildkitd

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
)

// readyNamespaces is how many network namespaces wait for a step. Making one takes
// longer than most steps; a used one is as good as new, since no step may
// configure a network and none hears what could (network.conflist).
const readyNamespaces = 4

// maxSocketPath is what fits a unix socket address, less a margin.
const maxSocketPath = 100

// tools are the programs that a managed buildkitd needs.
type tools struct {
	buildkitd string
	runc      string
	cniBinDir string
}

// Missing says what a Manager with a configuration would not find.
func Missing(cfg Config) []error {
	_, err := findTools(cfg)
	var all interface{ Unwrap() []error }
	if errors.As(err, &all) {
		return all.Unwrap()
	}
	return nil
}

// findTools looks for everything before anything is started, and reports all
// that is missing at once.
func findTools(cfg Config) (tools, error) {
	var missing []error
	if os.Geteuid() != 0 {
		missing = append(missing, errors.New("running BuildKit needs root: start as root"))
	}
	found := tools{buildkitd: Find(cfg.Binary)}
	if found.buildkitd == "" {
		missing = append(missing, errors.New("buildkitd is missing: put it beside this program or into PATH, or set its path"))
	}
	for program, pkg := range map[string]string{"runc": "runc", "iptables": "iptables", "nft": "nftables", "mount": "mount"} {
		path, err := exec.LookPath(program)
		if err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: install the package %s", program, pkg))
		}
		if program == "runc" {
			found.runc = path
		}
	}
	dirs := []string{cfg.CNIBinDir}
	if cfg.CNIBinDir == "" {
		dirs = []string{"/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"}
	}
	for _, dir := range dirs {
		if hasPlugins(dir) {
			found.cniBinDir = dir
			break
		}
	}
	if found.cniBinDir == "" {
		missing = append(missing, fmt.Errorf("the CNI plugins %s are not in %v: install the package containernetworking-plugins", strings.Join(plugins, ", "), dirs))
	}
	return found, errors.Join(missing...)
}

// Find returns the path of the buildkitd that Config.Binary names; empty: there is none.
func Find(configured string) string {
	if configured != "" {
		path, err := exec.LookPath(configured)
		if err != nil {
			return ""
		}
		return path
	}
	if self, err := os.Executable(); err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), "buildkitd")); err == nil {
			return path
		}
	}
	path, _ := exec.LookPath("buildkitd")
	return path
}

// plugins are the CNI plugins that the network's configuration needs.
var plugins = []string{"ptp", "host-local", "loopback", "tuning"}

func hasPlugins(dir string) bool {
	for _, name := range plugins {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// directoryID is short enough for an interface name and tells daemons with
// different data directories apart, also where two containers have theirs at one
// path and share the machine's network.
func directoryID(dir string) (string, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	device, inode := "", ""
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		device, inode = fmt.Sprint(stat.Dev), fmt.Sprint(stat.Ino)
	}
	sum := sha256.Sum256([]byte(strings.Join([]string{dir, device, inode}, "\x00")))
	return hex.EncodeToString(sum[:4]), nil
}

// socketPath returns a path in dir, or in a short one when that is too long for
// a socket.
func socketPath(dir, id string) string {
	path := filepath.Join(dir, "buildkitd.sock")
	if len(path) > maxSocketPath {
		path = filepath.Join(runtimeDir, id+".sock")
	}
	return path
}

func (m *Manager) rootDir() string    { return filepath.Join(m.cfg.Dir, "root") }
func (m *Manager) configPath() string { return filepath.Join(m.cfg.Dir, "buildkitd.toml") }
func (m *Manager) cniPath() string    { return filepath.Join(m.cfg.Dir, "network.conflist") }
func (m *Manager) binDir() string     { return filepath.Join(m.cfg.Dir, "bin") }
func (m *Manager) marksDir() string   { return filepath.Join(m.cfg.Dir, "limits") }
func (m *Manager) tracePath() string  { return strings.TrimSuffix(m.socket, ".sock") + "-trace.sock" }

// writeConfig generates buildkitd's own configuration and that of its network.
func (m *Manager) writeConfig() error {
	type table = map[string]any
	oci := table{
		"enabled": true, "networkMode": "cni",
		"cniConfigPath": m.cniPath(), "cniBinaryPath": m.binDir(),
		"cniPoolSize":         readyNamespaces,
		"defaultCgroupParent": "/", // see cgroups
		"binary":              filepath.Join(m.binDir(), "runc"),
		"gc":                  true,
	}
	for name, size := range cacheSpace(m.cfg.KeepBytes, m.cfg.Disk) {
		oci[name] = fmt.Sprint(size)
	}
	if m.cfg.MaxParallelism > 0 {
		oci["max-parallelism"] = m.cfg.MaxParallelism
	}
	config := table{
		"root": m.rootDir(),
		"grpc": table{"address": []string{m.Address()}},
		// Every daemon its own: the default path is one for the machine.
		"otel":    table{"socketPath": m.tracePath()},
		"cdi":     table{"disabled": true},
		"history": table{"maxEntries": 0}, // the build's log is Fandogh's to keep
		// A "# syntax=" image runs with more say than a Dockerfile has, over cache
		// mounts for one, and may itself ask for another: only the operator's run.
		"frontend": table{"gateway.v0": table{"enabled": len(m.cfg.Frontends) > 0, "allowedRepositories": m.cfg.Frontends}},
		"worker":   table{"oci": oci, "containerd": table{"enabled": false}},
	}
	if m.cfg.RegistryHost != "" {
		registries := table{}
		for _, alias := range slices.Concat(m.cfg.Mirrored, m.cfg.RegistryAliases) {
			registries[alias] = table{"mirrors": []string{m.cfg.RegistryHost}}
		}
		registries[m.cfg.RegistryHost] = table{"http": m.cfg.PlainHTTP}
		config["registry"] = registries
	}
	text, err := toml.Marshal(config)
	if err != nil {
		return err
	}
	network, err := m.network.conflist()
	if err != nil {
		return err
	}
	cni, err := json.MarshalIndent(network, "", "  ")
	if err != nil {
		return err
	}
	return errors.Join(os.MkdirAll(m.marksDir(), 0o700), os.WriteFile(m.configPath(), text, 0o600), os.WriteFile(m.cniPath(), cni, 0o600), m.writePrograms())
}

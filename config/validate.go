package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// Validate reports every fault at once, each with the setting's path, and nil
// when there is none.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
		}
	}
	check(c.Data != "", "data", "must be the directory that contains everything")
	check(c.Disk.MinFree >= 0, "disk.min_free", "must be 0 or greater")
	check(c.Disk.MaxUsed >= 1 && c.Disk.MaxUsed <= 100, "disk.max_used", "must be a percentage from 1 to 100")
	for path, n := range map[string]int64{"quota.bytes": int64(c.Quota.Bytes), "quota.images": int64(c.Quota.Images), "quota.versions": int64(c.Quota.Versions), "quota.builds": int64(c.Quota.Builds)} {
		check(n >= 0, path, "must be 0 or greater")
	}
	check(isListenAddr(c.HTTP.Addr), "http.addr", "%q is not a valid host:port to listen on", c.HTTP.Addr)
	check(isListenAddr(c.SSH.Addr), "ssh.addr", "%q is not a valid host:port to listen on", c.SSH.Addr)
	check(c.Metrics.Addr == "" || isListenAddr(c.Metrics.Addr), "metrics.addr", "%q is not a valid host:port to listen on", c.Metrics.Addr)
	check(c.HTTP.PublicURL == "" || isBaseURL(c.HTTP.PublicURL), "http.public_url", "%q must be http(s)://host[:port] without a path", c.HTTP.PublicURL)
	check(c.SSH.PublicAddr == "" || isListenAddr(c.SSH.PublicAddr), "ssh.public_addr", "%q is not a valid host:port", c.SSH.PublicAddr)
	for i, p := range c.HTTP.TrustedProxies {
		_, err := parsePrefix(p)
		check(err == nil, fmt.Sprintf("http.trusted_proxies[%d]", i), "%q is not a valid address or CIDR such as 10.0.0.0/8", p)
	}
	for path, d := range map[string]Duration{
		"http.idle_timeout": c.HTTP.IdleTimeout, "ssh.handshake_timeout": c.SSH.HandshakeTimeout, "ssh.idle_timeout": c.SSH.IdleTimeout, "ssh.total_timeout": c.SSH.TotalTimeout,
		"builder.timeout": c.Builder.Timeout, "git.gc_interval": c.Git.GCInterval, "registry.gc_interval": c.Registry.GCInterval, "registry.grace": c.Registry.Grace, "builder.pull_through.recheck": c.Builder.PullThrough.Recheck, "github.sync_interval": c.GitHub.SyncInterval, "retention.interval": c.Retention.Interval, "shutdown_grace": c.Shutdown,
	} {
		check(d > 0, path, "must be longer than 0")
	}
	check(c.Git.Grace >= leastGitGrace, "git.grace", "must be at least %s", leastGitGrace.Std())
	check(c.Registry.Grace > c.Builder.Timeout, "registry.grace", "must be longer than builder.timeout (%s)", c.Builder.Timeout.Std())
	for path, n := range map[string]int64{
		"http.max_connections": int64(c.HTTP.MaxConnections), "http.max_connections_per_address": int64(c.HTTP.MaxConnectionsPerAddress),
		"ssh.max_connections": int64(c.SSH.MaxConnections), "ssh.max_connections_per_address": int64(c.SSH.MaxConnectionsPerAddress),
		"ssh.max_per_user": int64(c.SSH.MaxPerUser),
		"ssh.max_pack":     int64(c.SSH.MaxPack), "ssh.max_object": int64(c.SSH.MaxObject), "ssh.max_objects": int64(c.SSH.MaxObjects),
		"ssh.max_lfs_object": int64(c.SSH.MaxLFSObject),
		"users.max_tokens":   int64(c.Users.MaxTokens), "users.max_keys": int64(c.Users.MaxKeys), "users.max_namespaces": int64(c.Users.MaxNamespaces),
		"users.max_images": int64(c.Users.MaxImages), "users.max_webhooks": int64(c.Users.MaxWebhooks), "users.max_secrets": int64(c.Users.MaxSecrets),
		"uploads.max_archive": int64(c.Uploads.MaxArchive), "uploads.max_unpacked": int64(c.Uploads.MaxUnpacked), "uploads.max_entries": int64(c.Uploads.MaxEntries),
		"github.max_delivery": int64(c.GitHub.MaxDelivery), "github.sync_limit": int64(c.GitHub.SyncLimit),
		"builder.managed.keep_cache": int64(c.Builder.Managed.KeepCache), "builder.managed.keep_records": int64(c.Builder.Managed.KeepRecords),
	} {
		check(n > 0, path, "must be greater than 0")
	}
	check(c.Builder.Parallel >= 0, "builder.parallel", "must be 0 or greater")
	check(c.Builder.Spare >= 0, "builder.spare", "must be 0 or greater")
	if subnet := c.Builder.Managed.Subnet; subnet != "" {
		_, _, err := net.ParseCIDR(subnet)
		check(err == nil, "builder.managed.subnet", "%q is not a valid CIDR such as 10.88.7.0/24", subnet)
	}
	check((c.HTTP.TLS.Cert == "") == (c.HTTP.TLS.Key == ""), "http.tls", "cert and key must be set together")
	check(c.HTTP.TLS.Cert == "" || len(c.HTTP.TLS.ACMEHosts) == 0, "http.tls", "use certificates from files or from ACME, not both")
	faults = append(faults, missingFiles("http.tls", map[string]string{"cert": c.HTTP.TLS.Cert, "key": c.HTTP.TLS.Key})...)
	faults = append(faults, missingFiles("signing", map[string]string{"key": c.Signing.Key})...)
	faults = append(faults, missingFiles("ssh", map[string]string{"trusted_user_ca": c.SSH.TrustedUserCA})...)
	for i, entry := range c.Builder.Network.Allow {
		prefix, err := parsePrefix(entry)
		service, serviceErr := netip.ParseAddrPort(entry)
		check(err == nil && prefix.Addr().Is4() || serviceErr == nil && service.Addr().Is4() && service.Port() > 0, fmt.Sprintf("builder.network.allow[%d]", i),
			"%q is not a valid IPv4 CIDR, address or address:port such as 10.0.0.0/8 or 10.1.2.3:5000", entry)
	}
	for i, image := range c.Builder.Frontends {
		_, err := reference.ParseNormalizedNamed(image)
		check(err == nil, fmt.Sprintf("builder.frontends[%d]", i), "%q is not a valid image such as registry/name or registry/name:tag", image)
	}
	faults = append(faults, c.Builder.validateAddresses()...)
	faults = append(faults, c.Builder.validateMirrors()...)
	faults = append(faults, c.Builder.Limits.validate()...)
	faults = append(faults, c.GitHub.validate()...)
	faults = append(faults, c.Retention.validate()...)
	check(slices.Contains([]string{"trace", "debug", "info", "warn", "error"}, c.Log.Level), "log.level", "%q must be trace, debug, info, warn or error", c.Log.Level)
	for _, label := range c.Builder.Labels {
		check(slices.Contains([]string{"revision", "source", "created", "version"}, label), "builder.labels", "%q must be revision, source, created or version", label)
	}
	check(slices.Contains([]string{"gzip", "zstd"}, c.Builder.Compression), "builder.compression", "%q must be gzip or zstd", c.Builder.Compression)
	check(c.Metrics.Enabled || c.Metrics.Addr == "", "metrics.addr", "must be empty where metrics.enabled is false")
	check(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", "%q must be text or json", c.Log.Format)
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return withoutSecretsOf(errors.Join(faults...), c.texts()...)
}

func (r Retention) validate() []error {
	var faults []error
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("retention.%s: %s", path, fmt.Sprintf(format, args...)))
		}
	}
	const most = 100_000
	for path, n := range map[string]int{
		"failed_days": r.FailedDays, "log_days": r.LogDays, "event_days": r.EventDays,
		"versions.keep_last": r.Versions.KeepLast, "versions.keep_days": r.Versions.KeepDays,
		"branches.keep_last": r.Branches.KeepLast, "branches.keep_days": r.Branches.KeepDays,
	} {
		check(n >= 0 && n <= most, path, "must be from 0 to %d", most)
	}
	for kind, rule := range map[string]RetentionRule{"versions": r.Versions, "branches": r.Branches} {
		for i, pattern := range rule.Keep {
			_, err := path.Match(pattern, "")
			check(err == nil && pattern != "" && !strings.ContainsAny(pattern, ", \t"), fmt.Sprintf("%s.keep[%d]", kind, i), "%q is not a valid pattern such as v*", pattern)
		}
	}
	return faults
}

// leastGitGrace is how long the objects of an upload or a delivery may be there at least before their tag is.
const leastGitGrace = Duration(time.Minute)

// minSecret is how short a secret may be that signs deliveries.
const minSecret = 16

func (g GitHub) validate() []error {
	var faults []error
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("github.%s: %s", path, fmt.Sprintf(format, args...)))
		}
	}
	check(isBaseURL(g.BaseURL), "base_url", "%q must be http(s)://host[:port] without a path", g.BaseURL)
	for path, address := range map[string]struct {
		value   string
		schemes []string
	}{"api_url": {g.APIURL, []string{"http", "https"}}, "ssh_url": {g.SSHURL, []string{"ssh"}}} {
		u, err := url.Parse(address.value)
		check(address.value == "" || err == nil && u.Host != "" && slices.Contains(address.schemes, u.Scheme), path, "%q must begin with %s://host", address.value, address.schemes[0])
	}
	check(g.App.ID >= 0, "app.id", "must be 0 or greater")
	if g.App.ID != 0 {
		check(g.App.Key != "", "app.key", "must be the file of the App's private key")
		path := "app.webhook_secret"
		if g.App.WebhookSecretFile != "" {
			check(g.App.WebhookSecret == "", path, "set this or webhook_secret_file, not both")
			path += "_file"
		}
		secret, err := g.App.Secret()
		check(err == nil, path, "%v", err)
		check(err != nil || len(secret) >= minSecret, path, "must have at least %d characters; with a shorter secret, others could start builds", minSecret)
	}
	return append(faults, missingFiles("github.app", map[string]string{"key": g.App.Key})...)
}

const (
	// leastStepMemory is what runc itself needs to start a step, and a shell in it.
	leastStepMemory = 16 << 20
	leastCPUs       = 0.01 // the kernel's least quota
	mostCPUs        = 1 << 16
	// leastPIDs is what a shell with a pipe takes, and runc while it starts a step.
	leastPIDs = 16
	// mostPIDs is how many processes a kernel has, at most; it takes no greater limit.
	mostPIDs = 1 << 22
	// mostLog is what the log file of all attempts at a build may hold.
	mostLog = 64 << 20
)

func (l Limits) validate() []error {
	var faults []error
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("builder.limits.%s: %s", path, fmt.Sprintf(format, args...)))
		}
	}
	for path, memory := range map[string]Size{"memory": l.Memory, "step.memory": l.Step.Memory, "build.memory": l.Build.Memory} {
		check(memory == 0 || memory >= leastStepMemory, path, "must be 0 or at least 16MiB")
	}
	for path, cpus := range map[string]float64{"cpus": l.CPUs, "step.cpus": l.Step.CPUs, "build.cpus": l.Build.CPUs} {
		check(cpus == 0 || cpus >= leastCPUs && cpus <= mostCPUs, path, "must be 0, or from %v to %d", leastCPUs, mostCPUs)
	}
	for path, pids := range map[string]int{"pids": l.PIDs, "step.pids": l.Step.PIDs} {
		check(pids >= leastPIDs && pids <= mostPIDs, path, "must be from %d to %d", leastPIDs, mostPIDs)
	}
	check(l.Build.PIDs == 0 || l.Build.PIDs >= leastPIDs && l.Build.PIDs <= mostPIDs, "build.pids", "must be 0, or from %d to %d", leastPIDs, mostPIDs)
	for path, n := range map[string]int64{
		"build.disk": int64(l.Build.Disk), "build.log": int64(l.Build.Log), "build.timeout": int64(l.Build.Timeout),
		"disk": int64(l.Disk), "namespace.running": int64(l.Namespace.Running), "namespace.waiting": int64(l.Namespace.Waiting),
	} {
		check(n >= 0, path, "must be 0 or greater")
	}
	check(l.Log > 0 && l.Log <= mostLog, "log", "must be from 1 byte to 64MiB")
	check(l.FreeDisk >= 0, "free_disk", "must be 0 or greater")
	return faults
}

func (b Builder) validateAddresses() []error {
	var faults []error
	for i, a := range b.Addresses {
		u, err := url.Parse(a)
		switch {
		case err != nil || (u.Scheme != "unix" && u.Scheme != "tcp"):
			faults = append(faults, fmt.Errorf("builder.addresses[%d]: %q must be unix:///path or tcp://host:port", i, a))
		case u.Scheme == "tcp" && (b.TLS.CA == "" || b.TLS.Cert == "" || b.TLS.Key == ""):
			faults = append(faults, fmt.Errorf("builder.addresses[%d]: tcp requires builder.tls.ca, cert and key: BuildKit runs anything that it is sent", i))
		}
	}
	return append(faults, missingFiles("builder.tls", map[string]string{"ca": b.TLS.CA, "cert": b.TLS.Cert, "key": b.TLS.Key})...)
}

func (b Builder) validateMirrors() []error {
	var faults []error
	check := func(ok bool, path, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("builder.%s: %s", path, fmt.Sprintf(format, args...)))
		}
	}
	check(len(b.Mirrors) == 0 || len(b.Addresses) == 0, "mirrors", "they are for the buildkitd that fandoghd runs; set those of builder.addresses in the buildkitd.toml there")
	for host, mirrors := range b.Mirrors {
		check(isRegistryHost(host), "mirrors", "%q is not a valid host of a registry such as docker.io or registry.example.com:5000", host)
		for i, mirror := range mirrors {
			u, err := url.Parse(mirror)
			check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && (u.Port() == "" || isListenAddr(u.Host)) && u.User == nil && u.RawQuery == "" && u.Fragment == "",
				fmt.Sprintf("mirrors.%s[%d]", host, i), "%q must be http(s)://host[:port], perhaps with a path", mirror)
		}
	}
	for i, host := range b.PullThrough.Registries {
		check(isRegistryHost(host), fmt.Sprintf("pull_through.registries[%d]", i), "%q is not a valid host of a registry such as docker.io or registry.example.com:5000", host)
	}
	check(b.PullThrough.MaxSize >= 0, "pull_through.max_size", "must be 0 or greater")
	return faults
}

// isRegistryHost reports whether an image's name may begin with this host, and means it.
func isRegistryHost(host string) bool {
	named, err := reference.ParseNormalizedNamed(host + "/namespace/image")
	return err == nil && reference.Domain(named) == host
}

// missingFiles reports the files that are named but not there, or are none.
func missingFiles(section string, files map[string]string) []error {
	var faults []error
	for setting, file := range files {
		if file == "" {
			continue
		}
		if err := bounded.CheckFile(file, maxFile); err != nil {
			faults = append(faults, fmt.Errorf("%s.%s: %w", section, setting, err))
		}
	}
	return faults
}

func isListenAddr(addr string) bool {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" && u.User == nil
}

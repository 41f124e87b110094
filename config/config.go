// Package config is the daemon's configuration: typed, with defaults that run
// as they are, read from a file, then the environment, then flags.
//
// Source order, later wins: Default, the YAML file, FANDOGH_… variables, flags.
package config

import (
	"net/netip"
	"path/filepath"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// EnvPrefix begins the name of every environment variable that is read; the
// rest is the setting's path in upper case: http.public_url is FANDOGH_HTTP_PUBLIC_URL.
const EnvPrefix = "FANDOGH_"

// Config is everything an operator can set.
type Config struct {
	Data      string    `yaml:"data" env:"DATA"`
	Disk      Disk      `yaml:"disk" envPrefix:"DISK_"`
	Quota     Quota     `yaml:"quota" envPrefix:"QUOTA_"`
	HTTP      HTTP      `yaml:"http" envPrefix:"HTTP_"`
	SSH       SSH       `yaml:"ssh" envPrefix:"SSH_"`
	Git       Git       `yaml:"git" envPrefix:"GIT_"`
	Users     Users     `yaml:"users" envPrefix:"USERS_"`
	Uploads   Uploads   `yaml:"uploads" envPrefix:"UPLOADS_"`
	Registry  Registry  `yaml:"registry" envPrefix:"REGISTRY_"`
	Builder   Builder   `yaml:"builder" envPrefix:"BUILDER_"`
	Signing   Signing   `yaml:"signing" envPrefix:"SIGNING_"`
	GitHub    GitHub    `yaml:"github" envPrefix:"GITHUB_"`
	Webhooks  Webhooks  `yaml:"webhooks" envPrefix:"WEBHOOKS_"`
	Retention Retention `yaml:"retention" envPrefix:"RETENTION_"`
	Metrics   Metrics   `yaml:"metrics" envPrefix:"METRICS_"`
	Log       Log       `yaml:"log" envPrefix:"LOG_"`
	Shutdown  Duration  `yaml:"shutdown_grace" env:"SHUTDOWN_GRACE"`
}

// Disk says when the disk of the data directory is nearly full, by the first of the two: nothing more is taken then.
type Disk struct {
	MinFree Size `yaml:"min_free" env:"MIN_FREE"` // less is left; 0: never
	MaxUsed int  `yaml:"max_used" env:"MAX_USED"` // percent; 100: never
}

// Quota bounds what each namespace has, where an administrator has set nothing else for it. 0: any amount.
type Quota struct {
	Bytes    Size `yaml:"bytes" env:"BYTES"` // on disk
	Images   int  `yaml:"images" env:"IMAGES"`
	Versions int  `yaml:"versions" env:"VERSIONS"`
	Builds   int  `yaml:"builds" env:"BUILDS"` // within a day
}

// HTTP sets the listener for REST, registry and health.
type HTTP struct {
	Addr      string   `yaml:"addr" env:"ADDR"`             // host:port
	PublicURL string   `yaml:"public_url" env:"PUBLIC_URL"` // http(s)://host[:port]; empty: from the listener
	TLS       HTTPSTLS `yaml:"tls" envPrefix:"TLS_"`
	// Addresses or CIDRs whose X-Forwarded-For tells the client's address.
	TrustedProxies           []string `yaml:"trusted_proxies" env:"TRUSTED_PROXIES"`
	IdleTimeout              Duration `yaml:"idle_timeout" env:"IDLE_TIMEOUT"` // that a client may leave sending or taking in standing still
	MaxConnections           int      `yaml:"max_connections" env:"MAX_CONNECTIONS"`
	MaxConnectionsPerAddress int      `yaml:"max_connections_per_address" env:"MAX_CONNECTIONS_PER_ADDRESS"` // or IPv6 /64
}

// Proxies returns TrustedProxies, which Validate has checked.
func (h HTTP) Proxies() []netip.Prefix {
	var out []netip.Prefix
	for _, text := range h.TrustedProxies {
		if prefix, err := parsePrefix(text); err == nil {
			out = append(out, prefix)
		}
	}
	return out
}

// parsePrefix reads an address or a CIDR.
func parsePrefix(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return address.Prefix(address.BitLen())
	}
	return netip.ParsePrefix(text)
}

// HTTPSTLS makes the listener speak TLS, by files or by ACME; neither: plain
// HTTP, for a proxy in front or this machine alone.
type HTTPSTLS struct {
	Cert          string   `yaml:"cert" env:"CERT"` // PEM file, read again when it changes
	Key           string   `yaml:"key" env:"KEY"`
	ACMEHosts     []string `yaml:"acme_hosts" env:"ACME_HOSTS"` // names to get certificates for
	ACMEEmail     string   `yaml:"acme_email" env:"ACME_EMAIL"`
	ACMEDirectory string   `yaml:"acme_directory" env:"ACME_DIRECTORY"` // URL; empty: the library's
}

// Enabled reports whether the listener speaks TLS.
func (h HTTPSTLS) Enabled() bool { return h.Cert != "" || len(h.ACMEHosts) > 0 }

// SSH sets the git server.
type SSH struct {
	Addr                     string   `yaml:"addr" env:"ADDR"`               // host:port
	PublicAddr               string   `yaml:"public_addr" env:"PUBLIC_ADDR"` // host:port shown to users; empty: from the listener
	HandshakeTimeout         Duration `yaml:"handshake_timeout" env:"HANDSHAKE_TIMEOUT"`
	IdleTimeout              Duration `yaml:"idle_timeout" env:"IDLE_TIMEOUT"`
	TotalTimeout             Duration `yaml:"total_timeout" env:"TOTAL_TIMEOUT"`
	MaxConnections           int      `yaml:"max_connections" env:"MAX_CONNECTIONS"`
	MaxConnectionsPerAddress int      `yaml:"max_connections_per_address" env:"MAX_CONNECTIONS_PER_ADDRESS"` // or IPv6 /64
	MaxPerUser               int      `yaml:"max_per_user" env:"MAX_PER_USER"`                               // connections, and sessions
	TrustedUserCA            string   `yaml:"trusted_user_ca" env:"TRUSTED_USER_CA"`                         // file of public keys whose certificates log in; empty: none
	MaxPack                  Size     `yaml:"max_pack" env:"MAX_PACK"`
	MaxObject                Size     `yaml:"max_object" env:"MAX_OBJECT"`
	MaxObjects               int      `yaml:"max_objects" env:"MAX_OBJECTS"`
	MaxLFSObject             Size     `yaml:"max_lfs_object" env:"MAX_LFS_OBJECT"` // by either transport
}

// Git sets how objects of repositories go to which no branch, tag or version leads any more.
type Git struct {
	GCInterval Duration `yaml:"gc_interval" env:"GC_INTERVAL"`
	Grace      Duration `yaml:"grace" env:"GRACE"` // since that was first seen
}

// Users sets what every user may make, but by fandoghd admin.
type Users struct {
	CreateNamespaces bool `yaml:"create_namespaces" env:"CREATE_NAMESPACES"` // false: administrators alone
	MaxTokens        int  `yaml:"max_tokens" env:"MAX_TOKENS"`               // that have not expired
	MaxKeys          int  `yaml:"max_keys" env:"MAX_KEYS"`
	MaxNamespaces    int  `yaml:"max_namespaces" env:"MAX_NAMESPACES"` // beside the own one
	MaxImages        int  `yaml:"max_images" env:"MAX_IMAGES"`
	MaxWebhooks      int  `yaml:"max_webhooks" env:"MAX_WEBHOOKS"`
	MaxSecrets       int  `yaml:"max_secrets" env:"MAX_SECRETS"` // and accounts at other registries
}

// Uploads limits archives that are sent over REST.
type Uploads struct {
	MaxArchive  Size `yaml:"max_archive" env:"MAX_ARCHIVE"`   // as it is sent
	MaxUnpacked Size `yaml:"max_unpacked" env:"MAX_UNPACKED"` // all its files
	MaxEntries  int  `yaml:"max_entries" env:"MAX_ENTRIES"`
}

// Registry sets how image data goes that no version needs any more.
type Registry struct {
	GCInterval Duration `yaml:"gc_interval" env:"GC_INTERVAL"`
	Grace      Duration `yaml:"grace" env:"GRACE"`           // longer than any push takes
	CacheTags  []string `yaml:"cache_tags" env:"CACHE_TAGS"` // patterns of tags that are no versions and may move
	// CollectEvery is the old name of GCInterval. Load takes it for that and leaves it nil.
	CollectEvery *Duration `yaml:"collect_every" env:"COLLECT_EVERY"`
}

// Signing sets what is said of versions, and what it is signed with.
type Signing struct {
	SBOM bool   `yaml:"sbom" env:"SBOM"` // list the packages in each version that is built; else when the list is first asked for
	Key  string `yaml:"key" env:"KEY"`   // file with a private key; empty: signing.key in the data directory, made when missing
}

// Builder sets the queue and BuildKit.
type Builder struct {
	Parallel    int         `yaml:"parallel" env:"PARALLEL"`       // builds at once; 0: by memory
	Spare       int         `yaml:"spare" env:"SPARE"`             // and more for namespaces of which nothing runs
	Timeout     Duration    `yaml:"timeout" env:"TIMEOUT"`         // of one build
	Compression string      `yaml:"compression" env:"COMPRESSION"` // of new layers: gzip or zstd
	Labels      []string    `yaml:"labels" env:"LABELS"`           // what images say of their commits: revision, source, created, version
	Frontends   []string    `yaml:"frontends" env:"FRONTENDS"`     // images that "# syntax=" may name besides docker/dockerfile
	Addresses   []string    `yaml:"addresses" env:"ADDRESSES"`     // of given BuildKits; empty: a managed child
	TLS         TLS         `yaml:"tls" envPrefix:"TLS_"`          // for tcp:// addresses
	Mirrors     Mirrors     `yaml:"mirrors" env:"MIRRORS"`         // of the registries that the managed buildkitd pulls from
	PullThrough PullThrough `yaml:"pull_through" envPrefix:"PULL_THROUGH_"`
	// CredentialHelpers are commands that tell passwords of registries, by host, as Docker's credential helpers do.
	CredentialHelpers map[string]string `yaml:"credential_helpers" env:"CREDENTIAL_HELPERS" envKeyValSeparator:"="`

	Managed Managed `yaml:"managed" envPrefix:"MANAGED_"`
	Limits  Limits  `yaml:"limits" envPrefix:"LIMITS_"`   // of the managed buildkitd's RUN steps
	Network Network `yaml:"network" envPrefix:"NETWORK_"` // of the managed buildkitd
}

// PullThrough sets what is kept of the images that builds pull from other registries.
type PullThrough struct {
	Registries []string `yaml:"registries" env:"REGISTRIES"` // hosts
	MaxSize    Size     `yaml:"max_size" env:"MAX_SIZE"`     // 0: nothing is kept
	Recheck    Duration `yaml:"recheck" env:"RECHECK"`       // of tags
}

// Network sets what builds reach.
type Network struct {
	Allow []string `yaml:"allow" env:"ALLOW"` // beside the public Internet: CIDRs, addresses and address:port
}

// Limits bounds what RUN steps use, all of them together.
type Limits struct {
	Memory   Size       `yaml:"memory" env:"MEMORY"`       // 0: three quarters of what there is
	PIDs     int        `yaml:"pids" env:"PIDS"`           // processes and threads
	CPUs     float64    `yaml:"cpus" env:"CPUS"`           // 0: all, after everything else
	FreeDisk Size       `yaml:"free_disk" env:"FREE_DISK"` // 0: by the disk's size
	Step     StepLimits `yaml:"step" envPrefix:"STEP_"`

	Disk      Size            `yaml:"disk" env:"DISK"` // that one build writes, at most
	Log       Size            `yaml:"log" env:"LOG"`   // of one build's output, at most
	Build     BuildLimits     `yaml:"build" envPrefix:"BUILD_"`
	Namespace NamespaceLimits `yaml:"namespace" envPrefix:"NAMESPACE_"`
}

// BuildLimits bounds what one build uses, where an administrator has set nothing else for its namespace. 0 is as much as any
// may: what Limits has of that name, and Builder.Timeout.
type BuildLimits struct {
	Memory  Size     `yaml:"memory" env:"MEMORY"`
	PIDs    int      `yaml:"pids" env:"PIDS"`
	CPUs    float64  `yaml:"cpus" env:"CPUS"`
	Disk    Size     `yaml:"disk" env:"DISK"`
	Log     Size     `yaml:"log" env:"LOG"`
	Timeout Duration `yaml:"timeout" env:"TIMEOUT"`
}

// NamespaceLimits bounds how many builds of a namespace there are, in the same way. 0: no limit.
type NamespaceLimits struct {
	Running int `yaml:"running" env:"RUNNING"`
	Waiting int `yaml:"waiting" env:"WAITING"`
}

// StepLimits bounds what each RUN step uses. 0 is as much as all may.
type StepLimits struct {
	Memory Size    `yaml:"memory" env:"MEMORY"`
	PIDs   int     `yaml:"pids" env:"PIDS"`
	CPUs   float64 `yaml:"cpus" env:"CPUS"`
}

// TLS names the PEM files of a mutual TLS connection.
type TLS struct {
	CA   string `yaml:"ca" env:"CA"`
	Cert string `yaml:"cert" env:"CERT"`
	Key  string `yaml:"key" env:"KEY"`
}

// Managed sets the buildkitd that the daemon runs itself.
type Managed struct {
	Buildkitd string `yaml:"buildkitd" env:"BUILDKITD"` // path; empty: beside fandoghd, then PATH
	CNIDir    string `yaml:"cni_dir" env:"CNI_DIR"`     // CNI plugins
	Subnet    string `yaml:"subnet" env:"SUBNET"`       // CIDR of the build network; empty: a free one
	KeepCache Size   `yaml:"keep_cache" env:"KEEP_CACHE"`
	// KeepRecords is how many records the build cache may have, of steps and of files that were sent: buildkitd holds
	// them in memory.
	KeepRecords int `yaml:"keep_records" env:"KEEP_RECORDS"`
}

// GitHub sets where connected repositories are.
type GitHub struct {
	BaseURL      string    `yaml:"base_url" env:"BASE_URL"` // http(s)://host[:port]
	APIURL       string    `yaml:"api_url" env:"API_URL"`   // empty: what belongs to base_url
	SSHURL       string    `yaml:"ssh_url" env:"SSH_URL"`   // ssh://git@host[:port], for deploy keys; empty: base_url's host
	App          GitHubApp `yaml:"app" envPrefix:"APP_"`
	MaxDelivery  Size      `yaml:"max_delivery" env:"MAX_DELIVERY"`
	SyncInterval Duration  `yaml:"sync_interval" env:"SYNC_INTERVAL"` // between looks at the remotes' tags
	SyncLimit    int       `yaml:"sync_limit" env:"SYNC_LIMIT"`       // builds of one look at one repository
}

// GitHubApp names a GitHub App that administrators may connect with.
type GitHubApp struct {
	ID            int64  `yaml:"id" env:"ID"`   // 0: none
	Key           string `yaml:"key" env:"KEY"` // PEM file
	WebhookSecret string `yaml:"webhook_secret" env:"WEBHOOK_SECRET"`
	// WebhookSecretFile holds it in WebhookSecret's place, as systemd and containers hand secrets over.
	WebhookSecretFile string `yaml:"webhook_secret_file" env:"WEBHOOK_SECRET_FILE"`
}

// Secret returns the webhook's secret, wherever it is.
func (a GitHubApp) Secret() (string, error) {
	if a.WebhookSecretFile == "" {
		return a.WebhookSecret, nil
	}
	text, err := bounded.File(a.WebhookSecretFile, maxFile)
	return strings.TrimSpace(string(text)), err
}

// Webhooks sets how others are told of builds.
type Webhooks struct {
	AllowPrivate bool `yaml:"allow_private" env:"ALLOW_PRIVATE"` // also addresses of this machine and its network
}

// Retention sets what is removed for its age or number. Days of 0 are for ever.
type Retention struct {
	Interval   Duration      `yaml:"interval" env:"INTERVAL"`
	Versions   RetentionRule `yaml:"versions" envPrefix:"VERSIONS_"` // of images and namespaces without a rule of their own, as the next
	Branches   RetentionRule `yaml:"branches" envPrefix:"BRANCHES_"` // of versions that branches were built as
	FailedDays int           `yaml:"failed_days" env:"FAILED_DAYS"`  // of versions that were not built
	LogDays    int           `yaml:"log_days" env:"LOG_DAYS"`        // of builds that ended
	EventDays  int           `yaml:"event_days" env:"EVENT_DAYS"`
}

// RetentionRule keeps a built version that any of its parts keeps; without parts, all.
type RetentionRule struct {
	KeepLast int      `yaml:"keep_last" env:"KEEP_LAST"`
	KeepDays int      `yaml:"keep_days" env:"KEEP_DAYS"`
	Keep     []string `yaml:"keep" env:"KEEP"` // patterns of names
}

// Metrics sets where Prometheus finds what the daemon counts, beside /metrics of HTTP, which is for administrators.
type Metrics struct {
	Enabled bool   `yaml:"enabled" env:"ENABLED"` // false: nothing is counted
	Addr    string `yaml:"addr" env:"ADDR"`       // host:port that any client may ask; empty: none
}

// Log sets what the daemon writes to standard error.
type Log struct {
	Level  string `yaml:"level" env:"LEVEL"`   // trace, debug, info, warn, error
	Format string `yaml:"format" env:"FORMAT"` // text or json
	// AuditKeep is how long the audit log is kept in the database; 0: for ever.
	AuditKeep Duration `yaml:"audit_keep" env:"AUDIT_KEEP"`
}

// Default returns the configuration that runs with nothing set.
func Default() Config {
	return Config{
		Data: "data",
		Disk: Disk{MinFree: 2 << 30, MaxUsed: 90},
		HTTP: HTTP{Addr: "127.0.0.1:8080", IdleTimeout: Duration(time.Minute), MaxConnections: 4096, MaxConnectionsPerAddress: 256},
		SSH: SSH{
			Addr:             "127.0.0.1:2222",
			HandshakeTimeout: Duration(20 * time.Second), IdleTimeout: Duration(10 * time.Minute), TotalTimeout: Duration(12 * time.Hour),
			MaxConnections: 512, MaxConnectionsPerAddress: 128, MaxPerUser: 128,
			MaxPack: 2 << 30, MaxObject: 512 << 20, MaxObjects: 5_000_000, MaxLFSObject: 2 << 30,
		},
		Git:      Git{GCInterval: Duration(24 * time.Hour), Grace: Duration(14 * 24 * time.Hour)},
		Users:    Users{CreateNamespaces: true, MaxTokens: 5000, MaxKeys: 200, MaxNamespaces: 100, MaxImages: 10_000, MaxWebhooks: 500, MaxSecrets: 500},
		Uploads:  Uploads{MaxArchive: 512 << 20, MaxUnpacked: 2 << 30, MaxEntries: 100_000},
		Registry: Registry{GCInterval: Duration(6 * time.Hour), Grace: Duration(24 * time.Hour), CacheTags: []string{"buildcache*"}},
		Builder: Builder{
			Spare: 2, Timeout: Duration(time.Hour), Compression: "gzip", CredentialHelpers: map[string]string{},
			Labels:  []string{"revision", "source", "created"},
			Managed: Managed{CNIDir: "/usr/lib/cni", KeepCache: 20 << 30, KeepRecords: 10_000},
			Limits:  Limits{PIDs: 16384, Step: StepLimits{PIDs: 4096}, Disk: 50 << 30, Log: 10 << 20, Build: BuildLimits{PIDs: 8192, Disk: 20 << 30}, Namespace: NamespaceLimits{Waiting: 5000}},
			Mirrors: Mirrors{},
			PullThrough: PullThrough{
				Registries: []string{"docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws", "registry.gitlab.com"},
				MaxSize:    10 << 30, Recheck: Duration(5 * time.Minute),
			},
		},
		GitHub:    GitHub{BaseURL: "https://github.com", MaxDelivery: 25 << 20, SyncInterval: Duration(time.Hour), SyncLimit: 20},
		Retention: Retention{Interval: Duration(time.Hour), Branches: RetentionRule{KeepLast: 50, KeepDays: 90}, FailedDays: 30, LogDays: 90, EventDays: 7},
		Metrics:   Metrics{Enabled: true},
		Log:       Log{Level: "info", Format: "text", AuditKeep: Duration(365 * 24 * time.Hour)},
		Shutdown:  Duration(30 * time.Second),
	}
}

// DataPath joins names to the data directory.
func (c Config) DataPath(names ...string) string {
	return filepath.Join(append([]string{c.Data}, names...)...)
}

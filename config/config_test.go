package config

import (
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const example = "../deploy/config.example.yaml"

func TestExampleHoldsTheDefaults(t *testing.T) {
	c, err := Load(example, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Builder.Addresses, want.Builder.Frontends, want.HTTP.TLS.ACMEHosts, want.HTTP.TrustedProxies = []string{}, []string{}, []string{}, []string{}
	want.Builder.Network.Allow, want.Retention.Versions.Keep, want.Retention.Branches.Keep = []string{}, []string{}, []string{}
	want.Builder.Mirrors = Mirrors{}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("example loads as %+v, want the defaults %+v", c, want)
	}
	if err := c.Validate(); err != nil {
		t.Error(err)
	}
}

func TestExampleNamesEverySetting(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var missing func(typ reflect.Type)
	missing = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if key := f.Tag.Get("yaml"); !strings.Contains(string(text), key+":") {
				t.Errorf("the example lacks %s", key)
			}
			if f.Type.Kind() == reflect.Struct {
				missing(f.Type)
			}
		}
	}
	missing(reflect.TypeFor[Config]())
}

func TestLoad(t *testing.T) {
	tests := []struct {
		name    string
		file    string
		environ []string
		want    func(*Config)
		wantErr string
	}{
		{name: "empty file keeps the defaults", file: "", want: func(*Config) {}},
		{name: "file", file: "http: {addr: ':80'}\nssh: {max_pack: 1GiB}\nbuilder: {timeout: 5m}", want: func(c *Config) {
			c.HTTP.Addr, c.SSH.MaxPack, c.Builder.Timeout = ":80", 1<<30, Duration(5*time.Minute)
		}},
		{name: "environment wins over file", file: "http: {addr: ':80'}", environ: []string{"FANDOGH_HTTP_ADDR=:81", "FANDOGH_SSH_MAX_PACK=2MiB", "FANDOGH_BUILDER_ADDRESSES=unix:///a,unix:///b", "FANDOGH_BUILDER_TIMEOUT=3s"},
			want: func(c *Config) {
				c.HTTP.Addr, c.SSH.MaxPack, c.Builder.Timeout = ":81", 2<<20, Duration(3*time.Second)
				c.Builder.Addresses = []string{"unix:///a", "unix:///b"}
			}},
		{name: "old name in the file", file: "registry: {collect_every: 5m}", want: func(c *Config) { c.Registry.GCInterval = Duration(5 * time.Minute) }},
		{name: "old name in the environment", file: "registry: {gc_interval: 5m}", environ: []string{"FANDOGH_REGISTRY_COLLECT_EVERY=7m"},
			want: func(c *Config) { c.Registry.GCInterval = Duration(7 * time.Minute) }},
		{name: "new name in the environment, old one in the file", file: "registry: {collect_every: 5m}", environ: []string{"FANDOGH_REGISTRY_GC_INTERVAL=7m"},
			want: func(c *Config) { c.Registry.GCInterval = Duration(7 * time.Minute) }},
		{name: "the client's variables", environ: []string{"FANDOGH_SERVER=x", "FANDOGH_TOKEN=x", "FANDOGH_NAMESPACE=x"}, want: func(*Config) {}},
		{name: "an orchestrator's variables", environ: []string{
			"FANDOGH_SERVICE_HOST=10.0.0.1", "FANDOGH_SERVICE_PORT=80", "FANDOGH_SERVICE_PORT_HTTP=80", "FANDOGH_PORT=tcp://10.0.0.1:80",
			"FANDOGH_PORT_80_TCP=tcp://10.0.0.1:80", "FANDOGH_PORT_80_TCP_PROTO=tcp", "FANDOGH_PORT_80_TCP_PORT=80", "FANDOGH_PORT_80_TCP_ADDR=10.0.0.1",
			"FANDOGH_REGISTRY_SERVICE_HOST=10.0.0.2", "FANDOGH_REGISTRY_PORT_5000_UDP=udp://10.0.0.2:5000",
		}, want: func(*Config) {}},
		{name: "mirrors", file: "builder: {mirrors: {docker.io: [https://a.example.com, 'http://b.example.com:5000/proxy']}}", want: func(c *Config) {
			c.Builder.Mirrors = Mirrors{"docker.io": {"https://a.example.com", "http://b.example.com:5000/proxy"}}
		}},
		{name: "mirrors by a variable", environ: []string{"FANDOGH_BUILDER_MIRRORS=docker.io=https://a.example.com http://b.example.com:5000/proxy,ghcr.io=https://c.example.com"}, want: func(c *Config) {
			c.Builder.Mirrors = Mirrors{"docker.io": {"https://a.example.com", "http://b.example.com:5000/proxy"}, "ghcr.io": {"https://c.example.com"}}
		}},
		{name: "mirrors of nothing", environ: []string{"FANDOGH_BUILDER_MIRRORS=https://a.example.com"}, wantErr: "docker.io=https://"},
		{name: "no address of an orchestrator", environ: []string{"FANDOGH_PORT=8080"}, wantErr: "FANDOGH_PORT"},
		{name: "unknown key", file: "http: {port: ':80'}", wantErr: "port"},
		{name: "wrong type", file: "builder: {parallel: many}", wantErr: "parallel"},
		{name: "bad size", file: "ssh: {max_pack: huge}", wantErr: "huge"},
		{name: "unknown variable", environ: []string{"FANDOGH_HTTP_PORT=:1"}, wantErr: "FANDOGH_HTTP_PORT"},
		{name: "bad variable", environ: []string{"FANDOGH_BUILDER_TIMEOUT=soon"}, wantErr: "soon"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Load(file, tt.environ)
			if tt.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
					t.Fatalf("error %v, want one with %q", err, tt.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := Default()
			tt.want(&want)
			if !reflect.DeepEqual(c, want) {
				t.Errorf("got %+v\nwant %+v", c, want)
			}
		})
	}
}

func TestEverySettingHasAVariable(t *testing.T) {
	var check func(typ reflect.Type)
	check = func(typ reflect.Type) {
		for f := range typ.Fields() {
			if f.Type.Kind() == reflect.Struct {
				if want := strings.ToUpper(f.Tag.Get("yaml")) + "_"; f.Tag.Get("envPrefix") != want {
					t.Errorf("%s has envPrefix %q, want %q", f.Name, f.Tag.Get("envPrefix"), want)
				}
				check(f.Type)
			} else if want := strings.ToUpper(f.Tag.Get("yaml")); f.Tag.Get("env") != want {
				t.Errorf("%s has env %q, want %q", f.Name, f.Tag.Get("env"), want)
			}
		}
	}
	check(reflect.TypeFor[Config]())
}

func TestValidateReportsAllFaults(t *testing.T) {
	c := Default()
	c.HTTP.Addr, c.Log.Level, c.Builder.Parallel, c.Builder.Compression = "nowhere", "loud", -1, "rar"
	c.Users.MaxImages = 0
	c.Retention.Interval, c.Retention.LogDays, c.Retention.Versions.KeepLast, c.Retention.Branches.Keep = 0, -1, 1_000_000, []string{"main-*", "[", "a b"}
	c.Builder.Addresses = []string{"tcp://host:1", "ftp://x"}
	c.Builder.Frontends = []string{"docker/dockerfile", "not an image"}
	c.Builder.Network.Allow = []string{"10.0.0.0/8", "10.1.2.3", "10.1.2.3:5000", "fd00::/8", "host:1"}
	c.HTTP.TrustedProxies = []string{"10.0.0.0/8", "proxy"}
	c.Builder.Mirrors = Mirrors{"docker.io": {"https://mirror.example.com", "mirror.example.com", "https://a:b@host", "http://:5000", "https://host:99999"}, "Docker Hub": {"https://x"}, "index.docker.io": {}}
	c.Builder.PullThrough.Registries = []string{"ghcr.io", "registry.example.com:5000", "https://ghcr.io"}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	c.HTTP.TLS.Cert = "/nowhere/cert.pem"
	err = c.Validate()
	for _, want := range []string{"http.addr", "http.trusted_proxies[1]", "http.tls: cert and key", "http.tls.cert", "log.level", "builder.parallel", "builder.compression", "builder.frontends[1]", "builder.network.allow[3]", "builder.network.allow[4]", "builder.addresses[0]", "builder.addresses[1]", "users.max_images",
		"retention.interval", "retention.log_days", "retention.versions.keep_last", "retention.branches.keep[1]", "retention.branches.keep[2]",
		"builder.mirrors: they are for", "builder.mirrors.docker.io[1]", "builder.mirrors.docker.io[2]", "builder.mirrors.docker.io[3]", "builder.mirrors.docker.io[4]", `builder.mirrors: "Docker Hub"`, `builder.mirrors: "index.docker.io"`, "builder.pull_through.registries[2]"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

// TestLimitsOutOfAllReason has what the kernel does not take: no limit would hold.
func TestLimitsOutOfAllReason(t *testing.T) {
	for name, test := range map[string]struct {
		set  func(*Limits)
		want string
	}{
		"no processors":           {func(l *Limits) { l.CPUs = 0.001 }, "builder.limits.cpus"},
		"any processors":          {func(l *Limits) { l.CPUs = math.Inf(1) }, "builder.limits.cpus"},
		"not a number":            {func(l *Limits) { l.Build.CPUs = math.NaN() }, "builder.limits.build.cpus"},
		"more than any machine's": {func(l *Limits) { l.Step.CPUs = 1e18 }, "builder.limits.step.cpus"},
		"too few processes":       {func(l *Limits) { l.PIDs = 1 }, "builder.limits.pids"},
		"of a step":               {func(l *Limits) { l.Step.PIDs = 15 }, "builder.limits.step.pids"},
		"of a build":              {func(l *Limits) { l.Build.PIDs = 2 }, "builder.limits.build.pids"},
		"too many processes":      {func(l *Limits) { l.PIDs = 1e18 }, "builder.limits.pids"},
		"of a build, too":         {func(l *Limits) { l.Build.PIDs = 1<<22 + 1 }, "builder.limits.build.pids"},
		"little memory":           {func(l *Limits) { l.Step.Memory = 1 << 20 }, "builder.limits.step.memory"},
		"the least":               {func(l *Limits) { l.PIDs, l.CPUs, l.Memory = 16, 0.01, 16<<20 }, ""},
		"the most":                {func(l *Limits) { l.PIDs, l.CPUs, l.Memory, l.Disk = 1<<22, 1<<16, math.MaxInt64, math.MaxInt64 }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := Default()
			test.set(&c.Builder.Limits)
			err := c.Validate()
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want+": ")) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

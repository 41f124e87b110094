package conformance

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// client is a program that speaks to registries.
type client struct {
	name    string
	debian  string // the package that brings it; empty: it is one of the tools
	engine  *engine
	prelude string // shell: push NAME:TAG TEXT pushes something that holds TEXT; pull NAME:TAG prints what it holds
}

var registryClients = []client{
	{name: "buildah", debian: "buildah", prelude: `
push() { c=$(buildah from scratch); printf "$2" >file; buildah add -q "$c" file /file >/dev/null; buildah commit -q --timestamp 0 "$c" image >/dev/null; buildah push -q --tls-verify=false image docker://$R/$1 >/dev/null; }
pull() { buildah pull -q --tls-verify=false $R/$1 >/dev/null; c=$(buildah from --pull-never $R/$1); cat "$(buildah mount "$c")/file"; echo; }
`},
	{name: "cosign", prelude: `
export COSIGN_PASSWORD= SIGSTORE_NO_CACHE=true
keys() { for k in one two; do cosign generate-key-pair --output-key-prefix $k 2>/dev/null; done; }
sign() { k=$1; shift; cosign sign --yes --key $k.key --tlog-upload=false --use-signing-config=false --allow-http-registry "$@" 2>../out; }
attest() { k=$1; shift; printf '{"by":"%s"}' $k >predicate; cosign attest --yes --key $k.key --predicate predicate --tlog-upload=false --use-signing-config=false --allow-http-registry "$@" 2>../out; }
verify() { k=$1; shift; cosign verify --key $k.pub --insecure-ignore-tlog --allow-http-registry "$@" 2>/dev/null >json && grep -o 'sha256:[0-9a-f]*' json | sort -u; }
verified() { k=$1; shift; cosign verify-attestation --type custom --key $k.pub --insecure-ignore-tlog --allow-http-registry "$@" 2>../out | wc -l; }
`},
	{name: "crane", prelude: `
push() { archive "$2"; crane push --insecure image.tar $R/$1 >/dev/null 2>&1; }
pull() { crane export --insecure $R/$1 - | tar -xOf - file; echo; }
`},
	{name: "ctr", debian: "containerd", engine: containerd, prelude: `
export CONTAINERD_ADDRESS=$ENGINE/sock CONTAINERD_NAMESPACE=$N-$SIDE
push() { archive "$2"; ctr image import --all-platforms --no-unpack image.tar >/dev/null; ctr image tag --force docker.io/library/$N:1 $R/$1 >/dev/null; ctr image push --plain-http --user "$CREDENTIAL" $R/$1 >/dev/null; ctr image rm --sync $R/$1 docker.io/library/$N:1 >/dev/null; }
pull() { ctr image pull --all-platforms --plain-http --user "$CREDENTIAL" --snapshotter native $R/$1 >/dev/null; held $R/$1; }
held() { rm -rf out; mkdir out; ctr image export --all-platforms - $1 | tar -C out -xf -; for b in out/blobs/sha256/*; do if tar -xOf $b file 2>/dev/null; then echo; return; fi; done; }
`},
	{name: "docker", debian: "docker.io", engine: dockerd, prelude: `
export DOCKER_HOST=unix://$ENGINE/sock
docker() { /usr/bin/docker "$@"; }
push() { archive "$2"; docker load -q -i image.tar >/dev/null; docker tag $N:1 $R/$1; docker push -q $R/$1 >/dev/null; docker rmi -f $N:1 $R/$1 >/dev/null; }
pull() { docker pull -q $R/$1 >/dev/null; held $R/$1; docker rmi -f $R/$1 >/dev/null; }
held() { c=$(docker create $1 /file); docker cp $c:/file file; docker rm $c >/dev/null; cat file; echo; }
`},
	{name: "helm", prelude: `
push() { f=${1%:*}-${1#*:}.0.0.tgz; if ! [ -e "$2/$f" ]; then chart ${1%:*} ${1#*:} "$2"; helm package -d "$2" chart >/dev/null; fi; helm push --plain-http "$2/$f" oci://$R >/dev/null 2>&1; }
chart() { mkdir -p chart/templates; printf 'apiVersion: v2\nname: %s\nversion: %s.0.0\ndescription: %s\n' $1 $2 "$3" >chart/Chart.yaml; printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held}\ndata: {held: %s}\n' "$3" >chart/templates/held.yaml; }
pull() { rm -rf got; helm pull --plain-http --untar -d got --version ${1#*:}.0.0 oci://$R/${1%:*} >/dev/null 2>&1; sed -n 's/^description: //p' got/${1%:*}/Chart.yaml; }
`},
	{name: "oras", prelude: `
dated=org.opencontainers.image.created=2000-01-01T00:00:00Z
push() { printf "$2" >file; oras push --plain-http --annotation $dated $R/$1 file >/dev/null; }
pull() { oras pull --plain-http -o got $R/$1 >/dev/null; cat got/file; echo; }
`},
	{name: "podman", debian: "podman", prelude: `
push() { archive "$2"; podman load -q -i image.tar >/dev/null; podman push -q --tls-verify=false localhost/$N:1 docker://$R/$1; podman rmi -f localhost/$N:1 >/dev/null; }
pull() { podman pull -q --tls-verify=false $R/$1 >/dev/null; cat "$(podman image mount $R/$1)/file"; echo; podman rmi -f $R/$1 >/dev/null; }
`},
	{name: "regctl", prelude: `
regctl registry set --skip-check --tls disabled $H 2>/dev/null
push() { archive "$2"; regctl image import $R/$1 image.tar; }
pull() { regctl image get-file $R/$1 file; echo; }
`},
	{name: "skopeo", debian: "skopeo", prelude: `
push() { archive "$2"; sk copy -q --dest-tls-verify=false docker-archive:image.tar docker://$R/$1; }
pull() { sk copy -q --src-tls-verify=false docker://$R/$1 dir:got; for b in got/*; do if tar -xOf $b file 2>/dev/null; then echo; return; fi; done; }
`},
	{name: "curl", debian: "curl"},
	{name: dockerRequests, debian: "curl"},
}

// dockerRequests stands for an engine without one.
const dockerRequests = "dockerd's requests"

// notRun are clients that no case is for, with the reason.
var notRun = []struct{ client, why string }{
	{"imgpkg", "the Go module proxy does not have it"},
	{"nerdctl", "Debian does not package it and the Go module proxy does not have it; ctr has the same client library"},
	{"umoci", "it works on layouts on disk and speaks to no registry"},
}

// isTested says whether the client's own push and pull go through the cases that all share.
func (c client) isTested() bool { return strings.Contains(c.prelude, "\npush() ") }

// version is what is installed.
func (c client) version(ctx context.Context, w *env) (string, error) {
	if c.debian == "" {
		info, err := buildinfo.ReadFile(w.tool(c.name))
		if err != nil {
			return "", err
		}
		return info.Main.Version, nil
	}
	out, err := exec.CommandContext(ctx, "dpkg-query", "--show", "--showformat", "${Version}", c.debian).Output()
	if err != nil || len(out) == 0 {
		return "", fmt.Errorf("the package %s is not installed", c.debian)
	}
	return string(out), nil
}

// ready starts what the client needs, and returns its version or why it can't run here.
func (c client) ready(ctx context.Context, w *env) (string, error) {
	version, err := c.version(ctx, w)
	if err == nil && c.engine != nil {
		err = c.engine.run(ctx, w)
	}
	return version, err
}

// clientOf is the client of a case.
func clientOf(c registryCase) client {
	i := slices.IndexFunc(registryClients, func(known client) bool { return known.name == c.client })
	return registryClients[i]
}

// engine is a daemon that a client gives orders to. All cases share it.
type engine struct {
	name  string
	needs *engine
	start func(dir string) []string // the daemon, which listens on sock in dir
	asks  func(dir string) []string // succeeds when it is ready

	once    sync.Once
	process *programs.Process
	err     error
}

var containerd = &engine{
	name: "containerd",
	start: func(dir string) []string {
		return []string{"containerd", "--config", filepath.Join(dir, "config"), "--root", filepath.Join(dir, "root"), "--state", filepath.Join(dir, "state"), "--address", filepath.Join(dir, "sock")}
	},
	asks: func(dir string) []string { return []string{"ctr", "--address", filepath.Join(dir, "sock"), "version"} },
}

var dockerd = &engine{
	name:  "dockerd",
	needs: containerd,
	start: func(dir string) []string {
		return []string{
			"dockerd", "--config-file", filepath.Join(dir, "config"), "--data-root", filepath.Join(dir, "root"), "--exec-root", filepath.Join(dir, "state"), "--pidfile", filepath.Join(dir, "pid"),
			"--host", "unix://" + filepath.Join(dir, "sock"), "--containerd", filepath.Join(filepath.Dir(dir), containerd.name, "sock"), "--storage-driver", "vfs", "--bridge", "none", "--iptables=false", "--ip-masq=false",
		}
	},
	asks: func(dir string) []string {
		return []string{"/usr/bin/docker", "--host", "unix://" + filepath.Join(dir, "sock"), "version"}
	},
}

var engines = []*engine{dockerd, containerd} // in the order they stop

// configs are the engines' settings: each case of containerd must fetch for itself.
var configs = map[string]string{
	"containerd": "version = 2\n[plugins.\"io.containerd.metadata.v1.bolt\"]\ncontent_sharing_policy = \"isolated\"\n",
	"dockerd":    "{}",
}

func (e *engine) dir(w *env) string { return filepath.Join(w.dir, e.name) }

func (e *engine) run(ctx context.Context, w *env) error {
	e.once.Do(func() { e.err = e.launch(context.WithoutCancel(ctx), w) })
	return e.err
}

func (e *engine) launch(ctx context.Context, w *env) error {
	if e.needs != nil {
		if err := e.needs.run(ctx, w); err != nil {
			return err
		}
	}
	dir := e.dir(w)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(configs[e.name]), 0o600); err != nil {
		return err
	}
	command := e.start(dir)
	var err error
	if e.process, err = programs.Start(ctx, filepath.Join(dir, "log"), nil, command[0], command[1:]...); err != nil {
		return err
	}
	return e.process.Await(ctx, func() bool {
		asks := e.asks(dir)
		return exec.CommandContext(ctx, asks[0], asks[1:]...).Run() == nil
	})
}

package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// peer is what a user would wire up by hand: OpenSSH's server, bare
// repositories with a post-receive hook, buildkitd and a stand-alone registry.
type peer struct {
	bench    *bench
	dir      string
	ssh      string // host:port
	registry string // host:port
	buildkit string // address
	flags    string // of the ssh client
	parts    []*process
}

func startPeer(ctx context.Context, b *bench, dir string) (*peer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	p := &peer{bench: b, dir: dir}
	for _, step := range []func(context.Context) error{p.startSSH, p.startRegistry, p.startBuildKit} {
		if err := step(ctx); err != nil {
			p.stop()
			return nil, err
		}
	}
	return p, nil
}

// stop ends the parts, the last one first; before them the sessions and hooks, for
// whose builds buildkitd would wait.
func (p *peer) stop() {
	for _, part := range p.parts {
		if part.cmd.Path == sshServer {
			part.killChildren()
		}
	}
	for i := len(p.parts) - 1; i >= 0; i-- {
		p.parts[i].stop()
	}
}

func (p *peer) write(name, text string) (string, error) {
	path := filepath.Join(p.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// part runs a program and waits until it answers.
func (p *peer) part(ctx context.Context, ready func() bool, name string, args ...string) error {
	child, err := startProcess(ctx, filepath.Join(p.dir, filepath.Base(name)+".log"), nil, name, args...)
	if err != nil {
		return err
	}
	p.parts = append(p.parts, child)
	return child.await(ctx, ready)
}

const sshServer = "/usr/sbin/sshd"

const sshdConfig = `Port %s
ListenAddress 127.0.0.1
HostKey %s
AuthorizedKeysFile %s
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
MaxStartups %s
LogLevel ERROR
`

func (p *peer) startSSH(ctx context.Context) error {
	key, err := makeKey(ctx, p.dir)
	if err != nil {
		return err
	}
	host := filepath.Join(p.dir, "host_key")
	if _, err := command(ctx, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host); err != nil {
		return err
	}
	if p.ssh, err = freeAddress(ctx); err != nil {
		return err
	}
	p.flags = sshFlags(key)
	_, port, _ := net.SplitHostPort(p.ssh)
	config, err := p.write("sshd_config", fmt.Sprintf(sshdConfig, port, host, key+".pub", connections))
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd insists on it
		return err
	}
	return p.part(ctx, func() bool { return listens(ctx, p.ssh) }, sshServer, "-D", "-e", "-f", config)
}

const registryConfig = `version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  cache: {blobdescriptor: inmemory}
  filesystem: {rootdirectory: %s}
http: {addr: %s}
`

func (p *peer) startRegistry(ctx context.Context) error {
	child, address, err := p.bench.startRegistry(ctx, p.dir, "127.0.0.1")
	if err != nil {
		return err
	}
	p.parts, p.registry = append(p.parts, child), address
	return nil
}

// startRegistry runs a stand-alone registry on a loopback host and returns its address.
func (b *bench) startRegistry(ctx context.Context, dir, host string) (*process, string, error) {
	address, err := freeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(address)
	address = net.JoinHostPort(host, port)
	config := filepath.Join(dir, "registry.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, filepath.Join(dir, "registry"), address), 0o600); err != nil {
		return nil, "", err
	}
	child, err := startProcess(ctx, filepath.Join(dir, "registry.log"), nil, b.tool("registry"), "serve", config)
	if err != nil {
		return nil, "", err
	}
	if err := child.await(ctx, func() bool { return listens(ctx, address) }); err != nil {
		child.stop()
		return nil, "", err
	}
	return child, address, nil
}

const buildkitConfig = `root = %q
[grpc]
address = [%q]
[otel]
socketPath = %q
[cdi]
disabled = true
[worker.containerd]
enabled = false
`

func (p *peer) startBuildKit(ctx context.Context) error {
	socket := filepath.Join(p.dir, "buildkitd.sock")
	p.buildkit = "unix://" + socket
	config, err := p.write("buildkitd.toml", fmt.Sprintf(buildkitConfig, filepath.Join(p.dir, "buildkit"), p.buildkit, filepath.Join(p.dir, "trace.sock")))
	if err != nil {
		return err
	}
	return p.part(ctx, func() bool {
		_, err := command(ctx, "", nil, p.bench.tool("buildctl"), "--addr", p.buildkit, "debug", "workers")
		return err == nil
	}, p.bench.tool("buildkitd"), "--config", config)
}

// hook builds every pushed tag, as simply as it can be written.
const hook = `#!/bin/sh
set -e
while read old new ref; do
  case $ref in refs/tags/*) ;; *) continue ;; esac
  dir=$(mktemp -d -p %s)
  git archive "$new" | tar x -C "$dir"
  %s --addr %s build --progress=plain --frontend dockerfile.v0 --local context="$dir" --local dockerfile="$dir" \
    --output type=image,name=%s:${ref#refs/tags/},push=true,registry.insecure=true
  rm -rf "$dir"
done
`

func (p *peer) prepare(ctx context.Context, app string) error {
	repository := p.repository(app)
	if _, err := command(ctx, "", nil, "git", "init", "-q", "--bare", repository); err != nil {
		return err
	}
	text := fmt.Sprintf(hook, p.dir, p.bench.tool("buildctl"), p.buildkit, p.registry+"/"+user+"/"+app)
	return os.WriteFile(filepath.Join(repository, "hooks", "post-receive"), []byte(text), 0o755)
}

func (p *peer) repository(app string) string         { return filepath.Join(p.dir, "repos", app+".git") }
func (p *peer) name() string                         { return "peer" }
func (p *peer) env() []string                        { return gitEnv(p.flags) }
func (p *peer) remote(app string) string             { return "ssh://root@" + p.ssh + p.repository(app) }
func (p *peer) image(app, tag string) string         { return p.registry + "/" + user + "/" + app + ":" + tag }
func (p *peer) credentials() (name, password string) { return "", "" }

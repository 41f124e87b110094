package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"

	"github.com/fandoghpaas/fandogh/internal/programs"
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
	parts    []*programs.Process
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
		if part.Cmd.Path == sshServer {
			killChildren(part)
		}
	}
	for i := len(p.parts) - 1; i >= 0; i-- {
		p.parts[i].Stop()
	}
}

// server is the one that git comes to.
func (p *peer) server() *programs.Process {
	i := slices.IndexFunc(p.parts, func(part *programs.Process) bool { return part.Cmd.Path == sshServer })
	return p.parts[i]
}

func (p *peer) write(name, text string) (string, error) {
	path := filepath.Join(p.dir, name)
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// part runs a program and waits until it answers.
func (p *peer) part(ctx context.Context, ready func() bool, name string, args ...string) error {
	child, err := programs.Start(ctx, filepath.Join(p.dir, filepath.Base(name)+".log"), nil, name, args...)
	if err != nil {
		return err
	}
	p.parts = append(p.parts, child)
	return child.Await(ctx, ready)
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
	key, err := programs.MakeKey(ctx, p.dir)
	if err != nil {
		return err
	}
	host := filepath.Join(p.dir, "host_key")
	if _, err := programs.Command(ctx, "", nil, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", host); err != nil {
		return err
	}
	if p.ssh, err = programs.FreeAddress(ctx); err != nil {
		return err
	}
	p.flags = programs.SSHFlags(key)
	_, port, _ := net.SplitHostPort(p.ssh)
	config, err := p.write("sshd_config", fmt.Sprintf(sshdConfig, port, host, key+".pub", connections))
	if err != nil {
		return err
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd insists on it
		return err
	}
	return p.part(ctx, func() bool { return programs.Listens(ctx, p.ssh) }, sshServer, "-D", "-e", "-f", config)
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
func (b *bench) startRegistry(ctx context.Context, dir, host string) (*programs.Process, string, error) {
	address, err := programs.FreeAddress(ctx)
	if err != nil {
		return nil, "", err
	}
	_, port, _ := net.SplitHostPort(address)
	address = net.JoinHostPort(host, port)
	config := filepath.Join(dir, "registry.yml")
	if err := os.WriteFile(config, fmt.Appendf(nil, registryConfig, filepath.Join(dir, "registry"), address), 0o600); err != nil {
		return nil, "", err
	}
	child, err := programs.Start(ctx, filepath.Join(dir, "registry.log"), nil, b.tool("registry"), "serve", config)
	if err != nil {
		return nil, "", err
	}
	if err := child.Await(ctx, func() bool { return programs.Listens(ctx, address) }); err != nil {
		child.Stop()
		return nil, "", err
	}
	return child, address, nil
}

func (p *peer) startBuildKit(ctx context.Context) error {
	b, err := programs.StartBuildkitd(ctx, p.bench.tool("buildkitd"), p.bench.tool("buildctl"), p.dir, "")
	if err != nil {
		return err
	}
	p.parts, p.buildkit = append(p.parts, b.Process), b.Address
	return nil
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
	if _, err := programs.Command(ctx, "", nil, "git", "init", "-q", "--bare", repository); err != nil {
		return err
	}
	text := fmt.Sprintf(hook, p.dir, p.bench.tool("buildctl"), p.buildkit, p.registry+"/"+user+"/"+app)
	return os.WriteFile(filepath.Join(repository, "hooks", "post-receive"), []byte(text), 0o755)
}

func (p *peer) repository(app string) string         { return filepath.Join(p.dir, "repos", app+".git") }
func (p *peer) name() string                         { return "peer" }
func (p *peer) env() []string                        { return programs.GitEnv(p.flags) }
func (p *peer) remote(app string) string             { return "ssh://root@" + p.ssh + p.repository(app) }
func (p *peer) image(app, tag string) string         { return p.registry + "/" + user + "/" + app + ":" + tag }
func (p *peer) credentials() (name, password string) { return "", "" }

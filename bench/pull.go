package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// pulled is an image to pull.
type pulled struct{ mb, layers int }

// The larger one is as many layers as some clients pull at once.
const (
	pulledMB = 200
	largerMB = 500
)

// puller copies an image to a directory that is not there yet, by a client that
// users have.
type puller struct {
	name string
	args func(reference, to string) []string
}

var (
	skopeo = puller{"skopeo", func(reference, to string) []string {
		return []string{"copy", "-q", "--src-tls-verify=false", "docker://" + reference, "dir:" + to}
	}}
	crane = puller{"crane", func(reference, to string) []string {
		return []string{"pull", "--insecure", "--format=oci", reference, to}
	}}
)

func (p puller) pull(ctx context.Context, b *bench, env []string, reference, to string) error {
	program := p.name
	if program == "crane" {
		program = b.tool(program)
	}
	_, err := programs.Command(ctx, "", env, program, p.args(reference, to)...)
	return err
}

// pulls is row 8: the same image from our registry and from the stand-alone one.
func pulls(ctx context.Context, b *bench) ([]measure, error) {
	d, err := b.ours(ctx)
	if err != nil {
		return nil, err
	}
	p, err := b.peer(ctx)
	if err != nil {
		return nil, err
	}
	images := []pulled{{pulledMB, 4}, {largerMB, 5}}
	if b.scale {
		images = append(images, pulled{pulledMB / 10, 4}, pulled{10 * pulledMB, 4})
	}
	var all []measure
	for _, image := range images {
		measures, err := b.pull(ctx, d, p, image)
		if err != nil {
			return all, err
		}
		all = append(all, measures...)
	}
	return all, nil
}

func (b *bench) pull(ctx context.Context, d *daemon, p *peer, image pulled) ([]measure, error) {
	app, err := b.heavyImage(ctx, d, image)
	if err != nil {
		return nil, err
	}
	// Layer by layer the same to the peer: what is compared is the registries.
	args := []string{"copy", "-q", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds", user + ":" + d.token}
	if _, err := programs.Command(ctx, "", nil, "skopeo", append(args, "docker://"+d.image(app, "v1"), "docker://"+p.image(app, "v1"))...); err != nil {
		return nil, err
	}
	// A pull of little is soon done, and as soon disturbed.
	rounds := max(3, min(3*b.rounds, b.rounds*2*pulledMB/image.mb))
	if image.mb > largerMB {
		rounds = min(3, rounds)
	}
	var all []measure
	for _, client := range []puller{skopeo, crane} {
		m := measure{row: 8, what: "pull with " + client.name, size: fmt.Sprintf("%d MB in %d layers", image.mb, image.layers), n: float64(image.mb), unit: "MB/s", atLeast: true}
		if image.mb <= largerMB {
			m.goal = 1
		}
		fetch := func(s side, to *[]float64) func(int) error {
			return func(int) error {
				took, err := b.fetch(ctx, s, app, client)
				*to = append(*to, float64(image.mb)/took)
				return err
			}
		}
		if err := inTurn(rounds, fetch(d, &m.ours), fetch(p, &m.peer)); err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// heavyImage has ours build an image to pull, and returns its app.
func (b *bench) heavyImage(ctx context.Context, d *daemon, image pulled) (string, error) {
	dockerfile := "FROM scratch\n"
	for i := range image.layers {
		dockerfile += fmt.Sprintf("COPY part%d /\n", i)
	}
	w, err := b.newWorkTree(ctx, fmt.Sprintf("heavy%d", image.mb), dockerfile, 0, 0)
	if err != nil {
		return "", err
	}
	for i := range image.layers {
		if err := writeNoise(filepath.Join(w.dir, fmt.Sprintf("part%d", i)), uint64(i), int64(image.mb)*1_000_000/int64(image.layers)); err != nil {
			return "", err
		}
	}
	for _, setting := range []string{"core.compression=0", "core.bigFileThreshold=1m"} { // git need not try
		name, value, _ := strings.Cut(setting, "=")
		if err := w.git(ctx, "config", name, value); err != nil {
			return "", err
		}
	}
	if err := w.commit(ctx, "v1"); err != nil {
		return "", err
	}
	if _, err := w.push(ctx, d, "v1"); err != nil {
		return "", err
	}
	return w.app, os.RemoveAll(w.dir)
}

// fetch copies an image to a directory with a client and returns how long it took.
func (b *bench) fetch(ctx context.Context, s side, app string, client puller) (float64, error) {
	to, home := b.path("pulled"), b.path("credentials")
	env, err := loggedIn(s, app, home)
	if err != nil {
		return 0, err
	}
	took, err := seconds(func() error { return client.pull(ctx, b, env, s.image(app, "v1"), to) })
	if err != nil {
		return 0, err
	}
	return took, errors.Join(os.RemoveAll(to), os.RemoveAll(home))
}

// loggedIn returns the environment of clients who are logged in to a side's
// registry; dir is theirs.
func loggedIn(s side, app, dir string) ([]string, error) {
	host, _, _ := strings.Cut(s.image(app, "v1"), "/")
	auths := map[string]any{}
	if name, password := s.credentials(); name != "" {
		auths[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(name + ":" + password))}
	}
	text, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "config.json")
	return []string{"DOCKER_CONFIG=" + dir, "REGISTRY_AUTH_FILE=" + file}, os.WriteFile(file, text, 0o600)
}

// writeNoise makes a file that can't be compressed, the same for the same seed.
func writeNoise(path string, seed uint64, size int64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	var key [32]byte
	key[0] = byte(seed)
	if _, err := io.CopyN(f, rand.NewChaCha8(key), size); err != nil {
		return err
	}
	return f.Close()
}

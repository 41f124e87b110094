package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

const (
	pulledMB    = 200
	pulledParts = 4
)

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
	megabytes := []int{pulledMB}
	if b.scale {
		megabytes = []int{pulledMB, pulledMB / 10, 10 * pulledMB}
	}
	var all []measure
	for _, mb := range megabytes {
		m, err := b.pull(ctx, d, p, mb)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (b *bench) pull(ctx context.Context, d *daemon, p *peer, mb int) (measure, error) {
	m := measure{row: 8, what: "pull with skopeo", size: fmt.Sprintf("%d MB in %d layers", mb, pulledParts), n: float64(mb), unit: "MB/s", atLeast: true}
	rounds := b.rounds
	if mb <= pulledMB {
		m.goal = 1
	} else {
		rounds = min(3, rounds)
	}
	app, err := b.heavyImage(ctx, d, mb)
	if err != nil {
		return m, err
	}
	// Layer by layer the same to the peer: what is compared is the registries.
	args := []string{"copy", "-q", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds", user + ":" + d.token}
	if _, err := command(ctx, "", nil, "skopeo", append(args, "docker://"+d.image(app, "v1"), "docker://"+p.image(app, "v1"))...); err != nil {
		return m, err
	}
	fetch := func(s side, to *[]float64) func(int) error {
		return func(int) error {
			took, err := b.fetch(ctx, s, app)
			*to = append(*to, float64(mb)/took)
			return err
		}
	}
	return m, inTurn(rounds, fetch(d, &m.ours), fetch(p, &m.peer))
}

// heavyImage has ours build an image of so many megabytes, and returns its app.
func (b *bench) heavyImage(ctx context.Context, d *daemon, mb int) (string, error) {
	dockerfile := "FROM scratch\n"
	for i := range pulledParts {
		dockerfile += fmt.Sprintf("COPY part%d /\n", i)
	}
	w, err := b.newWorkTree(ctx, fmt.Sprintf("heavy%d", mb), dockerfile, 0, 0)
	if err != nil {
		return "", err
	}
	for i := range pulledParts {
		if err := writeNoise(filepath.Join(w.dir, fmt.Sprintf("part%d", i)), uint64(i), int64(mb)*1_000_000/pulledParts); err != nil {
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

// fetch copies an image to a directory and returns how long it took.
func (b *bench) fetch(ctx context.Context, s side, app string) (float64, error) {
	to := b.path("pulled")
	args := []string{"copy", "-q", "--src-tls-verify=false"}
	if name, password := s.credentials(); name != "" {
		args = append(args, "--src-creds", name+":"+password)
	}
	took, err := seconds(func() error {
		_, err := command(ctx, "", nil, "skopeo", append(args, "docker://"+s.image(app, "v1"), "dir:"+to)...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return took, os.RemoveAll(to)
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

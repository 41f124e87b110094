package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
)

const pulledParts = 4

// pulls is row 8: the same image from our registry and from the stand-alone one.
func pulls(ctx context.Context, b *bench) ([]measure, error) {
	sides, err := b.sides(ctx)
	if err != nil {
		return nil, err
	}
	megabytes := []int{200}
	if b.scale {
		megabytes = []int{200, 20, 600}
	}
	var all []measure
	for _, mb := range megabytes {
		m, err := b.pull(ctx, sides, mb)
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (b *bench) pull(ctx context.Context, sides [2]side, mb int) (measure, error) {
	m := measure{row: 8, what: "pull with skopeo", size: fmt.Sprintf("%d MB in %d layers", mb, pulledParts), n: float64(mb), unit: "MB/s", goal: 1, atLeast: true}
	dockerfile := "FROM scratch\n"
	for i := range pulledParts {
		dockerfile += fmt.Sprintf("COPY part%d /\n", i)
	}
	w, err := b.newWorkTree(ctx, fmt.Sprintf("heavy%d", mb), dockerfile, 0, 0)
	if err != nil {
		return m, err
	}
	for i := range pulledParts {
		if err := writeNoise(filepath.Join(w.dir, fmt.Sprintf("part%d", i)), uint64(i), int64(mb)*1_000_000/pulledParts); err != nil {
			return m, err
		}
	}
	if err := w.commit(ctx, "v1"); err != nil {
		return m, err
	}
	for _, s := range sides {
		if err := s.prepare(ctx, w.app); err != nil {
			return m, err
		}
		if _, err := w.push(ctx, s, "v1"); err != nil {
			return m, err
		}
	}
	fetch := func(s side, to *[]float64) func(int) error {
		return func(int) error {
			took, err := b.fetch(ctx, s, w.app)
			*to = append(*to, float64(mb)/took)
			return err
		}
	}
	rounds := b.rounds
	if mb > 200 {
		rounds = 2
	}
	return m, inTurn(rounds, fetch(sides[0], &m.ours), fetch(sides[1], &m.peer))
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

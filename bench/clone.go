package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

const cloneRounds = 3

// fetched is what a client of row 11 lacks.
type fetched struct {
	what    string
	commits int // 0: all
	times   int // in one sample, as some take less time than the kernel counts
}

var fetchedSizes = []fetched{
	{"clone of a long history", 0, 1}, {"fetch of 2,000 commits", 2000, 1}, {"fetch of one commit", 1, 10},
}

// fetches is row 11: stock git clones and fetches a long history from both sides, as it was
// pushed to them. The processor time is the server's, with SSH: of fandoghd, and
// of sshd with git's upload-pack.
func fetches(ctx context.Context, b *bench) ([]measure, error) {
	return b.eachHistory(ctx, b.fetchHistory)
}

func (b *bench) fetchHistory(ctx context.Context, open func() (*history, error)) (all []measure, err error) {
	d, err := b.ours(ctx)
	if err != nil {
		return nil, err
	}
	p, err := b.peer(ctx)
	if err != nil {
		return nil, err
	}
	h, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.dir)) }()
	app := "fetched" + strconv.Itoa(h.objects)
	sides := [2]side{d, p}
	for _, s := range sides {
		if err := s.prepare(ctx, app); err != nil {
			return nil, err
		}
	}
	if err := h.send(ctx, d.sshFlags, "git@"+d.SSH, "/"+user+"/"+app); err != nil {
		return nil, err
	}
	if err := h.send(ctx, p.flags, "root@"+p.ssh, p.repository(app)); err != nil {
		return nil, err
	}
	for _, f := range fetchedSizes {
		measures, err := f.measure(ctx, b, h, sides, app)
		all = append(all, measures...)
		if err != nil {
			return all, fmt.Errorf("%s: %w", f.what, err)
		}
	}
	return all, nil
}

// served is the processor time of a side's server, in seconds.
func served(ctx context.Context, s side) (float64, error) {
	switch s := s.(type) {
	case *daemon:
		own, _, err := processorTime(s.Process)
		return own, err
	case *peer:
		sshd := s.server()
		if err := sshd.Await(ctx, func() bool { return len(children(sshd.Cmd.Process.Pid)) == 0 }); err != nil {
			return 0, err
		}
		own, ended, err := processorTime(sshd)
		return own + ended, err
	}
	return 0, fmt.Errorf("%s has no server", s.name())
}

func (f fetched) measure(ctx context.Context, b *bench, h *history, sides [2]side, app string) ([]measure, error) {
	took := measure{row: 11, what: f.what, size: h.size(), n: float64(h.objects), unit: "s", goal: 1}
	cpu := measure{row: 11, what: f.what + ": the server's processor time", size: h.size(), n: float64(h.objects), unit: "s", goal: 1}
	for round := range cloneRounds {
		err := turn(round, sides, func(at int, s side) error {
			var clients []string
			for range f.times {
				client, err := f.client(ctx, b, h)
				if err != nil {
					return err
				}
				clients = append(clients, client)
			}
			before, err := served(ctx, s)
			if err != nil {
				return err
			}
			t, err := seconds(func() error {
				for _, client := range clients {
					if _, err := programs.Command(ctx, client, s.env(), "git", "fetch", "-q", s.remote(app), "main"); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			after, err := served(ctx, s)
			took.add(at, t/float64(f.times))
			cpu.add(at, (after-before)/float64(f.times))
			for _, client := range clients {
				err = errors.Join(err, os.RemoveAll(client))
			}
			return err
		})
		if err != nil {
			return measured(took, cpu), err
		}
	}
	return []measure{took, cpu}, nil
}

// client makes a repository that lacks what is to be fetched.
func (f fetched) client(ctx context.Context, b *bench, h *history) (string, error) {
	dir := b.path("client")
	if f.commits == 0 {
		_, err := programs.Command(ctx, "", nil, "git", "init", "-q", "--bare", dir)
		return dir, err
	}
	base := fmt.Sprintf("%s-%d", h.dir, f.commits)
	if _, err := os.Stat(base); err != nil {
		if _, err := programs.Command(ctx, "", nil, "git", "init", "-q", "--bare", "-b", "old", base); err != nil {
			return "", err
		}
		from, err := programs.Command(ctx, h.dir, nil, "git", "rev-parse", fmt.Sprintf("main~%d", f.commits))
		if err != nil {
			return "", err
		}
		if _, err := programs.Command(ctx, base, nil, "git", "fetch", "-q", h.dir, from+":refs/heads/old"); err != nil {
			return "", err
		}
	}
	_, err := programs.Command(ctx, "", nil, "cp", "-al", base, dir)
	return dir, err
}

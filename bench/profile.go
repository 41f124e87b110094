package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/programs"
)

// recorder takes one processor profile of a program after the other until it is
// stopped. Each belongs to the row during which it began.
type recorder struct {
	bench      *bench
	name       string // of the program
	url, token string
	quit, done chan struct{}
}

// profileSeconds is how long one profile takes: a daemon is stopped that much later.
const profileSeconds = 4

// debuggedBuildkitd returns the environment in which the daemon's buildkitd has its
// debugging address open, and the address; both are empty without profiles.
func (b *bench) debuggedBuildkitd(ctx context.Context, dir string) (env []string, address string, err error) {
	if b.profiles == "" {
		return nil, "", nil
	}
	if address, err = programs.FreeAddress(ctx); err != nil {
		return nil, "", err
	}
	script := filepath.Join(dir, "buildkitd")
	text := fmt.Sprintf("#!/bin/sh\nexec %s --debugaddr %s \"$@\"\n", b.tool("buildkitd"), address)
	return []string{"FANDOGH_BUILDER_MANAGED_BUILDKITD=" + script}, address, os.WriteFile(script, []byte(text), 0o755)
}

// record profiles the daemon, and the buildkitd at an address, until the daemon
// is stopped.
func (d *daemon) record(ctx context.Context, buildkitd string) error {
	if d.bench.profiles == "" {
		return nil
	}
	const admin = "profiler" // only administrators may see profiles
	if err := d.AddUser(ctx, admin, "", "--admin"); err != nil {
		return err
	}
	token, err := d.Admin(ctx, "", "token", "create", admin)
	if err != nil {
		return err
	}
	for _, r := range []*recorder{{name: "fandoghd", url: d.HTTP, token: token}, {name: "buildkitd", url: buildkitd}} {
		r.bench, r.quit, r.done = d.bench, make(chan struct{}), make(chan struct{})
		r.url = fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", r.url, profileSeconds)
		d.recorders = append(d.recorders, r)
		go r.run(ctx)
	}
	return nil
}

func (r *recorder) run(ctx context.Context) {
	defer close(r.done)
	for {
		if err := r.take(ctx); ctx.Err() != nil {
			return
		} else if err != nil {
			fmt.Fprintf(os.Stderr, "bench: profile of %s: %v\n", r.name, err)
			return
		}
		select {
		case <-r.quit:
			return
		default:
		}
	}
}

func (r *recorder) stop() {
	close(r.quit)
	<-r.done
}

// take writes one profile to a file.
func (r *recorder) take(ctx context.Context) error {
	row := r.bench.row.Load()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return err
	}
	if r.token != "" {
		request.Header.Set("Authorization", "JWT "+r.token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // only read
	text, err := bounded.ReadAll(response.Body, maxAnswer)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	part, err := os.CreateTemp(r.bench.profiles, fmt.Sprintf("row%d-%s-*.part", row, r.name))
	if err != nil {
		return err
	}
	if _, err := part.Write(text); err != nil {
		return err
	}
	return part.Close()
}

// mergeProfiles makes one file of each row and program, and prints what took most.
func (b *bench) mergeProfiles() error {
	ctx := context.Background() // also after an interruption
	files, err := os.ReadDir(b.profiles)
	if err != nil {
		return err
	}
	for _, r := range rows {
		for _, program := range []string{"fandoghd", "buildkitd"} {
			name := filepath.Join(b.profiles, fmt.Sprintf("row%d-%s", r.number, program))
			var parts []string
			for _, f := range files {
				if strings.HasPrefix(f.Name(), filepath.Base(name)+"-") && strings.HasSuffix(f.Name(), ".part") {
					parts = append(parts, filepath.Join(b.profiles, f.Name()))
				}
			}
			if len(parts) == 0 {
				continue
			}
			if _, err := programs.Command(ctx, "", nil, "go", append([]string{"tool", "pprof", "-proto", "-output", name + ".pprof"}, parts...)...); err != nil {
				return err
			}
			for _, part := range parts {
				if err := os.Remove(part); err != nil {
					return err
				}
			}
			top, err := programs.Command(ctx, "", nil, "go", "tool", "pprof", "-top", "-nodecount=10", name+".pprof")
			if err != nil {
				return err
			}
			fmt.Printf("%s.pprof\n%s\n\n", name, strings.TrimSpace(top))
		}
	}
	return nil
}

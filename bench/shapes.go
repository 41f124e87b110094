package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// shape is a kind of application: its Dockerfile and what it is made of.
type shape struct {
	name        string
	dockerfile  string // the base's reference goes in
	names       string // of the sources, as in workTree
	files, size int    // sources, and the bytes of each
	manifest    string // what a developer writes about dependencies; empty: the lock alone
	lock        string // what the step that installs them reads
	lockSize    int
	more        map[string]string // other files
}

// shapes have the steps in the order that every guide gives: dependencies first,
// so that a changed source file does not install them again.
var shapes = []shape{
	{
		name: "Node-like", names: "src/components/d%03d/f%05d.js", files: 1200, size: 3500,
		manifest: "package.json", lock: "package-lock.json", lockSize: 400_000,
		more: map[string]string{".dockerignore": "node_modules\ndist\n*.md\n", "README.md": "# App\n"},
		dockerfile: `FROM %[1]s AS build
WORKDIR /app
COPY package*.json ./
RUN install-modules package-lock.json node_modules
COPY . .
ENV NODE_ENV=production
RUN compile src dist /tmp/cache
FROM %[1]s
WORKDIR /usr/share/www
COPY --from=build /app/dist .
EXPOSE 80
CMD ["cat", "version"]
`,
	},
	{
		name: "Go-like", names: "internal/p%03d/f%05d.go", files: 500, size: 7000,
		manifest: "go.mod", lock: "go.sum", lockSize: 40_000,
		dockerfile: `FROM %[1]s AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN install-modules go.sum /go/pkg/mod
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build compile internal /out /root/.cache/go-build && sha256sum go.sum /out/bundle | sha256sum >/out/version && cp /bin/busybox /out/
FROM scratch
COPY --from=build /out /
ENTRYPOINT ["/busybox", "cat", "/version"]
`,
	},
	{
		name: "Python-like", names: "app/d%03d/f%05d.py", files: 250, size: 5000,
		lock: "requirements.txt", lockSize: 2000,
		more: map[string]string{"main.sh": "cat requirements.txt $(find app -type f | sort) | sha256sum\n"},
		dockerfile: `FROM %[1]s
ENV PYTHONUNBUFFERED=1
WORKDIR /app
COPY requirements.txt .
RUN install-modules requirements.txt /usr/lib/site-packages
COPY . .
EXPOSE 8000
CMD ["sh", "main.sh"]
`,
	},
}

func (s shape) shown() string {
	return fmt.Sprintf("%d files, %.1f MB", s.files, float64(s.files*s.size)/1e6)
}

// seedOf keeps the contents of one round's app from any other's.
func seedOf(round int) uint64 { return uint64(1_000_000 * (100 + round)) }

// tree makes an app of the shape, with nothing committed.
func (s shape) tree(ctx context.Context, b *bench, base string, round int) (*workTree, error) {
	w, err := b.emptyTree(ctx, fmt.Sprintf("%s-%d", strings.ToLower(s.name), round))
	if err != nil {
		return nil, err
	}
	w.names = s.names
	seed := seedOf(round)
	err = errors.Join(w.write("Dockerfile", fmt.Sprintf(s.dockerfile, base)), w.write(s.lock, prose(seed+900_000, s.lockSize)))
	if s.manifest != "" {
		err = errors.Join(err, w.write(s.manifest, prose(seed+900_001, 1500)))
	}
	for name, text := range s.more {
		err = errors.Join(err, w.write(name, text))
	}
	return w, errors.Join(err, w.fill(ctx, s.files, s.size, seed))
}

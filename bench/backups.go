package main

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

const (
	backedUpImages   = 100
	backedUpVersions = 100 // of each
	backupGoal       = 60  // seconds of a backup that is not the first
)

// backups is row 15: a backup of ten thousand versions, and others that add what is new. All that is in the data directory is
// made as the daemon would have it, without a build, and the check of it finds nothing wrong.
func backups(ctx context.Context, b *bench) ([]measure, error) {
	d, err := startDaemon(ctx, b, b.path("backups"))
	if err != nil {
		return nil, err
	}
	defer d.stop()
	s := &synthetic{daemon: d, dir: b.path("synthetic")}
	if err := s.open(); err != nil {
		return nil, err
	}
	defer s.db.Close() //nolint:errcheck // each transaction was committed
	for i := range backedUpImages {
		if err := s.image(ctx, fmt.Sprintf("app%d", i)); err != nil {
			return nil, err
		}
	}
	shown := fmt.Sprintf("%d versions of %d images", backedUpImages*backedUpVersions, backedUpImages)
	first := measure{row: 15, what: "first backup", size: shown, unit: "s"}
	next := measure{row: 15, what: "backup after 100 versions more", size: shown, unit: "s", goal: backupGoal}
	check := measure{row: 15, what: "check", size: shown, unit: "s"}
	to := b.path("backup")
	timed := func(m *measure, args ...string) error {
		took, err := seconds(func() error {
			_, err := d.Admin(ctx, "", args...)
			return err
		})
		m.add(0, took)
		return err
	}
	err = timed(&first, "backup", to)
	for i := 0; err == nil && i < b.rounds; i++ {
		if err = s.image(ctx, fmt.Sprintf("more%d", i)); err == nil {
			err = timed(&next, "backup", to)
		}
	}
	if err == nil {
		err = timed(&check, "check")
	}
	files, bytes := sizeOf(d.Data)
	first.note = fmt.Sprintf("%d files, %.0f MB", files, float64(bytes)/1e6)
	return []measure{first, next, check}, err
}

// sizeOf counts what a backup takes of a data directory, and more.
func sizeOf(dir string) (files int, bytes int64) {
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() && e.Name() == "buildkit" {
			return fs.SkipDir
		}
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // what went meanwhile is not there
		}
		if info, err := e.Info(); err == nil {
			files++
			bytes += info.Size()
		}
		return nil
	})
	return files, bytes
}

// synthetic makes images with versions in a daemon's data directory.
type synthetic struct {
	daemon *daemon
	dir    string
	db     *sql.DB
	base   digest.Digest // a layer that all have
}

func (s *synthetic) open() (err error) {
	if s.db, err = sql.Open("sqlite3", "file:"+filepath.Join(s.daemon.Data, "fandogh.db")+"?_foreign_keys=on&_busy_timeout=10000&_txlock=immediate"); err != nil {
		return err
	}
	s.base, err = s.blob([]byte(prose(0, 20<<20)))
	return errors.Join(err, os.MkdirAll(s.dir, 0o755))
}

func (s *synthetic) registry(names ...string) string {
	return filepath.Join(append([]string{s.daemon.Data, "registry", "docker", "registry", "v2"}, names...)...)
}

func (s *synthetic) blob(content []byte) (digest.Digest, error) {
	sum := sha256.Sum256(content)
	name := hex.EncodeToString(sum[:])
	return digest.NewDigestFromEncoded(digest.SHA256, name), writeBelow(s.registry("blobs", "sha256", name[:2], name, "data"), content)
}

func writeBelow(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}

// link makes a blob one of a repository's.
func (s *synthetic) link(app string, d digest.Digest, below ...string) error {
	return writeBelow(s.registry(append([]string{"repositories", user, app}, below...)...), []byte(d))
}

// image pushes a history with a tag for each commit, and makes a version of each.
func (s *synthetic) image(ctx context.Context, app string) error {
	dir := filepath.Join(s.dir, app)
	if err := s.history(ctx, dir); err != nil {
		return err
	}
	if err := s.daemon.call(ctx, s.daemon.token, "POST", "images", strings.NewReader(`{"name": "`+app+`"}`)); err != nil {
		return err
	}
	if _, err := programs.Command(ctx, dir, s.daemon.env(), "git", "push", "-q", "-o", "no-build", s.daemon.remote(app), "main", "--tags"); err != nil {
		return err
	}
	commits, err := programs.Command(ctx, dir, nil, "git", "rev-list", "--reverse", "main")
	if err != nil {
		return err
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing, once it was committed
	for i, commit := range strings.Fields(commits) {
		if err := s.version(ctx, tx, app, fmt.Sprintf("v%d", i), commit); err != nil {
			return err
		}
	}
	return errors.Join(tx.Commit(), os.RemoveAll(dir))
}

// history makes a repository of as many commits as an image has versions.
func (s *synthetic) history(ctx context.Context, dir string) error {
	var stream strings.Builder
	for i := range backedUpVersions {
		text := prose(uint64(i), 2000)
		fmt.Fprintf(&stream, "commit refs/heads/main\nmark :%d\ncommitter Test <test@localhost> %d +0000\ndata 1\nx\n", i+1, 1_700_000_000+i)
		if i > 0 {
			fmt.Fprintf(&stream, "from :%d\n", i)
		}
		fmt.Fprintf(&stream, "M 644 inline f%d\ndata %d\n%s\nreset refs/tags/v%d\nfrom :%d\n\n", i%20, len(text), text, i, i+1)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(dir+".import", []byte(stream.String()), 0o644); err != nil {
		return err
	}
	_, err := programs.Command(ctx, dir, programs.GitEnv("")[1:], "sh", "-c", `git init -q -b main && git fast-import --quiet <"$0" && rm "$0"`, dir+".import")
	return err
}

// version makes a version of one layer of its own upon the one that all have, with its log.
func (s *synthetic) version(ctx context.Context, tx *sql.Tx, app, tag, commit string) error {
	layer, err := s.blob([]byte(commit + prose(0, 10_000)))
	if err != nil {
		return err
	}
	config, err := s.blob([]byte(`{"architecture":"amd64","os":"linux","commit":"` + commit + `"}`))
	if err != nil {
		return err
	}
	text, err := json.Marshal(ocispec.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: ocispec.MediaTypeImageManifest, Config: s.part(ocispec.MediaTypeImageConfig, config),
		Layers: []ocispec.Descriptor{s.part(ocispec.MediaTypeImageLayer, s.base), s.part(ocispec.MediaTypeImageLayer, layer)},
	})
	if err != nil {
		return err
	}
	manifest, err := s.blob(text)
	for _, d := range []digest.Digest{s.base, layer, config} {
		err = errors.Join(err, s.link(app, d, "_layers", "sha256", d.Encoded(), "link"))
	}
	err = errors.Join(err, s.link(app, manifest, "_manifests", "revisions", "sha256", manifest.Encoded(), "link"),
		s.link(app, manifest, "_manifests", "tags", tag, "current", "link"), s.link(app, manifest, "_manifests", "tags", tag, "index", "sha256", manifest.Encoded(), "link"))
	if err != nil {
		return err
	}
	return s.rows(ctx, tx, app, tag, commit, manifest)
}

func (s *synthetic) part(mediaType string, d digest.Digest) ocispec.Descriptor {
	info, err := os.Stat(s.registry("blobs", "sha256", d.Encoded()[:2], d.Encoded(), "data"))
	if err != nil {
		return ocispec.Descriptor{} // the check of all finds it
	}
	return ocispec.Descriptor{MediaType: mediaType, Digest: d, Size: info.Size()}
}

func (s *synthetic) rows(ctx context.Context, tx *sql.Tx, app, tag, commit string, manifest digest.Digest) error {
	now := time.Now().UnixMilli()
	made, err := tx.ExecContext(ctx, `INSERT INTO versions (image_id, name, state, trigger_kind, commit_id, digest, size, created_at)
		SELECT id, ?, 'BUILT', 'push', ?, ?, 20000000, ? FROM images WHERE name = ?`, tag, commit, manifest.String(), now, app)
	if err != nil {
		return err
	}
	version, err := made.LastInsertId()
	if err != nil {
		return err
	}
	made, err = tx.ExecContext(ctx, `INSERT INTO builds (version_id, number, trigger_kind, commit_id, user_id, options, state, outcome, attempts, queued_at, started_at, ended_at)
		VALUES (?, 1, 'push', ?, (SELECT id FROM users WHERE name = ?), '{}', 'BUILT', 'built', 1, ?, ?, ?)`, version, commit, user, now, now, now)
	if err != nil {
		return err
	}
	build, err := made.LastInsertId()
	if err != nil {
		return err
	}
	return writeBelow(filepath.Join(s.daemon.Data, "logs", fmt.Sprintf("%d.log", build)), []byte(prose(uint64(build), 2000)))
}

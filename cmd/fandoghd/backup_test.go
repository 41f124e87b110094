package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// underLoad is a daemon whose clients push, copy and delete images until they are told to stop.
type underLoad struct {
	t      *testing.T
	dir    string
	env    environment
	daemon *child
}

// newUnderLoad starts a daemon of the test's own, which has no users, beside a directory for its clients.
func newUnderLoad(t *testing.T) *underLoad {
	t.Helper()
	toolsOnPath(t)
	dir := t.TempDir()
	l := &underLoad{t: t, dir: dir, env: environment{"HOME": dir, "DOCKER_CONFIG": dir}, daemon: newChild(filepath.Join(dir, "own"))}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, ".gitconfig"), []byte(gitConfig), 0o600), l.daemon.start()); err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs a client's shell script.
func (l *underLoad) run(ctx context.Context, script string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-ec", script, "sh"}, args...)...)
	cmd.Dir, cmd.Env = l.dir, l.env.list()
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%v: %w: %s", args, err, out)
	}
	return string(out), err
}

func (l *underLoad) must(script string, args ...string) string {
	l.t.Helper()
	out, err := l.run(l.t.Context(), script, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// built returns the digests of all built versions, by image:version.
func (l *underLoad) built() map[string]string {
	l.t.Helper()
	ask := func(path string, into any) {
		out := l.must(`curl -fsS -H "Authorization: JWT $TOKEN" "http://$HTTP/api/$1"`, path)
		if err := json.Unmarshal([]byte(out), into); err != nil {
			l.t.Fatalf("%s: %v: %s", path, err, out)
		}
	}
	found := map[string]string{}
	var images []api.Image
	ask("images", &images)
	for _, image := range images {
		var versions []api.Version
		ask("images/"+image.Name+"/versions", &versions)
		for _, v := range versions {
			name := image.Name + ":" + v.Version
			switch {
			case v.State != "BUILT":
			case isDeleted(name):
				found[name] = "" // it may be gone by now
			default:
				found[name] = strings.TrimSpace(l.must(`crane digest "$HTTP/load/$1"`, name))
			}
		}
	}
	return found
}

// isDeleted reports whether the load deletes a version once it is built.
func isDeleted(name string) bool { return strings.HasPrefix(name, "gone:v") && name != "gone:v0" }

const (
	makeApp = `git init -q "$1"; cd "$1"; printf 'FROM scratch\nCOPY . /\n' >Dockerfile; head -c 200000 /dev/urandom >data; git add -A; git commit -q -m first
git tag v0; git push -q "$GIT/load/$1" main v0`
	pushNext = `cd "$1"; head -c 20000 /dev/urandom >"file$2"; git add -A; git commit -q -m "$2"; git tag "v$2"; git push -q "$GIT/load/$1" main "v$2"`
	copyNext = `crane copy --insecure "$HTTP/load/$1:v0" "$HTTP/load/copied:$1-$2"`
	pushGone = `cd gone; head -c 20000 /dev/urandom >"file$1"; git add -A; git commit -q -m "$1"; git tag "v$1"; git push -q "$GIT/load/gone" main "v$1"
curl -fsS -X DELETE -H "Authorization: JWT $TOKEN" "http://$HTTP/api/images/gone/versions/v$1" >/dev/null; fandoghd admin --data "$DATA" gc >/dev/null || true`
)

// load goes on until the context ends, and lets each client finish what it is at.
func (l *underLoad) load(ctx context.Context) func() error {
	var clients errgroup.Group
	each := func(name string, do func(n int) error) {
		clients.Go(func() error {
			for n := 1; ctx.Err() == nil; n++ {
				if err := do(n); err != nil {
					return fmt.Errorf("%s, %d: %w", name, n, err)
				}
			}
			return nil
		})
	}
	step := func(script string, args ...any) error {
		texts := make([]string, len(args))
		for i, arg := range args {
			texts[i] = fmt.Sprint(arg)
		}
		_, err := l.run(context.WithoutCancel(ctx), script, texts...)
		return err
	}
	for _, app := range []string{"one", "two"} {
		each(app, func(n int) error { return step(pushNext, app, n) })
	}
	each("copies", func(n int) error { return step(copyNext, "one", n) })
	each("deletions", func(n int) error { return step(pushGone, n) })
	return clients.Wait
}

// Whatever is built when a backup begins is in it, whatever is pushed, built, deleted and collected meanwhile.
func TestBackupUnderLoad(t *testing.T) {
	l := newUnderLoad(t)
	dir := l.dir
	l.use(l.daemon)
	for _, app := range []string{"one", "two", "gone"} {
		l.must(makeApp, app)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := l.load(ctx)
	type made struct {
		snapshot string
		built    map[string]string
	}
	var backups []made
	place := filepath.Join(dir, "backups")
	for i := range 3 {
		// Each begins when there is more than in the last.
		before := map[string]string{}
		testkit.Eventually(t, "more versions are built", func() bool {
			before = l.built()
			return len(before) >= 3+3*i
		})
		maps.DeleteFunc(before, func(name, _ string) bool { return isDeleted(name) })
		if _, err := l.daemon.admin("", "backup", place); err != nil {
			t.Error(err)
			break
		}
		entries, err := os.ReadDir(place)
		if err != nil {
			t.Fatal(err)
		}
		backups = append(backups, made{filepath.Join(place, entries[len(entries)-1].Name()), before})
		if _, err := l.daemon.admin("", "check"); err != nil {
			t.Errorf("beside the load: %v", err)
		}
	}
	stop()
	if err := errors.Join(ended(), l.daemon.terminate(), l.daemon.faults()); err != nil {
		t.Fatalf("%v\n%s", err, l.daemon.logTail())
	}
	for i, b := range backups {
		l.restored(filepath.Join(dir, fmt.Sprint("restored", i)), b.snapshot, b.built)
	}
}

func (l *underLoad) use(daemon *child) {
	l.t.Helper()
	use(l.env, daemon)
	if err := become(l.env, daemon, "load"); err != nil {
		l.t.Fatal(err)
	}
	l.must(`crane auth login -u load -p "$TOKEN" "$HTTP" 2>/dev/null`)
}

// restored restores a backup and looks for versions in it: what is built in it is pulled and cloned.
func (l *underLoad) restored(dir, snapshot string, want map[string]string) {
	l.t.Helper()
	daemon := newChild(dir)
	if _, err := daemon.admin("", "restore", snapshot); err != nil {
		l.t.Error(err)
		return
	}
	if err := daemon.start(); err != nil {
		l.t.Error(err)
		return
	}
	defer func() {
		if err := errors.Join(daemon.terminate(), daemon.faults()); err != nil {
			l.t.Errorf("%v\n%s", err, daemon.logTail())
		}
	}()
	l.use(daemon)
	testkit.Eventually(l.t, "what was building is built", func() bool { return !strings.Contains(l.must(queueOf), `BUILDING`) })
	got := l.built()
	for name, digest := range want {
		if got[name] != digest {
			l.t.Errorf("%s: %s has digest %q, want %s", snapshot, name, got[name], digest)
		}
	}
	l.t.Logf("%s: %d versions were built when it began; %d are there", snapshot, len(want), len(got))
	for name := range got {
		image, version, _ := strings.Cut(name, ":")
		l.must(`crane export "$HTTP/load/$1" - | tar -t >/dev/null`, name)
		if image != "copied" {
			l.must(`rm -rf cloned; git clone -q --branch "$2" "$GIT/load/$1" cloned; git -C cloned fsck --full --strict 2>/dev/null; test -e cloned/Dockerfile`, image, version)
		}
	}
	if _, err := daemon.admin("", "check"); err != nil {
		l.t.Error(err)
	}
}

const queueOf = `for image in one two gone; do curl -fsS -H "Authorization: JWT $TOKEN" "http://$HTTP/api/images/$image/versions"; done`

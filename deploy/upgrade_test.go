//go:build deploy

package deploy

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// TestUpgrade has the daemon of an earlier commit, UPGRADE_FROM, make a data directory and work on it, replaces it by the present one
// while clients push, and wants all that was acknowledged.
func TestUpgrade(t *testing.T) {
	from := os.Getenv("UPGRADE_FROM")
	if from == "" {
		t.Fatal("set UPGRADE_FROM to the commit to upgrade from, or run `make upgrade-test`")
	}
	dir := t.TempDir()
	u := &upgrade{t: t, data: filepath.Join(dir, "data"), log: filepath.Join(dir, "log"), digests: map[string]string{}, commits: map[string]string{}}
	older, present := filepath.Join(dir, "fandoghd-older"), filepath.Join(dir, "fandoghd")
	source := filepath.Join(dir, "source")
	command(t, repository(t), nil, "sh", "-c", `mkdir "$1" && git archive "$2" | tar -xC "$1"`, "sh", source, from)
	command(t, source, nil, "go", "build", "-o", older, "./cmd/fandoghd")
	command(t, repository(t), nil, "go", "build", "-o", present, "./cmd/fandoghd")

	u.start(older)
	u.user = newUser(t, older, "admin", "--data", u.data)
	u.token = u.user.token(t)
	u.fill()
	schema := u.schema()
	if _, err := programs.Command(t.Context(), "", nil, present, "admin", "--data", u.data, "user", "list"); err == nil || !strings.Contains(err.Error(), "restart the daemon first") {
		t.Errorf("an admin verb of the present program beside the older daemon: %v", err)
	}

	// A build that lasts is running, and others push, when the daemon is replaced.
	slow := u.user.app(t, "slow", u.ssh(), "COPY busybox /bin/sleep", "RUN sleep 20")
	command(t, slow, u.user.gitEnv, "git", "tag", "v1")
	said := make(chan string, 1)
	go func() { said <- u.tryPush(slow, "slow", "v1") }()
	eventually(t, "the slow build runs", func() bool { return u.ask(`SELECT count(*) FROM builds WHERE state = 'BUILDING'`) != "0" })
	var pushers sync.WaitGroup
	done, stop := context.WithCancel(t.Context())
	apps := []string{u.user.app(t, "one", u.ssh()), u.user.app(t, "two", u.ssh())}
	for _, app := range apps {
		pushers.Go(func() { u.pushOn(done, app) })
	}
	eventually(t, "both push", func() bool { return u.acknowledged("one:") > 0 && u.acknowledged("two:") > 0 })
	u.stop()
	if text := <-said; !strings.Contains(text, "the build is requeued and starts again after the restart") {
		t.Errorf("whoever followed the running build was told:\n%s", text)
	}
	one, two := u.acknowledged("one:"), u.acknowledged("two:")
	u.start(present)
	eventually(t, "both go on", func() bool { return u.acknowledged("one:") > one+1 && u.acknowledged("two:") > two+1 })
	stop()
	pushers.Wait()
	eventually(t, "the build that was handed back ends", func() bool { return u.digest("slow:v1") != "" })
	u.note("slow", "v1", slow)
	u.compare()
	command(t, "", nil, present, "admin", "--data", u.data, "check")

	migrated := u.schema()
	if migrated == schema {
		t.Errorf("the schema is %s, as before; choose an UPGRADE_FROM with an older one", schema)
	}
	u.stop()
	u.start(present)
	if again := u.schema(); again != migrated {
		t.Errorf("another start migrated again: %s, then %s", migrated, again)
	}
	u.compare()
	u.stop()

	// The way back.
	_, err := programs.Command(t.Context(), "", nil, older, "serve", "--data", u.data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "a newer fandoghd wrote it; run that version, or restore the backup from before the upgrade") {
		t.Errorf("the older daemon on the newer database: %v", err)
	}
	if u.schema() != migrated {
		t.Error("the older daemon changed the newer database")
	}
	t.Logf("from %s: schema %s to %s, %d versions with their digests and commits", from, schema, migrated, len(u.digests))
}

// upgrade is a data directory under one program after the other.
type upgrade struct {
	t         *testing.T
	data, log string
	process   *programs.Process
	user      *user
	token     string

	mu      sync.Mutex
	digests map[string]string // by image:version
	commits map[string]string
}

func (u *upgrade) start(program string) {
	u.t.Helper()
	env := []string{"PATH=" + filepath.Dir(tool(u.t, "buildkitd")) + ":" + os.Getenv("PATH")}
	p, err := programs.Start(u.t.Context(), u.log, env, program, "serve", "--data", u.data, "--http", "127.0.0.1:0", "--ssh", "127.0.0.1:0")
	if err != nil {
		u.t.Fatal(err)
	}
	u.t.Cleanup(p.Stop)
	u.process = p
	awaitReady(u.t, p, u.data)
}

// stop is SIGTERM, as systemd restarts a service.
func (u *upgrade) stop() { u.process.Stop() }

func (u *upgrade) http() string {
	http, _ := addresses(u.data)
	return http
}

func (u *upgrade) ssh() string {
	_, ssh := addresses(u.data)
	return ssh
}

// crane runs it on an image of ann.
func (u *upgrade) crane(verb string, args ...string) (string, error) {
	home, err := os.MkdirTemp("", "crane")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(home) //nolint:errcheck // below the test's own
	auth, err := json.Marshal(map[string]any{"auths": map[string]any{u.http(): map[string]string{"username": "ann", "password": u.token}}})
	if err == nil {
		err = os.WriteFile(filepath.Join(home, "config.json"), auth, 0o600)
	}
	if err != nil {
		return "", err
	}
	return programs.Command(u.t.Context(), "", []string{"DOCKER_CONFIG=" + home}, tool(u.t, "crane"), append([]string{verb, "--insecure"}, args...)...)
}

// digest is that of image:version, empty where the registry serves none.
func (u *upgrade) digest(version string) string {
	digest, err := u.crane("digest", u.http()+"/ann/"+version)
	if err != nil {
		return ""
	}
	return digest
}

// fill makes versions of every kind.
func (u *upgrade) fill() {
	u.t.Helper()
	app := u.user.app(u.t, "app", u.ssh())
	for _, tag := range [][]string{{"v1"}, {"-a", "-m", "signed off", "v2"}, {"release/3"}} {
		command(u.t, app, u.user.gitEnv, "git", "commit", "-q", "--allow-empty", "-m", "more")
		command(u.t, app, u.user.gitEnv, "git", append([]string{"tag"}, tag...)...)
	}
	command(u.t, app, u.user.gitEnv, "git", "push", "-q", "fandogh", "main", "v1", "v2")
	for _, tag := range []string{"v1", "v2"} {
		u.note("app", tag, app)
	}
	broken := u.user.app(u.t, "broken", u.ssh(), "COPY missing /")
	command(u.t, broken, u.user.gitEnv, "git", "tag", "v1")
	if _, err := programs.Command(u.t.Context(), broken, u.user.gitEnv, "git", "push", "-q", "fandogh", "v1"); err == nil {
		u.t.Error("a broken Dockerfile was built")
	}
	if _, err := u.crane("copy", u.http()+"/ann/app:v1", u.http()+"/ann/copied:v9"); err != nil {
		u.t.Fatal(err)
	}
	u.note("copied", "v9", "")
}

// note remembers a version that was acknowledged.
func (u *upgrade) note(image, version, dir string) {
	digest := u.digest(image + ":" + version)
	if digest == "" {
		u.t.Errorf("%s:%s was acknowledged and is not served", image, version)
		return
	}
	u.remember(image+":"+version, digest, dir, version)
}

func (u *upgrade) remember(name, digest, dir, tag string) {
	commit := ""
	if dir != "" {
		var err error
		if commit, err = programs.Command(u.t.Context(), dir, nil, "git", "rev-parse", tag); err != nil { // of an annotated tag the tag itself
			u.t.Error(err)
		}
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.digests[name], u.commits[name] = digest, commit
}

func (u *upgrade) acknowledged(prefix string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for name := range u.digests {
		if strings.HasPrefix(name, prefix) {
			n++
		}
	}
	return n
}

// tryPush pushes a tag to the daemon that runs now, and returns what was said; "" when it was built.
func (u *upgrade) tryPush(dir, image, tag string) string {
	_, err := programs.Command(u.t.Context(), dir, u.user.gitEnv, "git", "push", "ssh://git@"+u.ssh()+"/ann/"+image, tag)
	if err != nil {
		return err.Error()
	}
	return ""
}

// pushOn pushes one tag after the other, each until it is built, and notes those that are, until done.
func (u *upgrade) pushOn(done context.Context, dir string) {
	image := filepath.Base(dir)
	for n := 1; done.Err() == nil; n++ {
		tag := fmt.Sprintf("v%d", n)
		if _, err := programs.Command(u.t.Context(), dir, u.user.gitEnv, "sh", "-c", `git commit -q --allow-empty -m "$1" && git tag "$1"`, "sh", tag); err != nil {
			u.t.Error(err)
			return
		}
		for u.ssh() == "" || u.tryPush(dir, image, tag) != "" {
			if done.Err() != nil {
				return
			}
			<-time.After(50 * time.Millisecond) // between two attempts
		}
		// The digest is asked for when the daemon is there again: the push was acknowledged whatever comes then.
		digest := ""
		for deadline := time.Now().Add(time.Minute); digest == "" && time.Now().Before(deadline); <-time.After(20 * time.Millisecond) {
			digest = u.digest(image + ":" + tag)
		}
		if digest == "" {
			u.t.Errorf("%s:%s was acknowledged and is not served", image, tag)
			return
		}
		u.remember(image+":"+tag, digest, dir, tag)
	}
}

// compare pulls every version that is remembered, and clones every image.
func (u *upgrade) compare() {
	u.t.Helper()
	clones := map[string]string{}
	for name, want := range u.digests {
		if got := u.digest(name); got != want {
			u.t.Errorf("%s has digest %q, and had %s", name, got, want)
		}
		if _, err := u.crane("validate", "--remote", u.http()+"/ann/"+name); err != nil {
			u.t.Errorf("%s: %v", name, err)
		}
		if u.commits[name] == "" {
			continue
		}
		image, tag, _ := strings.Cut(name, ":")
		if clones[image] == "" {
			clones[image] = filepath.Join(u.t.TempDir(), image)
			command(u.t, "", u.user.gitEnv, "git", "clone", "-q", "--bare", "ssh://git@"+u.ssh()+"/ann/"+image, clones[image])
		}
		if got := command(u.t, clones[image], nil, "git", "rev-parse", tag); got != u.commits[name] {
			u.t.Errorf("the tag of %s is %s in a clone, and was %s", name, got, u.commits[name])
		}
	}
}

// ask reads one value of the database.
func (u *upgrade) ask(query string) (answer string) {
	u.t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(u.data, "fandogh.db")+"?mode=ro&_busy_timeout=10000")
	if err != nil {
		u.t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it was not written
	if err := db.QueryRowContext(u.t.Context(), query).Scan(&answer); err != nil {
		u.t.Fatal(err)
	}
	return answer
}

// schema tells the version, and in how many steps it was reached.
func (u *upgrade) schema() string {
	return u.ask(`SELECT max(version_id) || ' in ' || count(*) || ' steps' FROM goose_db_version`)
}

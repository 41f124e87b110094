//go:build torture

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTorture kills the daemon or its buildkitd at random moments while clients
// push, and after every round holds what is left to what pushers were told.
// TORTURE_TIME bounds the rounds ("10m"), FANDOGH_TORTURE_SEED repeats a
// run's choices, not its timing.
func TestTorture(t *testing.T) {
	toolsOnPath(t)
	limit, err := time.ParseDuration(orElse(os.Getenv("TORTURE_TIME"), "2m"))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("TORTURE_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("seed %d", seed)
	dir := t.TempDir()
	w := &torture{T: t, dir: dir, daemon: newChild(dir), env: environment{"HOME": dir}, told: map[string]bool{}, sent: map[string]string{}}
	w.links = linkNames(t)
	w.start()
	t.Cleanup(w.end)
	for i := range 3 {
		w.apps = append(w.apps, w.newApp(i, rand.New(rand.NewPCG(seed, uint64(i)))))
	}
	dice := rand.New(rand.NewPCG(seed, 99))
	began := time.Now()
	for round := 1; time.Since(began) < limit; round++ {
		w.round(round, dice)
		w.check()
		if t.Failed() {
			t.Fatalf("round %d\n%s", round, w.daemon.logTail())
		}
		t.Logf("round %d: %d tags acknowledged, %d sent", round, len(w.told), len(w.sent))
	}
	if len(w.told) == 0 {
		t.Error("no push was ever acknowledged; nothing was tested")
	}
}

func orElse(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// torture is one daemon, its clients and what these were told.
type torture struct {
	*testing.T
	env    environment
	dir    string
	daemon *child
	apps   []*tortureApp
	links  string // the machine's network interfaces before

	mu   sync.Mutex
	sent map[string]string // "app0:v7" to the content pushed
	told map[string]bool   // those of sent that git said ok to
}

// environment is what `become` sets, for the clients.
type environment map[string]string

func (e environment) Setenv(name, value string) { e[name] = value }
func (e environment) Getenv(name string) string { return e[name] }

func (e environment) list() []string {
	all := append(os.Environ(), "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL="+e["HOME"]+"/.gitconfig")
	for name, value := range e {
		all = append(all, name+"="+value)
	}
	return all
}

func (w *torture) start() {
	w.Helper()
	if err := w.daemon.start(); err != nil {
		w.Fatalf("start: %v", err)
	}
	use(w.env, w.daemon)
	if err := os.WriteFile(filepath.Join(w.dir, ".gitconfig"), []byte(gitConfig), 0o600); err != nil {
		w.Fatal(err)
	}
	if err := become(w.env, w.daemon, "tor"); err != nil {
		w.Fatal(err)
	}
}

// tortureApp is one client's repository; one goroutine uses it at a time.
type tortureApp struct {
	name, dir string
	dice      *rand.Rand
	next      int
}

func (w *torture) newApp(i int, dice *rand.Rand) *tortureApp {
	a := &tortureApp{name: fmt.Sprintf("app%d", i), dice: dice}
	a.dir = filepath.Join(w.dir, a.name)
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		w.Fatal(err)
	}
	binary, err := exec.LookPath("busybox")
	if err != nil {
		w.Fatal(err)
	}
	w.must("cp", binary, a.dir+"/busybox")
	dockerfile := "FROM scratch\nCOPY busybox /busybox\nCOPY content /content\nRUN [\"/busybox\", \"sh\", \"-c\", \"/busybox sleep 0.$((RANDOM % 10)); /busybox cp /content /copy\"]\n"
	if err := os.WriteFile(a.dir+"/Dockerfile", []byte(dockerfile), 0o644); err != nil {
		w.Fatal(err)
	}
	w.must("git", "-C", a.dir, "init", "-q")
	return a
}

func (w *torture) run(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = w.env.list()
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s %v: %w: %s", name, args, err, out)
	}
	return string(out), err
}

func (w *torture) must(name string, args ...string) string {
	w.Helper()
	out, err := w.run(name, args...)
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// round lets every client push until the fault has happened and the daemon is
// back.
func (w *torture) round(round int, dice *rand.Rand) {
	over := make(chan struct{})
	var clients sync.WaitGroup
	for _, a := range w.apps {
		clients.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
					w.push(a)
				}
			}
		})
	}
	<-time.After(time.Duration(dice.IntN(4000)) * time.Millisecond) // the moment of the fault
	fault := dice.IntN(10)
	w.Logf("round %d: fault %d", round, fault)
	switch {
	case fault < 3:
		_ = w.daemon.killBuildkitd() // between two of them there is none
		<-time.After(time.Duration(dice.IntN(1500)) * time.Millisecond)
	case fault < 4:
		if err := w.daemon.terminate(); err != nil {
			w.Errorf("SIGTERM: %v", err)
		}
	default:
		_ = w.daemon.killBuildkitd()
		if err := w.daemon.kill(); err != nil {
			w.Error(err)
		}
	}
	close(over)
	clients.Wait()
	if fault >= 3 {
		w.start()
	}
}

// push commits new content and pushes one to three tags of it, in one of the
// ways clients do, and notes what git was told.
func (w *torture) push(a *tortureApp) {
	var tags []string
	for range 1 + a.dice.IntN(3)/2 {
		a.next++
		content := fmt.Sprintf("%s %d %x\n", a.name, a.next, a.dice.Uint64())
		size := a.dice.IntN(200_000)
		noise := make([]byte, size)
		for i := range noise {
			noise[i] = byte(a.dice.Uint32())
		}
		tag := fmt.Sprintf("v%d", a.next)
		if os.WriteFile(a.dir+"/content", []byte(content), 0o644) != nil || os.WriteFile(a.dir+"/noise", noise, 0o644) != nil {
			w.Error("write the tree")
			return
		}
		for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", tag}, {"tag", tag}} {
			if out, err := w.run("git", append([]string{"-C", a.dir}, args...)...); err != nil {
				w.Errorf("%s", out)
				return
			}
		}
		tags = append(tags, tag)
		w.mu.Lock()
		w.sent[a.name+":"+tag] = content
		w.mu.Unlock()
	}
	args := []string{"-C", a.dir, "push", "--porcelain"}
	switch a.dice.IntN(4) {
	case 0:
		args = append(args, "--atomic")
	case 1:
		args = append(args, "-o", "detach")
	}
	args = append(args, w.env.Getenv("GIT")+"/tor/"+a.name)
	if a.dice.IntN(3) == 0 {
		args = append(args, "HEAD:refs/heads/main")
	}
	if a.dice.IntN(6) == 0 {
		tags = []string{"--tags"} // what was cut short is sent again
	}
	out, err := w.run("git", append(args, tags...)...)
	if err != nil {
		<-time.After(100 * time.Millisecond) // the daemon may be down
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for line := range strings.Lines(out) {
		if rest, ok := strings.CutPrefix(line, "*\trefs/tags/"); ok {
			tag, _, _ := strings.Cut(rest, ":")
			w.told[a.name+":"+tag] = true
		}
	}
}

func (w *torture) sql(query string) string {
	return strings.TrimSpace(w.must("sqlite3", "-readonly", filepath.Join(w.daemon.data, "fandogh.db"), query))
}

// check waits for quiescence and holds every promise to what there is.
func (w *torture) check() {
	w.Helper()
	deadline := time.Now().Add(patience)
	for w.sql("SELECT count(*) FROM versions WHERE state IN ('PENDING', 'BUILDING')") != "0" || w.sql("SELECT count(*) FROM queue") != "0" {
		if time.Now().After(deadline) {
			w.Errorf("stuck: %s", w.sql("SELECT * FROM versions WHERE state IN ('PENDING', 'BUILDING')"))
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	versions := map[string][4]string{} // state, commit, digest, build
	rows := w.sql("SELECT i.name, v.name, v.state, v.commit_id, v.digest, max(b.id) FROM versions v JOIN images i ON i.id = v.image_id JOIN builds b ON b.version_id = v.id GROUP BY v.id")
	for row := range strings.Lines(rows) {
		f := strings.Split(strings.TrimSpace(row), "|")
		versions[f[0]+":"+f[1]] = [4]string{f[2], f[3], f[4], f[5]}
	}
	for name := range w.told {
		if versions[name][0] != "BUILT" {
			w.Errorf("%s was acknowledged and is %v", name, versions[name])
		}
	}
	for name, v := range versions {
		w.checkVersion(name, v)
	}
	w.checkRepositories(versions)
	if left, err := filepath.Glob(filepath.Join(w.daemon.data, "repos", ".incoming", "*")); err != nil || len(left) > 0 {
		w.Errorf("left in quarantine: %v %v", left, err)
	}
	if err := w.daemon.faults(); err != nil {
		w.Error(err)
	}
}

// checkVersion looks at a version's log, and at its image the first time.
func (w *torture) checkVersion(name string, v [4]string) {
	state, digest, build := v[0], v[2], v[3]
	if state != "BUILT" {
		w.Errorf("%s is %s", name, state)
		return
	}
	text, err := os.ReadFile(filepath.Join(w.daemon.data, "logs", build+".log"))
	if err != nil || strings.Count(string(text), "Built tor/"+name+" in ") != 1 || !strings.HasSuffix(string(text), "\n") {
		w.Errorf("%s: log %s: %v\n%s", name, build, err, text)
	}
	content, unseen := w.sent[name]
	if !unseen || content == "" {
		return
	}
	image := w.env.Getenv("HTTP") + "/tor/" + name
	w.must("crane", "auth", "login", "-u", "tor", "-p", w.env.Getenv("TOKEN"), w.env.Getenv("HTTP"))
	if got := strings.TrimSpace(w.must("crane", "digest", image)); got != digest {
		w.Errorf("%s is %s in the registry, %s in the catalog", name, got, digest)
	}
	if got, err := w.run("sh", "-c", "crane export "+image+" - | tar -xO content copy"); err != nil || got != content+content {
		w.Errorf("%s holds %q instead of twice %q: %v", name, got, content, err)
	}
	w.sent[name] = "" // built for good, and seen
}

// checkRepositories compares tags with versions and has git look at every object.
func (w *torture) checkRepositories(versions map[string][4]string) {
	seen := map[string]bool{}
	for _, a := range w.apps {
		dir := filepath.Join(w.daemon.data, "repos", "tor", a.name+".git")
		if _, err := os.Stat(dir); err != nil {
			continue // no push came through yet
		}
		w.must("git", "--git-dir="+dir, "fsck", "--full", "--no-dangling")
		for line := range strings.Lines(w.must("git", "--git-dir="+dir, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags")) {
			tag, commit, _ := strings.Cut(strings.TrimSpace(line), " ")
			name := a.name + ":" + tag
			seen[name] = true
			if versions[name][1] != commit {
				w.Errorf("tag %s is %s, its version %v", name, commit, versions[name])
			}
		}
	}
	for name := range versions {
		if !seen[name] {
			w.Errorf("version %s has no tag", name)
		}
	}
}

func linkNames(t testing.TB) string {
	links, err := filepath.Glob("/sys/class/net/*")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(links, " ")
}

// end stops the daemon and looks for what it may have left on the machine.
func (w *torture) end() {
	if err := w.daemon.terminate(); err != nil {
		w.Errorf("stop: %v", err)
		_ = w.daemon.kill()
	}
	if out, err := exec.Command("pgrep", "-af", w.daemon.data).CombinedOutput(); err == nil {
		w.Errorf("processes left:\n%s", out)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), w.daemon.data) {
		w.Errorf("mounts left: %v\n%s", err, mounts)
	}
	if now := linkNames(w); now != w.links {
		w.Logf("network interfaces were %s, are %s; others may run here too", w.links, now)
	}
}

//go:build torture || soak

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	goodDockerfile = "FROM scratch\nCOPY busybox /busybox\nCOPY content /content\nRUN [\"/busybox\", \"sh\", \"-c\", \"/busybox sleep 0.$((RANDOM % 10)); /busybox cp /content /copy\"]\n"
	badDockerfile  = "FROM scratch\nCOPY busybox /busybox\nCOPY content /content\nRUN [\"/busybox\", \"false\"]\n"
	// badTag begins the tags of sources that don't build.
	badTag = "bad-"
)

// app is one client's repository, and what it knows of its branch.
type app struct {
	load      *load
	name, dir string
	next      int
	main      []string // what main may be: what was acknowledged last, "" if nothing was, and what was sent since
}

func (t *load) newApp(i int) *app {
	a := &app{load: t, name: fmt.Sprintf("app%d", i), main: []string{""}}
	a.dir = filepath.Join(t.dir, a.name)
	t.makeSources(a.dir)
	t.must("git", "-C", a.dir, "init", "-q")
	t.apps = append(t.apps, a)
	return a
}

// makeSources makes a directory of what every build needs.
func (t *load) makeSources(dir string) {
	binary, err := exec.LookPath("busybox")
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.must("cp", binary, dir+"/busybox")
}

// writeSources makes a directory's next state.
func (t *load) writeSources(dir, content string, bad bool, dice *rand.Rand) error {
	noise := make([]byte, dice.IntN(200_000))
	for i := range noise {
		noise[i] = byte(dice.Uint32())
	}
	dockerfile := goodDockerfile
	if bad {
		dockerfile = badDockerfile
	}
	for name, text := range map[string][]byte{"content": []byte(content), "noise": noise, "Dockerfile": []byte(dockerfile)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) act(_ context.Context, dice *rand.Rand) {
	switch dice.IntN(8) {
	case 0:
		a.moveTag(dice)
	case 1:
		if e := a.load.ledger.take(dice, unanswered, ofImage(a.name)); e != nil {
			a.load.count("pushes sent again")
			a.push(dice, e) // what was cut short is sent again
		}
	case 2:
		if e := a.load.ledger.take(dice, deleted, ofImage(a.name)); e != nil {
			a.load.count("deleted versions pushed anew")
			a.load.ledger.anew(e)
			_, _ = a.load.daemon.admin("", "tombstone", "lift", "tor/"+e.image, e.tag) // there is none of what was never built
			if a.commit(e, dice) {
				a.push(dice, e)
			}
		}
	case 3:
		a.pushBad(dice)
	default:
		var entries []*entry
		for range 1 + dice.IntN(3)/2 {
			a.next++
			e := a.load.ledger.add(entry{image: a.name, tag: fmt.Sprintf("v%d", a.next)})
			if a.commit(e, dice) {
				entries = append(entries, e)
			}
		}
		a.push(dice, entries...)
	}
}

// commit gives an entry new sources.
func (a *app) commit(e *entry, dice *rand.Rand) bool {
	content := fmt.Sprintf("%s %s %x\n", a.name, e.tag, dice.Uint64())
	err := a.load.writeSources(a.dir, content, strings.HasPrefix(e.tag, badTag), dice)
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", e.tag}, {"tag", "-f", e.tag}} {
		if err == nil {
			_, err = a.load.run("git", append([]string{"-C", a.dir}, args...)...)
		}
	}
	var commit string
	if err == nil {
		commit, err = a.load.run("git", "-C", a.dir, "rev-parse", "HEAD")
	}
	if err != nil && a.load.ctx.Err() == nil {
		a.load.Error(err)
	}
	e.content, e.commit, e.digest, e.seen = content, strings.TrimSpace(commit), "", false
	return err == nil
}

// push sends entries, in one of the ways clients do, and notes what git was told.
func (a *app) push(dice *rand.Rand, entries ...*entry) {
	args := []string{"-C", a.dir, "push", "--porcelain"}
	switch dice.IntN(4) {
	case 0:
		args = append(args, "--atomic")
	case 1:
		args = append(args, "-o", "detach")
	}
	args = append(args, a.load.env["GIT"]+"/tor/"+a.name)
	var head string
	if dice.IntN(3) == 0 {
		args = append(args, "+HEAD:refs/heads/main")
		head, _ = a.load.run("git", "-C", a.dir, "rev-parse", "HEAD")
		head = strings.TrimSpace(head)
		a.main = append(a.main, head)
	}
	for _, e := range entries {
		args = append(args, "refs/tags/"+e.tag)
	}
	a.load.count("pushes")
	out, err := a.load.run("git", args...)
	if err != nil {
		a.load.cut("pushes refused or cut off", err)
		<-time.After(100 * time.Millisecond) // the daemon may be down
	}
	told := pushed(out)
	if head != "" && told["refs/heads/main"] {
		a.main = []string{head}
	}
	for _, e := range entries {
		is := unanswered
		if told["refs/tags/"+e.tag] {
			a.load.count("versions acknowledged to a push")
			is = kept
		}
		a.load.ledger.put(e, is)
	}
}

// pushed reads of git's porcelain output which refs there are now.
func pushed(out string) map[string]bool {
	told := map[string]bool{}
	for line := range strings.Lines(out) {
		flag, rest, _ := strings.Cut(line, "\t")
		refs, _, _ := strings.Cut(rest, "\t")
		_, ref, found := strings.Cut(refs, ":")
		if found && len(flag) == 1 && strings.Contains("*=+ ", flag) {
			told[ref] = true
		}
	}
	return told
}

// pushBad sends what doesn't build, which the waiting client must be told.
func (a *app) pushBad(dice *rand.Rand) {
	a.next++
	e := a.load.ledger.add(entry{image: a.name, tag: fmt.Sprintf("%s%d", badTag, a.next)})
	defer a.load.ledger.put(e, faulty)
	if !a.commit(e, dice) {
		return
	}
	a.load.count("pushes of sources that don't build")
	out, err := a.load.run("git", "-C", a.dir, "push", "--porcelain", a.load.env["GIT"]+"/tor/"+a.name, e.tag)
	if err == nil {
		a.load.Errorf("%s doesn't build, and git was told ok:\n%s", e.name(), out)
	}
	if strings.Contains(out, "not built (infrastructure)") {
		a.load.Errorf("%s: blamed on us:\n%s", e.name(), out)
	}
}

// moveTag must not succeed: a version never changes.
func (a *app) moveTag(dice *rand.Rand) {
	e := a.load.ledger.take(dice, kept, ofImage(a.name))
	if e == nil {
		return
	}
	defer a.load.ledger.put(e, kept)
	head, err := a.load.run("git", "-C", a.dir, "rev-parse", "HEAD")
	if err != nil || strings.TrimSpace(head) == e.commit {
		return
	}
	a.load.count("pushes that move a tag")
	out, err := a.load.run("git", "-C", a.dir, "push", "--force", "--porcelain", a.load.env["GIT"]+"/tor/"+a.name, "HEAD:refs/tags/"+e.tag)
	if err == nil || pushed(out)["refs/tags/"+e.tag] {
		a.load.Errorf("%s was moved:\n%s", e.name(), out)
	}
}

// checkMain holds the branch to what was acknowledged.
func (a *app) checkMain(refs map[string]string) {
	if now := refs["refs/heads/main"]; !slices.Contains(a.main, now) {
		a.load.Errorf("%s: main is %q, none of %q", a.name, now, a.main)
	}
}

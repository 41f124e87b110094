//go:build torture

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
	torture   *torture
	name, dir string
	next      int
	main      []string // what main may be: what was acknowledged last, "" if nothing was, and what was sent since
}

func (t *torture) newApp(i int) *app {
	a := &app{torture: t, name: fmt.Sprintf("app%d", i), main: []string{""}}
	a.dir = filepath.Join(t.dir, a.name)
	t.makeSources(a.dir)
	t.must("git", "-C", a.dir, "init", "-q")
	return a
}

// makeSources makes a directory of what every build needs.
func (t *torture) makeSources(dir string) {
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
func (t *torture) writeSources(dir, content string, bad bool, dice *rand.Rand) error {
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
		if e := a.torture.ledger.take(dice, unanswered, ofImage(a.name)); e != nil {
			a.torture.count("pushes sent again")
			a.push(dice, e) // what was cut short is sent again
		}
	case 2:
		if e := a.torture.ledger.take(dice, deleted, ofImage(a.name)); e != nil {
			a.torture.count("deleted versions pushed anew")
			_, _ = a.torture.daemon.admin("", "tombstone", "lift", "tor/"+e.image, e.tag) // there is none of what was never built
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
			e := a.torture.ledger.add(entry{image: a.name, tag: fmt.Sprintf("v%d", a.next)})
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
	err := a.torture.writeSources(a.dir, content, strings.HasPrefix(e.tag, badTag), dice)
	for _, args := range [][]string{{"add", "-A"}, {"commit", "-q", "-m", e.tag}, {"tag", "-f", e.tag}} {
		if err == nil {
			_, err = a.torture.run("git", append([]string{"-C", a.dir}, args...)...)
		}
	}
	var commit string
	if err == nil {
		commit, err = a.torture.run("git", "-C", a.dir, "rev-parse", "HEAD")
	}
	if err != nil && a.torture.ctx.Err() == nil {
		a.torture.Error(err)
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
	args = append(args, a.torture.env["GIT"]+"/tor/"+a.name)
	var head string
	if dice.IntN(3) == 0 {
		args = append(args, "+HEAD:refs/heads/main")
		head, _ = a.torture.run("git", "-C", a.dir, "rev-parse", "HEAD")
		head = strings.TrimSpace(head)
		a.main = append(a.main, head)
	}
	for _, e := range entries {
		args = append(args, "refs/tags/"+e.tag)
	}
	a.torture.count("pushes")
	out, err := a.torture.run("git", args...)
	if err != nil {
		a.torture.count("pushes refused or cut off")
		<-time.After(100 * time.Millisecond) // the daemon may be down
	}
	told := pushed(out)
	if head != "" && told["refs/heads/main"] {
		a.main = []string{head}
	}
	for _, e := range entries {
		is := unanswered
		if told["refs/tags/"+e.tag] {
			a.torture.count("versions acknowledged to a push")
			is = kept
		}
		a.torture.ledger.put(e, is)
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
	e := a.torture.ledger.add(entry{image: a.name, tag: fmt.Sprintf("%s%d", badTag, a.next)})
	defer a.torture.ledger.put(e, faulty)
	if !a.commit(e, dice) {
		return
	}
	a.torture.count("pushes of sources that don't build")
	out, err := a.torture.run("git", "-C", a.dir, "push", "--porcelain", a.torture.env["GIT"]+"/tor/"+a.name, e.tag)
	if err == nil {
		a.torture.Errorf("%s doesn't build, and git was told ok:\n%s", e.name(), out)
	}
	if strings.Contains(out, "not built (infrastructure)") {
		a.torture.Errorf("%s: blamed on us:\n%s", e.name(), out)
	}
}

// moveTag must not succeed: a version never changes.
func (a *app) moveTag(dice *rand.Rand) {
	e := a.torture.ledger.take(dice, kept, ofImage(a.name))
	if e == nil {
		return
	}
	defer a.torture.ledger.put(e, kept)
	head, err := a.torture.run("git", "-C", a.dir, "rev-parse", "HEAD")
	if err != nil || strings.TrimSpace(head) == e.commit {
		return
	}
	a.torture.count("pushes that move a tag")
	out, err := a.torture.run("git", "-C", a.dir, "push", "--force", "--porcelain", a.torture.env["GIT"]+"/tor/"+a.name, "HEAD:refs/tags/"+e.tag)
	if err == nil || pushed(out)["refs/tags/"+e.tag] {
		a.torture.Errorf("%s was moved:\n%s", e.name(), out)
	}
}

// checkMain holds the branch to what was acknowledged.
func (a *app) checkMain(refs map[string]string) {
	if now := refs["refs/heads/main"]; !slices.Contains(a.main, now) {
		a.torture.Errorf("%s: main is %q, none of %q", a.name, now, a.main)
	}
}

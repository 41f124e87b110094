//go:build torture || soak

package main

import (
	"archive/tar"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/crane"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// check waits until nothing is built any more and holds every promise to what there is; whole: to all of each image.
func (t *load) check(whole bool) {
	t.Helper()
	if t.ctx.Err() != nil {
		return
	}
	t.quiesce()
	states := t.states()
	t.checkEntries(states, whole)
	t.checkRepositories(states)
	t.checkEvents()
	if err := t.daemon.faults(); err != nil {
		t.Error(err)
	}
}

// states lists all versions by image:tag.
func (t *load) states() map[string]string {
	states := map[string]string{}
	var images []api.Image
	t.get("images", &images)
	for _, image := range images {
		var versions []api.Version
		t.get("images/"+image.Name+"/versions", &versions)
		for _, v := range versions {
			states[image.Name+":"+v.Version] = v.State
		}
	}
	return states
}

// quiesce waits until builds have ended. What a full disk failed is tried again after pauses of more than a minute.
func (t *load) quiesce() {
	t.Helper()
	deadline := time.Now().Add(4 * timeout)
	for t.ctx.Err() == nil && !t.Failed() {
		var left []string
		for name, state := range t.states() {
			if state := catalog.State(state); !state.Ended() {
				left = append(left, name+" "+string(state))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Errorf("stuck: %v", left)
			return
		}
		wait(t.ctx, 300*time.Millisecond)
	}
}

// lookAgain is how many of the versions that were looked at before each check pulls again.
const lookAgain = 10

func (t *load) checkEntries(states map[string]string, whole bool) {
	var before []*entry
	for _, e := range t.ledger.entries {
		state, there := states[e.name()]
		if !t.checkState(e, state, there) || state != string(catalog.Built) {
			continue
		}
		if e.seen {
			before = append(before, e)
			continue
		}
		t.checkVersion(e)
	}
	t.dice.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
	if !whole {
		before = before[:min(lookAgain, len(before))]
	}
	for _, e := range before {
		if err := t.pull(e); err != nil && t.ctx.Err() == nil {
			t.Errorf("%s can't be pulled any more: %v", e.name(), err)
		}
	}
	known := map[string]bool{}
	for _, e := range t.ledger.entries {
		known[e.name()] = true
	}
	for name := range states {
		if !known[name] {
			t.Errorf("version %s was made by no push", name)
		}
	}
}

// checkState compares what clients know of a version with how it is listed.
func (t *load) checkState(e *entry, state string, there bool) bool {
	want := map[standing][]string{
		kept:       {string(catalog.Built)},
		unanswered: {"", string(catalog.Built)},
		faulty:     {"", string(catalog.BuildFailed)},
		deleted:    {""},
	}[e.standing]
	if slices.Contains(want, state) || t.ctx.Err() != nil || e.standing == kept && !there && t.mayBeGone(e) {
		return true
	}
	var detail api.VersionDetail
	if there {
		t.get("images/"+e.image+"/versions/"+e.tag, &detail)
	}
	t.Errorf("%s is %q, want one of %q: %+v", e.name(), state, want, detail.Builds)
	return false
}

// lasts reports whether retention is not about to remove an entry. It is for fits of take.
func (t *load) lasts(e *entry) bool { return t.keepLast == 0 || t.ledger.later(e) < 2 }

// mayBeGone reports whether retention may have removed an entry. Of some at a time it is not known which was built first.
func (t *load) mayBeGone(e *entry) bool {
	return t.keepLast > 0 && !e.stays && t.ledger.later(e) >= t.keepLast-2
}

// checkVersion looks at the whole of a version that was not looked at yet.
func (t *load) checkVersion(e *entry) {
	var detail api.VersionDetail
	if !t.get("images/"+e.image+"/versions/"+e.tag, &detail) {
		return
	}
	if e.commit != "" && detail.Commit != e.commit {
		t.Errorf("%s is of commit %s, pushed was %s", e.name(), detail.Commit, e.commit)
	}
	if e.digest == "" {
		e.digest = detail.Digest
	}
	if e.digest != detail.Digest {
		t.Errorf("%s is %s, pushed was %s", e.name(), detail.Digest, e.digest)
	}
	if err := t.pull(e); err != nil && t.ctx.Err() == nil {
		t.Errorf("%s can't be pulled: %v", e.name(), err)
		return
	}
	if e.content != "" {
		t.checkBuild(e)
	}
	e.seen = true
}

// checkBuild looks at a build's log and at what it made.
func (t *load) checkBuild(e *entry) {
	var log api.BuildLog
	if !t.get("images/"+e.image+"/versions/"+e.tag+"/builds?image_offset=0", &log) {
		return
	}
	// A daemon that is killed between the log's end and the record of it builds again.
	attempt := log.Logs[max(strings.LastIndex(log.Logs, "Building tor/"+e.name()+" "), 0):]
	if strings.Count(attempt, "Built tor/"+e.name()+" in ") != 1 {
		t.Errorf("%s: log:\n%s", e.name(), log.Logs)
	}
	options, cancel := t.crane()
	defer cancel()
	image, err := crane.Pull(t.reference(e.image, e.tag), options)
	if err != nil {
		t.Error(err)
		return
	}
	read, write := io.Pipe()
	go func() { write.CloseWithError(crane.Export(image, write)) }()
	defer read.Close() //nolint:errcheck // the writer learns of it
	got := map[string]string{}
	for files := tar.NewReader(read); ; {
		header, err := files.Next()
		if err != nil {
			break
		}
		if header.Name == "content" || header.Name == "copy" {
			text, _ := io.ReadAll(files)
			got[header.Name] = string(text)
		}
	}
	if (got["content"] != e.content || got["copy"] != e.content) && t.ctx.Err() == nil {
		t.Errorf("%s holds %q instead of twice %q", e.name(), got, e.content)
	}
}

// checkRepositories asks for refs, has git look at every object, and for what pushes left.
func (t *load) checkRepositories(states map[string]string) {
	for _, image := range t.repositories() {
		dir := filepath.Join(t.daemon.data, "repos", "tor", image+".git")
		if _, err := os.Stat(dir); err != nil {
			continue // nothing came through yet
		}
		t.checkQuarantine() // git does not expect packs to go while it reads them
		t.must("git", "--git-dir="+dir, "fsck", "--full", "--no-dangling")
		refs := t.refsOf(image)
		// What a full disk kept from being removed is tried again.
		for deadline := time.Now().Add(2 * mendInterval); t.removedTag(image, refs, states) != "" && time.Now().Before(deadline) && t.ctx.Err() == nil; {
			wait(t.ctx, time.Second)
			refs = t.refsOf(image)
		}
		if t.ctx.Err() != nil {
			return
		}
		for _, a := range t.apps {
			if a.name == image {
				a.checkMain(refs)
			}
		}
		t.checkTags(image, refs, states)
	}
	t.checkQuarantine()
}

// checkQuarantine wants it empty, in the end: packs may be merged there just now, which takes long where nothing is
// like anything, and much longer in a program that looks for races.
func (t *load) checkQuarantine() {
	deadline := time.Now().Add(timeout)
	for t.ctx.Err() == nil {
		left, err := os.ReadDir(filepath.Join(t.daemon.data, "repos", ".incoming"))
		if len(left) == 0 && (err == nil || os.IsNotExist(err)) {
			return
		}
		if time.Now().After(deadline) {
			if profile := t.profile("goroutine?debug=1"); !strings.Contains(profile, "mergePacks") {
				t.Errorf("left in quarantine: %v %v\n%s", left, err, profile)
				return
			}
		}
		wait(t.ctx, 300*time.Millisecond)
	}
}

// repositories names the images that have one.
func (t *load) repositories() (names []string) {
	for _, a := range t.apps {
		names = append(names, a.name)
	}
	for _, u := range t.uploaders {
		names = append(names, u.name)
	}
	return names
}

func (t *load) refsOf(image string) map[string]string {
	refs := map[string]string{}
	for line := range strings.Lines(t.must("git", "ls-remote", t.env["GIT"]+"/tor/"+image)) {
		object, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		refs[ref] = object
	}
	return refs
}

// removedTag returns a tag of a version that was deleted, "" when there is none.
func (t *load) removedTag(image string, refs, states map[string]string) string {
	for _, e := range t.ledger.entries {
		if _, there := refs["refs/tags/"+e.tag]; e.image == image && there && states[e.name()] == "" {
			return e.tag
		}
	}
	return ""
}

// checkTags wants a tag for each built version and no other.
func (t *load) checkTags(image string, refs, states map[string]string) {
	for _, e := range t.ledger.entries {
		if e.image != image {
			continue
		}
		object, there := refs["refs/tags/"+e.tag]
		if built := states[e.name()] == string(catalog.Built); built != there {
			t.Errorf("%s is %q, its tag %q", e.name(), states[e.name()], object)
		} else if built && e.commit != "" && object != e.commit {
			t.Errorf("tag %s is %s, pushed was %s", e.name(), object, e.commit)
		}
	}
}

func linkNames(t testing.TB) string {
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(links)
}

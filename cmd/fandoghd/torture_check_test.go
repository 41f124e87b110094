//go:build torture

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
func (w *torture) check(whole bool) {
	w.Helper()
	if w.ctx.Err() != nil {
		return
	}
	w.quiesce()
	states := w.states()
	w.checkEntries(states, whole)
	w.checkRepositories(states)
	w.checkEvents()
	w.checkLife()
	if err := w.daemon.faults(); err != nil {
		w.Error(err)
	}
}

// states lists all versions by image:tag.
func (w *torture) states() map[string]string {
	states := map[string]string{}
	var images []api.Image
	w.get("images", &images)
	for _, image := range images {
		var versions []api.Version
		w.get("images/"+image.Name+"/versions", &versions)
		for _, v := range versions {
			states[image.Name+":"+v.Version] = v.State
		}
	}
	return states
}

// quiesce waits until builds have ended. What a full disk failed is tried again after pauses of more than a minute.
func (w *torture) quiesce() {
	w.Helper()
	deadline := time.Now().Add(4 * patience)
	for w.ctx.Err() == nil && !w.Failed() {
		var left []string
		for name, state := range w.states() {
			if state := catalog.State(state); !state.Ended() {
				left = append(left, name+" "+string(state))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			w.Errorf("stuck: %v", left)
			return
		}
		wait(w.ctx, 300*time.Millisecond)
	}
}

// lookAgain is how many of the versions that were looked at before each check pulls again.
const lookAgain = 10

func (w *torture) checkEntries(states map[string]string, whole bool) {
	var before []*entry
	for _, e := range w.ledger.entries {
		state, there := states[e.name()]
		if !w.checkState(e, state, there) || state != string(catalog.Built) {
			continue
		}
		if e.seen {
			before = append(before, e)
			continue
		}
		w.checkVersion(e)
	}
	w.dice.Shuffle(len(before), func(i, j int) { before[i], before[j] = before[j], before[i] })
	if !whole {
		before = before[:min(lookAgain, len(before))]
	}
	for _, e := range before {
		if err := w.pull(e); err != nil && w.ctx.Err() == nil {
			w.Errorf("%s can't be pulled any more: %v", e.name(), err)
		}
	}
	known := map[string]bool{}
	for _, e := range w.ledger.entries {
		known[e.name()] = true
	}
	for name := range states {
		if !known[name] {
			w.Errorf("version %s was made by nobody", name)
		}
	}
}

// checkState compares what clients know of a version with how it is listed.
func (w *torture) checkState(e *entry, state string, there bool) bool {
	want := map[standing][]string{
		kept:       {string(catalog.Built)},
		unanswered: {"", string(catalog.Built)},
		faulty:     {"", string(catalog.BuildFailed)},
		deleted:    {""},
	}[e.standing]
	if slices.Contains(want, state) || w.ctx.Err() != nil {
		return true
	}
	var detail api.VersionDetail
	if there {
		w.get("images/"+e.image+"/versions/"+e.tag, &detail)
	}
	w.Errorf("%s is %q, want one of %q: %+v", e.name(), state, want, detail.Builds)
	return false
}

// checkVersion looks at the whole of a version that was not looked at yet.
func (w *torture) checkVersion(e *entry) {
	var detail api.VersionDetail
	if !w.get("images/"+e.image+"/versions/"+e.tag, &detail) {
		return
	}
	if e.commit != "" && detail.Commit != e.commit {
		w.Errorf("%s is of commit %s, pushed was %s", e.name(), detail.Commit, e.commit)
	}
	if e.digest == "" {
		e.digest = detail.Digest
	}
	if e.digest != detail.Digest {
		w.Errorf("%s is %s, pushed was %s", e.name(), detail.Digest, e.digest)
	}
	if err := w.pull(e); err != nil && w.ctx.Err() == nil {
		w.Errorf("%s can't be pulled: %v", e.name(), err)
		return
	}
	if e.content != "" {
		w.checkBuild(e)
	}
	e.seen = true
}

// checkBuild looks at a build's log and at what it made.
func (w *torture) checkBuild(e *entry) {
	var log api.BuildLog
	if !w.get("images/"+e.image+"/versions/"+e.tag+"/builds?image_offset=0", &log) {
		return
	}
	if strings.Count(log.Logs, "Built tor/"+e.name()+" in ") != 1 {
		w.Errorf("%s: log:\n%s", e.name(), log.Logs)
	}
	options, cancel := w.crane()
	defer cancel()
	image, err := crane.Pull(w.reference(e.image, e.tag), options)
	if err != nil {
		w.Error(err)
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
	if (got["content"] != e.content || got["copy"] != e.content) && w.ctx.Err() == nil {
		w.Errorf("%s holds %q instead of twice %q", e.name(), got, e.content)
	}
}

// checkRepositories asks for refs, has git look at every object, and for what pushes left.
func (w *torture) checkRepositories(states map[string]string) {
	for _, image := range []string{"app0", "app1", "upload"} {
		dir := filepath.Join(w.daemon.data, "repos", "tor", image+".git")
		if _, err := os.Stat(dir); err != nil {
			continue // nothing came through yet
		}
		w.checkQuarantine() // git does not expect packs to go while it reads them
		w.must("git", "--git-dir="+dir, "fsck", "--full", "--no-dangling")
		refs := w.refsOf(image)
		// What a full disk kept from being removed is tried again.
		for deadline := time.Now().Add(2 * mendInterval); w.removedTag(image, refs, states) != "" && time.Now().Before(deadline) && w.ctx.Err() == nil; {
			wait(w.ctx, time.Second)
			refs = w.refsOf(image)
		}
		if w.ctx.Err() != nil {
			return
		}
		for _, a := range w.apps {
			if a.name == image {
				a.checkMain(refs)
			}
		}
		w.checkTags(image, refs, states)
	}
	w.checkQuarantine()
}

// checkQuarantine wants it empty, in the end: packs may be merged there just now, which takes long where nothing is
// like anything, and much longer in a program that looks for races.
func (w *torture) checkQuarantine() {
	deadline := time.Now().Add(patience)
	for w.ctx.Err() == nil {
		left, err := os.ReadDir(filepath.Join(w.daemon.data, "repos", ".incoming"))
		if len(left) == 0 && (err == nil || os.IsNotExist(err)) {
			return
		}
		if time.Now().After(deadline) {
			if profile := w.profile("goroutine?debug=1"); !strings.Contains(profile, "mergePacks") {
				w.Errorf("left in quarantine: %v %v\n%s", left, err, profile)
				return
			}
		}
		wait(w.ctx, 300*time.Millisecond)
	}
}

func (w *torture) refsOf(image string) map[string]string {
	refs := map[string]string{}
	for line := range strings.Lines(w.must("git", "ls-remote", w.env["GIT"]+"/tor/"+image)) {
		object, ref, _ := strings.Cut(strings.TrimSpace(line), "\t")
		refs[ref] = object
	}
	return refs
}

// removedTag returns a tag of a version that was deleted, "" when there is none.
func (w *torture) removedTag(image string, refs, states map[string]string) string {
	for _, e := range w.ledger.entries {
		if _, there := refs["refs/tags/"+e.tag]; e.image == image && there && states[e.name()] == "" {
			return e.tag
		}
	}
	return ""
}

// checkTags wants a tag for each built version and no other.
func (w *torture) checkTags(image string, refs, states map[string]string) {
	for _, e := range w.ledger.entries {
		if e.image != image {
			continue
		}
		object, there := refs["refs/tags/"+e.tag]
		if built := states[e.name()] == string(catalog.Built); built != there {
			w.Errorf("%s is %q, its tag %q", e.name(), states[e.name()], object)
		} else if built && e.commit != "" && object != e.commit {
			w.Errorf("tag %s is %s, pushed was %s", e.name(), object, e.commit)
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

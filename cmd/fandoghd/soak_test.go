//go:build soak

package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

// keepLast is how many versions retention keeps of each image.
const keepLast = 5

// TestSoak has clients of every kind at work on twenty images at once, for SOAK_TIME ("30m" when it is empty), while
// retention and the garbage collection run often and nothing is broken on purpose. Clients must meet no error, what
// they were told must be so in the end, and memory and disk must not grow once they have had time to settle.
// SOAK_SEED repeats a run's choices, not its timing. An interrupt ends the run early.
func TestSoak(t *testing.T) {
	toolsOnPath(t)
	limit, err := time.ParseDuration(orElse(os.Getenv("SOAK_TIME"), "30m"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(stop)
	w := newSoak(ctx, t, seedFrom(t, "SOAK_SEED"))
	over, end := context.WithTimeout(ctx, limit)
	defer end()
	var watching sync.WaitGroup
	watching.Go(func() { w.watch(over) })
	w.act(over, w.actors)
	watching.Wait()
	t.Logf("%s\n%s", w.ledger.summary(), w.record.plot())
	for _, fault := range w.record.judge(limit) {
		t.Errorf("%s; profiles of the middle and the end are in %v", fault, w.profiles)
	}
	w.checkRetained()
	w.checkEvents()
	w.check(true)
	w.checkDeliveries()
	w.checkErrors()
	w.stopIfNeeded()
	if len(w.ledger.all(kept)) == 0 {
		t.Error("nothing was ever acknowledged; nothing was tested")
	}
}

// soak is a load that nothing disturbs.
type soak struct {
	*load
	record   record
	profiles []string // files with profiles of the heap and the goroutines
}

func newSoak(ctx context.Context, t *testing.T, seed uint64) *soak {
	w := &soak{load: newLoad(ctx, t, seed)}
	w.registries, w.keepLast = 3, keepLast
	for name, value := range map[string]string{
		"BUILDER_TIMEOUT": "2m", "BUILDER_PARALLEL": "3", "REGISTRY_GRACE": "125s", "REGISTRY_GC_INTERVAL": "20s", "GIT_GC_INTERVAL": "15s", "GIT_GRACE": "1m",
		"BUILDER_MANAGED_KEEP_CACHE": "96MiB", "BUILDER_MANAGED_KEEP_RECORDS": "1500", "WEBHOOKS_ALLOW_PRIVATE": "true", "BUILDER_LIMITS_FREE_DISK": "64MiB", "DISK_MIN_FREE": "0",
		"RETENTION_INTERVAL": "15s", "RETENTION_VERSIONS_KEEP_LAST": fmt.Sprint(keepLast),
	} {
		t.Setenv("FANDOGH_"+name, value)
	}
	t.Cleanup(w.checkLeft)
	t.Cleanup(w.stop)
	w.start()
	w.become()
	// Twenty images: these, three that are pushed to the registry alone, and two that are deleted and made anew.
	for i := range 12 {
		w.add("pusher", 10_000, w.newApp(i).act)
	}
	for i := range 3 {
		w.add("uploader", 8000, w.newUploader(fmt.Sprintf("upload%d", i)).act)
	}
	w.add("registry client", 2500, w.registryClient)
	w.add("image deleter", 8000, w.newImageDeleter().act)
	w.add("deleter", 5000, w.deleter)
	w.add("puller", 2000, w.puller)
	w.add("collector", 20_000, w.collector)
	return w
}

// puller pulls one version of each image, by turns as two programs do. A version that was pulled stays for a time that
// is longer than the run: others must not be pulled, or nothing would ever go.
func (w *soak) puller(_ context.Context, dice *rand.Rand) {
	e := w.ledger.take(dice, kept, func(e *entry) bool { return e.stays })
	if dice.IntN(2) == 0 || e == nil {
		if fresh := w.ledger.take(dice, kept, w.worthKeeping); fresh != nil {
			if e != nil {
				w.ledger.put(e, kept)
			}
			e = fresh
		}
	}
	if e == nil {
		return
	}
	defer w.ledger.put(e, kept)
	var version api.VersionDetail
	if !w.get("images/"+e.image+"/versions/"+e.tag, &version) || version.State != string(catalog.Built) {
		return // it is still being built: uploads and some pushes wait for nothing
	}
	w.count("pulls")
	if err := w.pull(e); err != nil {
		w.cut("pulls cut off", err)
		return
	}
	e.stays, w.pulled[e.image] = true, true
	to := filepath.Join(w.dir, "pulled")
	if _, err := w.run("skopeo", "copy", "-q", "--src-tls-verify=false", "--src-creds=tor:"+w.env["TOKEN"], "docker://"+w.reference(e.image, e.tag), "dir:"+to); err != nil {
		w.cut("pulls by skopeo cut off", err)
	}
	if err := os.RemoveAll(to); err != nil {
		w.Error(err)
	}
}

// worthKeeping reports whether an entry may be the one of its image that pulls keep: retention is not about to remove it.
func (w *soak) worthKeeping(e *entry) bool {
	return !isGone(e) && !w.pulled[e.image] && w.lasts(e)
}

// checkRetained wants of each image what the rule keeps, the one that was pulled, and nothing else that was built.
func (w *soak) checkRetained() {
	if w.ctx.Err() != nil {
		return
	}
	w.quiesce()
	for deadline := time.Now().Add(timeout); ; wait(w.ctx, time.Second) {
		built := map[string]int{}
		for name, state := range w.states() {
			if image, _, _ := strings.Cut(name, ":"); state == string(catalog.Built) && slices.Contains(w.repositories(), image) {
				built[image]++
			}
		}
		over := ""
		for image, n := range built {
			if n > keepLast+1 {
				over += fmt.Sprintf(" %s has %d versions", image, n)
			}
		}
		if over == "" || w.ctx.Err() != nil {
			return
		}
		if time.Now().After(deadline) {
			w.Errorf("retention leaves more than the last %d versions and the one that was pulled:%s", keepLast, over)
			return
		}
	}
}

// checkErrors wants no answer of the daemon that blames itself, and nothing in its log that an operator would have to look at.
func (w *soak) checkErrors() {
	for line := range strings.Lines(w.asAdmin("/metrics")) {
		isFault := strings.Contains(line, `code="5`) && !strings.Contains(line, `code="503"`) // which asks to try again: at start, and while an image is removed
		if strings.HasPrefix(line, "fandogh_http_requests_total{") && isFault {
			w.Errorf("answers of the daemon: %s", line)
		}
	}
	text, err := os.ReadFile(w.daemon.data + ".log")
	if err != nil {
		w.Error(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, "[ERROR]") {
			w.Errorf("the daemon's log: %s", line)
		}
	}
}

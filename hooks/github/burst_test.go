package github_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// burst sends one delivery for each tag of each repository, all at once, while
// the service works, and returns how long each answer took.
func burst(t testing.TB, repositories, tags int) []time.Duration {
	f := newForge(t)
	h := newEnv(t, f)
	h.hold = make(chan struct{}) // builds wait: only the deliveries are looked at
	w := f.repository("acme/first")
	commit := w.commit("Dockerfile", "FROM scratch\n")
	for i := range tags {
		w.git("tag", fmt.Sprintf("v%d", i))
	}
	w.push("--tags")
	type delivery struct {
		image     catalog.Image
		id, tag   string
		body      []byte
		signature string
	}
	var all []delivery
	for n := range repositories {
		name := fmt.Sprintf("acme/app%d", n)
		if err := os.CopyFS(filepath.Join(f.dir, name+".git"), os.DirFS(filepath.Join(f.dir, "acme/first.git"))); err != nil {
			t.Fatal(err)
		}
		image := h.connect(fmt.Sprintf("app%d", n), name)
		for i := range tags {
			body := fmt.Appendf(nil, `{"repository":{"full_name":%q},"ref":"refs/tags/v%d","after":%q,"padding":%q}`, name, i, commit, strings.Repeat("x", 8000))
			all = append(all, delivery{image, fmt.Sprintf("%d-%d", n, i), fmt.Sprintf("v%d", i), body, sign(body, secret)})
		}
	}
	h.run()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(all)}}
	defer client.CloseIdleConnections()
	took := make([]time.Duration, len(all))
	start := make(chan struct{})
	var senders sync.WaitGroup
	for i, d := range all {
		senders.Go(func() {
			request, err := http.NewRequest(http.MethodPost, h.server.URL+"/webhooks/github", bytes.NewReader(d.body))
			if err != nil {
				t.Error(err)
				return
			}
			for name, value := range map[string]string{
				"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": d.id, "X-Hub-Signature-256": d.signature,
			} {
				request.Header.Set(name, value)
			}
			<-start
			begin := time.Now()
			response, err := client.Do(request)
			took[i] = time.Since(begin)
			if err != nil {
				t.Error(err)
				return
			}
			if text, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
				t.Errorf("%s: %s %s, %v", d.id, response.Status, text, err)
			}
			_ = response.Body.Close()
		})
	}
	close(start)
	senders.Wait()
	for _, d := range all {
		deadline := time.Now().Add(4 * time.Minute)
		for h.version(d.image, d.tag).State == "" {
			if time.Now().After(deadline) {
				t.Fatalf("%s:%s did not become a version: %v", d.image.Ref, d.tag, h.status(d.image).Deliveries)
			}
			<-time.After(20 * time.Millisecond) // between two looks
		}
	}
	close(h.hold)
	slices.Sort(took)
	return took
}

func TestBurst(t *testing.T) {
	burst(t, 5, 12)
}

// BenchmarkBurst is 1,000 deliveries for 50 repositories at once.
func BenchmarkBurst(b *testing.B) {
	for b.Loop() {
		took := burst(b, 50, 20)
		b.ReportMetric(float64(took[len(took)/2].Milliseconds()), "median-ms")
		b.ReportMetric(float64(took[len(took)-1].Milliseconds()), "slowest-ms")
	}
}

package lfs_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/lfs"
)

// blob is the file that a content is in.
func (e *env) blob(content string) string {
	oid := oidOf(content)
	return filepath.Join(e.dir, "registry", "docker", "registry", "v2", "blobs", "sha256", oid[:2], oid, "data")
}

// What a disk lost, or only a part of which a copy of it has, a client can send again.
func TestLostContents(t *testing.T) {
	object := "/alice/app.git/info/lfs/objects/" + oidOf("a large file")
	for name, lose := range map[string]func(string) error{
		"gone": os.Remove,
		"cut":  func(path string) error { return os.Truncate(path, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t)
			if got := e.upload("alice", "a large file"); got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for _, again := range []func(){
				func() {
					if got := e.upload("alice", "a large file"); got.status != http.StatusOK {
						t.Errorf("%d %s", got.status, got.body)
					}
				},
				func() {
					size := fmt.Sprintf("size=%d", len("a large file"))
					got, err := e.talk(lfs.Upload, say("batch", nil, oidOf("a large file")+" 12\n")+say("put-object "+oidOf("a large file"), []string{size}, "a large file"))
					if err != nil || !strings.Contains(got, " upload\n") || strings.Count(got, "status 200") != 2 {
						t.Errorf("%v\n%q", err, got)
					}
				},
			} {
				e.must(lose(e.blob("a large file")))
				if down := e.batch("alice", "download", "a large file").Objects[0]; down.Error == nil || len(down.Actions) != 0 {
					t.Errorf("a client need not keep it: %+v", down)
				}
				if got := e.ask("alice", "GET", object, nil); got.status != http.StatusInternalServerError || !strings.Contains(got.body, "git lfs push --all") {
					t.Errorf("what is lost: %d %s", got.status, got.body)
				}
				again()
				if got := e.ask("alice", "GET", object, nil); got.body != "a large file" {
					t.Errorf("afterwards: %d %q", got.status, got.body)
				}
			}
		})
	}
}

// A build gets what a pointer says, or an error: no client is there to compare it.
func TestDamagedContents(t *testing.T) {
	e := newEnv(t)
	if got := e.upload("alice", "a large file"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, stored := range []string{"a large file", "A large file"} {
		e.must(os.WriteFile(e.blob("a large file"), []byte(stored), 0o600))
		content, err := e.server.Open(t.Context(), app, oidOf("a large file"))
		e.must(err)
		got, err := io.ReadAll(iotest.OneByteReader(content))
		if string(got) != stored || (err == nil) != (stored == "a large file") {
			t.Errorf("of %q: %q, %v", stored, got, err)
		}
		if err != nil && !strings.Contains(catalog.MessageOf(err), "damaged") {
			t.Error(err)
		}
		e.must(content.Close())
	}
}

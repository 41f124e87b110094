package registry_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func TestContent(t *testing.T) {
	w := newEnv(t)
	image := w.image("alice", "App")
	build, creds := w.start(image, "1.0")
	archive := w.archive()
	changed := archive + "-config.tar"
	name, secret, _ := strings.Cut(creds, ":")
	digest := w.push(archive, "alice/app:1.0", creds)
	w.run("crane", "auth", "login", w.host, "-u", name, "-p", secret)
	w.run("crane", "mutate", "--insecure", w.host+"/alice/app@"+digest, "-o", changed, "-t", "x:1",
		"--env", "A=b", "--label", "l=m", "--entrypoint", "/bin/sh,-c", "--cmd", "echo", "--user", "7", "--workdir", "/w", "--exposed-ports", "80/tcp", "--set-platform", "linux/arm64/v8")
	digest = w.push(changed, "alice/app:1.0", creds)
	w.finish(build, digest)

	got, err := w.registry.Content(t.Context(), image.Ref, digest)
	w.must(err)
	c := got.Config
	if got.Platform != "linux/arm64/v8" || !slices.Equal(c.Env, []string{"A=b"}) || c.Labels["l"] != "m" || c.User != "7" || c.WorkingDir != "/w" ||
		!slices.Equal(c.Entrypoint, []string{"/bin/sh", "-c"}) || !slices.Equal(c.Cmd, []string{"echo"}) || !slices.Equal(c.ExposedPorts, []string{"80/tcp"}) {
		t.Errorf("content %+v", got)
	}
	if len(got.Layers) != 1 || got.Layers[0].Size == 0 || !strings.HasPrefix(got.Layers[0].Digest, "sha256:") {
		t.Errorf("layers %+v", got.Layers)
	}
	if len(got.History) == 0 || !slices.ContainsFunc(got.History, func(h api.HistoryEntry) bool { return h.Size == got.Layers[0].Size }) {
		t.Errorf("history %+v", got.History)
	}

	// A chart is for no platform.
	chart := w.manifestOf("alice/app", "chart", []byte(`{"name":"a chart"}`), "content", nil)
	if got, err := w.registry.Content(t.Context(), image.Ref, digestOf(chart)); err != nil || got.Platform != "" || len(got.Layers) != 1 {
		t.Errorf("a chart is %+v, %v", got, err)
	}

	// What is read of one that says endlessly many things takes more memory than it has bytes.
	many := w.manifestOf("alice/app", "many", []byte(`{"os":"linux","history":[{}`+strings.Repeat(`,{}`, 50_000)+`]}`), "content", nil)
	if _, err := w.registry.Content(t.Context(), image.Ref, digestOf(many)); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("a configuration of many values: %v", err)
	}
	if _, err := w.registry.PlatformImages(t.Context(), image.Ref, digestOf(many)); catalog.CodeOf(err) != catalog.Invalid {
		t.Errorf("the files of an image of many values: %v", err)
	}

	named := w.manifestOf("alice/app", "named", []byte(`{"os":"`+strings.Repeat("é", 10_000)+`"}`), "content", nil)
	if got, err := w.registry.Content(t.Context(), image.Ref, digestOf(named)); err != nil || len(got.Platform) > 200 || !utf8.ValidString(got.Platform) {
		t.Errorf("an endless platform: %d bytes, %v", len(got.Platform), err)
	}

	if _, err := w.registry.Content(t.Context(), image.Ref, "sha256:"+strings.Repeat("0", 64)); catalog.CodeOf(err) != catalog.NotFound {
		t.Errorf("no such image: %v", err)
	}
	if _, err := w.registry.Content(t.Context(), image.Ref, "nonsense"); err == nil {
		t.Error("read an image without a digest")
	}
}

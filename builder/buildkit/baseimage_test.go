//go:build linux

package buildkit

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
)

// plainLayer is a layer that is not compressed.
func plainLayer(t *testing.T, file string) v1.Layer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	err := w.WriteHeader(&tar.Header{Name: file, Typeflag: tar.TypeReg, Size: int64(len(file)), Mode: 0o644, ModTime: time.Date(2020, 5, 5, 0, 0, 0, 0, time.UTC)})
	if err == nil {
		_, err = io.WriteString(w, file)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return static.NewLayer(b.Bytes(), types.OCIUncompressedLayer)
}

// pushBase puts an image of plain layers where ann's builds may take it from.
func pushBase(t *testing.T, tag string, layers int) (image v1.Image, reference string) {
	t.Helper()
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: runtime.GOARCH})
	if err != nil {
		t.Fatal(err)
	}
	image = mutate.ConfigMediaType(mutate.MediaType(image, types.OCIManifestSchema1), types.OCIConfigJSON)
	for i := range layers {
		image, err = mutate.Append(image, mutate.Addendum{Layer: plainLayer(t, fmt.Sprintf("of-base-%s-%d", tag, i)), MediaType: types.OCIUncompressedLayer,
			History: v1.History{CreatedBy: fmt.Sprint("step ", i), Created: v1.Time{Time: buildkittest.LayerEpoch}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	reference = env.Registry.Host() + "/ann/plainbase:" + tag
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, image, remote.WithAuth(&authn.Basic{Username: "ann", Password: "ann"})); err != nil {
		t.Fatal(err)
	}
	return image, reference
}

func TestLayersAndHistoryOfABaseStayAsTheyAre(t *testing.T) {
	base, reference := pushBase(t, "1", 2)
	r := env.Request("ann", "of-plain", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + reference + "\nCOPY x /x\n", "x": t.Name()}))
	env.Solve(t, r)
	want, got := layerDigests(t, base), layerDigests(t, pushed(t, r))
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("the base's layers %v became %v", want, got)
	}
	config, err := pushed(t, r).ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(config.History) != 3 || !config.History[0].Created.Equal(buildkittest.LayerEpoch) || !config.History[2].Created.Equal(buildkittest.Epoch) {
		t.Errorf("the history is %+v", config.History)
	}
}

func TestConfigurationKeepsWhatLibrariesDoNotKnow(t *testing.T) {
	base := env.Request("ann", "interval", "1.0", buildkittest.NewTree(map[string]string{
		"Dockerfile": "FROM scratch\nCOPY Dockerfile /\nHEALTHCHECK --interval=30s --start-interval=2s CMD [\"true\"]\n"}))
	env.Solve(t, base)
	derived := env.Request("ann", "interval", "2.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + base.Destination + "\nLABEL a=b\n"}))
	env.Solve(t, derived)
	for _, r := range []string{"1.0", "2.0"} {
		var manifest v1.Manifest
		if err := json.Unmarshal(env.Registry.Get(t, "ann", "ann/interval/manifests/"+r), &manifest); err != nil {
			t.Fatal(err)
		}
		config := string(env.Registry.Get(t, "ann", "ann/interval/blobs/"+manifest.Config.Digest.String()))
		if !strings.Contains(config, `"StartInterval":2000000000`) {
			t.Errorf("%s lost it: %s", r, config)
		}
	}
}

// Runtimes refuse images of more layers than the kernel stacks.
func TestLayersStayBelowWhatRuntimesTake(t *testing.T) {
	_, reference := pushBase(t, "many", 92)
	r := env.Request("ann", "of-many", "1.0", largeTree("FROM "+reference+"\nCOPY app /app\nCOPY app /again\n"))
	env.Solve(t, r)
	if n := len(layerDigests(t, pushed(t, r))); n < 96 || n > 100 {
		t.Errorf("%d layers", n)
	}
	for _, count := range []int{98, 110} {
		_, reference = pushBase(t, fmt.Sprint(count), count)
		r = env.Request("ann", "of-more", fmt.Sprint(count), largeTree("FROM "+reference+"\nCOPY app /app\n"))
		env.Solve(t, r)
		if n := len(layerDigests(t, pushed(t, r))); n != count+1 {
			t.Errorf("%d layers on %d", n, count)
		}
	}
}

// History that says less than there is leaves nothing to find a layer's entry by.
func TestBaseWithoutHistory(t *testing.T) {
	base, reference := pushBase(t, "silent", 2)
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.History = nil
	silent, err := mutate.ConfigFile(base, config)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(ref, silent, remote.WithAuth(&authn.Basic{Username: "ann", Password: "ann"})); err != nil {
		t.Fatal(err)
	}
	r := env.Request("ann", "of-silent", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": "FROM " + reference + "\nCOPY x /x\nLABEL a=b\n", "x": t.Name()}))
	env.Solve(t, r)
	if n := len(layerDigests(t, pushed(t, r))); n != 3 {
		t.Errorf("%d layers", n)
	}
	if _, ok := files(t, pushed(t, r))["x"]; !ok {
		t.Error("the copied file is missing")
	}
}

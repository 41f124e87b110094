package signing_test

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/hooks/signing"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// twoImages is a registry with an image of digest and what was built again. Layers are the text of the one file in them.
type twoImages struct {
	*fakeRegistry
	rebuilt []catalog.PlatformImage
}

func (r twoImages) PlatformImages(_ context.Context, _ catalog.ImageRef, manifest string) ([]catalog.PlatformImage, error) {
	if manifest == digest {
		return []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "made"), image("linux/arm64", "A=1", "base", "made")}, nil
	}
	return r.rebuilt, nil
}

func (r twoImages) OpenLayer(_ context.Context, _ catalog.ImageRef, layer string) (io.ReadCloser, error) {
	if layer == "gone" {
		return nil, catalog.Errorf(catalog.NotFound, "it is gone")
	}
	if layer == "no tar" {
		return io.NopCloser(strings.NewReader(strings.Repeat(layer, 200))), nil
	}
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for i, content := range strings.Split(layer, ",") {
		err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: fmt.Sprintf("file%d", i), Size: int64(len(content))})
		if err == nil {
			_, err = io.WriteString(w, content)
		}
		if err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&text), w.Close()
}

func image(platform, env string, layers ...string) catalog.PlatformImage {
	config := fmt.Sprintf(`{"config":{"Env":[%q]},"history":[{"created_by":"ENV","empty_layer":true},{"created_by":"FROM"},{"created_by":"RUN  date"}]}`, env)
	return catalog.PlatformImage{Platform: platform, Layers: layers, Config: []byte(config)}
}

type rebuilderFunc func(made catalog.BuildFacts) (string, error)

func (f rebuilderFunc) BuildAgain(_ context.Context, _ catalog.Image, _ catalog.Version, made catalog.BuildFacts, say func(string)) (string, error) {
	say("building")
	return f(made)
}

func TestCompare(t *testing.T) {
	e := newEnv(t)
	e.built("1.0")
	e.run()
	testkit.Eventually(t, "it is attested", func() bool { return e.waiting() == 0 })
	version, err := e.store.Version(t.Context(), e.image.ID, "1.0")
	e.must(err)
	const other = "sha256:other"
	many := strings.Repeat(",x", 200)
	for name, test := range map[string]struct {
		digest  string
		rebuilt []catalog.PlatformImage
		err     error
		want    string // differences
		more    bool
		code    catalog.Code
	}{
		"the same":         {digest: digest},
		"packed otherwise": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "made"), image("linux/arm64", "A=1", "base", "made")}},
		"a file and a field": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "made"), image("linux/arm64", "A=2", "base", "made otherwise")},
			want: `linux/arm64||config.Env[0]|"A=2", was "A=1";linux/arm64|layer 2 (RUN date)|/file0|content`},
		"layers": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base"), image("linux/arm64", "A=1", "base", "made")}, want: "linux/amd64||layers|1, was 2;linux/amd64|layer 2 (RUN date)|all of it|removed"},
		"one layer less": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "made"), image("linux/arm64", "A=1", "base", "made", "more")},
			want: "linux/amd64||layers|1, was 2;linux/amd64|layer 1 (FROM)|all of it|removed;linux/arm64||layers|3, was 2;linux/arm64|layer 3|all of it|added"},
		"no layer": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "no tar"), image("linux/arm64", "A=1", "base", "made")},
			want: "linux/amd64|layer 2 (RUN date)|its files|can't be compared: the second layer is not a tar archive: archive/tar: invalid tar header"},
		"platforms": {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "made")}, want: "||platforms|1, was 2"},
		"many":      {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "made"+many), image("linux/arm64", "A=1", "base", "made")}, more: true},
		"a failure": {err: catalog.Errorf(catalog.Invalid, "it failed"), code: catalog.Invalid},
		"lost":      {digest: other, rebuilt: []catalog.PlatformImage{image("linux/amd64", "A=1", "base", "gone"), image("linux/arm64", "A=1", "base", "made")}, code: catalog.NotFound},
	} {
		e.registry.deleted = nil
		var made catalog.BuildFacts
		s := e.service(func(c *signing.Config) {
			c.Registry = twoImages{e.registry, test.rebuilt}
			c.Rebuilder = rebuilderFunc(func(m catalog.BuildFacts) (string, error) {
				made = m
				return test.digest, test.err
			})
		})
		var said []string
		got, err := s.Compare(t.Context(), e.image, version, func(line string) { said = append(said, line) })
		if catalog.CodeOf(err) != test.code {
			t.Errorf("%s: got %v, want %q", name, err, test.code)
		}
		testkit.Same(t, name+": what is known", made, catalog.BuildFacts{
			Options: catalog.BuildOptions{Labels: "none"}, Bases: []catalog.BaseImage{{Ref: "docker.io/library/alpine:3.20", Digest: digest}}, Secrets: []string{"token"},
		})
		if !slices.Equal(said, []string{"building"}) {
			t.Errorf("%s: said %q", name, said)
		}
		testkit.Same(t, name+": deleted", e.registry.deleted, []string{catalog.RebuildTag(digest) + " " + test.digest})
		if test.more {
			if !got.More || len(got.Differences) != 100 {
				t.Errorf("%s: %d differences, and more: %v", name, len(got.Differences), got.More)
			}
			continue
		}
		var all []string
		for _, d := range got.Differences {
			all = append(all, d.Platform+"|"+d.Layer+"|"+d.Name+"|"+d.What)
		}
		if strings.Join(all, ";") != test.want || err == nil && got.Rebuilt != test.digest {
			t.Errorf("%s: got %s, %q, want %q", name, got.Rebuilt, all, test.want)
		}
	}
}

// What was built again is compared and removed before another is built, which may have the same tag.
func TestComparisonsGoOneByOne(t *testing.T) {
	e := newEnv(t)
	version := catalog.Version{Name: "1.0", State: catalog.Built, Commit: commit, Digest: digest}
	second := make(chan struct{})
	built := 0
	s := e.service(func(c *signing.Config) {
		c.Rebuilder = rebuilderFunc(func(catalog.BuildFacts) (string, error) {
			<-second
			if len(e.registry.deleted) != built {
				t.Errorf("%d were built, %d removed", built, len(e.registry.deleted))
			}
			built++
			return digest, nil
		})
	})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			_, err := s.Compare(t.Context(), e.image, version, func(line string) {
				if strings.HasPrefix(line, "Waiting") {
					close(second)
				}
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

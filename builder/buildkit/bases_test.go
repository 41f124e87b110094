//go:build linux

package buildkit

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/containerd/platforms"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/moby/buildkit/util/purl"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// The bases that a result names are those that BuildKit's own provenance has of the same Dockerfile.
func TestBasesAreThoseOfProvenance(t *testing.T) {
	one, oneRef := pushBase(t, "bases-1", 1)
	_, twoRef := pushBase(t, "bases-2", 2)
	_, hollow := pushBase(t, "bases-hollow", 0)
	digest, err := one.Digest()
	if err != nil {
		t.Fatal(err)
	}
	repository, _, _ := strings.Cut(oneRef, ":bases-1")
	pinned := repository + "@" + digest.String()
	index := pushIndex(t, repository+":bases-index", one)
	shell := env.Request("ann", "bases-shell", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage}).WithBusybox())
	env.Solve(t, shell)
	run := shell.Destination

	for what, dockerfile := range map[string]string{
		"one":                       "FROM " + oneRef + "\nCOPY Dockerfile /\n",
		"none":                      "FROM scratch\nCOPY Dockerfile /\n",
		"by digest":                 "FROM " + pinned + "\nCOPY Dockerfile /\n",
		"by tag and digest":         "FROM " + oneRef + "@" + digest.String() + "\nCOPY Dockerfile /\n",
		"by tag and by digest":      "FROM " + oneRef + " AS a\nFROM " + pinned + "\nCOPY --from=a /of-base-bases-1-0 /x\n",
		"one twice":                 "FROM " + oneRef + " AS a\nFROM " + oneRef + "\nCOPY --from=a /of-base-bases-1-0 /x\n",
		"an index":                  "FROM " + index + "\nCOPY Dockerfile /\n",
		"two stages":                "FROM " + oneRef + " AS a\nFROM " + twoRef + "\nCOPY --from=a /of-base-bases-1-0 /x\n",
		"a stage that is not built": "FROM " + oneRef + " AS a\nFROM " + twoRef + "\nCOPY Dockerfile /\n",
		"a stage on a stage":        "FROM " + oneRef + " AS a\nFROM a AS b\nFROM b\nCOPY Dockerfile /\n",
		"without layers":            "FROM " + hollow + "\nCOPY Dockerfile /\n",
		"COPY --from":               "FROM scratch\nCOPY --from=" + twoRef + " /of-base-bases-2-1 /x\n",
		"COPY --from twice":         "FROM " + oneRef + "\nCOPY --from=" + twoRef + " /of-base-bases-2-1 /x\nCOPY --from=" + twoRef + " /of-base-bases-2-0 /y\n",
		"RUN --mount":               "FROM " + run + "\nRUN --mount=from=" + twoRef + ",target=/two cat /two/of-base-bases-2-1 > /x\n",
		"an ARG":                    "ARG TAG=bases-2\nFROM " + repository + ":${TAG}\nCOPY Dockerfile /\n",
		"a platform":                "FROM --platform=$BUILDPLATFORM " + oneRef + " AS a\nFROM --platform=$TARGETPLATFORM " + oneRef + "\nCOPY --from=a /of-base-bases-1-0 /x\n",
		"syntax":                    "# syntax=docker/dockerfile:1\nFROM " + oneRef + "\nCOPY Dockerfile /\n",
	} {
		t.Run(what, func(t *testing.T) {
			r := env.Request("ann", "bases", fmt.Sprint(len(what), strings.Fields(what)[0]), buildkittest.NewTree(map[string]string{"Dockerfile": dockerfile}))
			result, _ := env.Solve(t, r)
			testkit.Same(t, "the bases", result.Bases, provenBases(t, dockerfile))
		})
	}
}

// pushIndex pushes an image as one of two that an index lists.
func pushIndex(t *testing.T, reference string, image v1.Image) string {
	t.Helper()
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: runtime.GOARCH}}},
		mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "s390x"}}})
	ref, err := name.ParseReference(reference, name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(ref, index, remote.WithAuth(&authn.Basic{Username: "ann", Password: "ann"})); err != nil {
		t.Fatal(err)
	}
	return reference
}

// provenBases are the images that plain BuildKit's provenance of a Dockerfile has.
func provenBases(t *testing.T, dockerfile string) (bases []builder.Base) {
	t.Helper()
	dir, out, config := t.TempDir(), filepath.Join(t.TempDir(), "out"), t.TempDir()
	account := fmt.Sprintf(`{"auths":{%q:{"auth":%q}}}`, env.Registry.Host(), base64.StdEncoding.EncodeToString([]byte("ann:ann")))
	for file, text := range map[string]string{filepath.Join(dir, "Dockerfile"): dockerfile, filepath.Join(config, "config.json"): account} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.CommandContext(t.Context(), buildkittest.Tool("buildctl"), "--addr", env.manager.Address(), "build", "--frontend=dockerfile.v0",
		"--local=context="+dir, "--local=dockerfile="+dir, "--opt=attest:provenance=mode=max", "--opt=cmdline=docker/dockerfile", "--output=type=oci,tar=false,dest="+out)
	build.Env = append(os.Environ(), "DOCKER_CONFIG="+config)
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("buildctl: %v\n%s", err, said)
	}
	for _, material := range readProvenance(t, out) {
		if !strings.HasPrefix(material.URI, "pkg:docker/") || strings.Contains(material.URI, "docker/dockerfile") {
			continue
		}
		ref, platform, err := purl.PURLToRef(material.URI)
		if err != nil {
			t.Fatal(err)
		}
		bases = append(bases, builder.Base{Ref: ref, Platform: platforms.FormatAll(*platform), Digest: "sha256:" + material.Digest["sha256"]})
	}
	slices.SortFunc(bases, func(a, b builder.Base) int { return strings.Compare(a.Ref, b.Ref) })
	return bases
}

type material struct {
	URI    string
	Digest map[string]string
}

// readProvenance reads what a build was made of out of an image with its attestation.
func readProvenance(t *testing.T, dir string) []material {
	t.Helper()
	images, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	outer, err := images.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	index, err := images.ImageIndex(outer.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, descriptor := range manifest.Manifests {
		if descriptor.Annotations["vnd.docker.reference.type"] != "attestation-manifest" {
			continue
		}
		attestation, err := index.Image(descriptor.Digest)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := attestation.Layers()
		if err != nil {
			t.Fatal(err)
		}
		text, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		var statement struct {
			Predicate struct {
				Materials       []material
				BuildDefinition struct{ ResolvedDependencies []material }
			}
		}
		if err := json.NewDecoder(text).Decode(&statement); err != nil {
			t.Fatal(err)
		}
		return append(statement.Predicate.Materials, statement.Predicate.BuildDefinition.ResolvedDependencies...)
	}
	t.Fatal("the image has no provenance")
	return nil
}

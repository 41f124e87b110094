package registry

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/distribution/distribution/v3"
	"github.com/distribution/distribution/v3/manifest/manifestlist"
	"github.com/distribution/distribution/v3/manifest/schema2"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// FuzzManifest holds that what the app finds a manifest to refer to is what is found here: the collector
// removes what nothing refers to, and what the app does not look at might be another's.
func FuzzManifest(f *testing.F) {
	const blob = `{"mediaType":"application/vnd.oci.image.layer.v1.tar","size":1,"digest":"sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}`
	const other = `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":1,"digest":"sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}`
	f.Add(uint8(0), []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":`+blob+`,"layers":[`+other+`]}`))
	f.Add(uint8(1), []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[`+other+`]}`))
	f.Add(uint8(2), []byte(`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":`+blob+`,"layers":[`+other+`],"manifests":[`+other+`]}`))
	f.Add(uint8(3), []byte(`{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[`+other+`],"config":`+blob+`,"layers":[`+blob+`]}`))
	f.Add(uint8(1), []byte(`{"schemaVersion":2,"Manifests":[`+other+`],"manifests":null,"CONFIG":null}`))
	types := []string{ocispec.MediaTypeImageManifest, ocispec.MediaTypeImageIndex, schema2.MediaTypeManifest, manifestlist.MediaTypeManifestList}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		mediaType := types[int(kind)%len(types)]
		theirs, _, err := distribution.UnmarshalManifest(mediaType, body)
		if err != nil {
			return
		}
		var ours manifestParts
		if json.Unmarshal(body, &ours) != nil {
			return // it is refused
		}
		if slices.ContainsFunc(theirs.References(), func(d ocispec.Descriptor) bool { return d.Digest == "" }) {
			return // the app refuses it when it looks for that
		}
		found := slices.Concat(ours.blobs(), ours.children())
		for _, o := range found {
			if !slices.ContainsFunc(theirs.References(), func(d ocispec.Descriptor) bool { return o.Digest == d.Digest }) {
				t.Errorf("%s of a %s is not looked at by the app in %s", o.Digest, mediaType, body)
			}
		}
		for _, d := range theirs.References() {
			if !slices.ContainsFunc(found, func(o ocispec.Descriptor) bool { return o.Digest == d.Digest }) {
				t.Errorf("%s of a %s is not found in %s", d.Digest, mediaType, body)
			}
		}
	})
}

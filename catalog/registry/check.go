package registry

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// inspection compares a registry's directory with the catalog.
type inspection struct {
	*Registry
	ctx      context.Context
	report   func(catalog.Fault)
	blobs    map[digest.Digest]blobFound
	reported map[string]bool
}

// blobFound is a blob that is there.
type blobFound struct {
	size    int64
	damaged bool
	needed  bool // by an image
}

// Check reports what is wrong with a registry's directory: blobs that are not what their names say, and what built versions and
// Git LFS objects need and is not there. It reads every blob whole, and changes nothing. What is there must stay meanwhile (Config.Removing).
func Check(ctx context.Context, dir string, store Store, report func(catalog.Fault)) error {
	c := &inspection{Registry: &Registry{dir: dir, store: store, logger: hclog.NewNullLogger()}, ctx: ctx, report: report, blobs: map[digest.Digest]blobFound{}, reported: map[string]bool{}}
	// The catalog first: whatever it names by now is there while the files are looked at.
	var images []checkedImage
	err := catalog.EachImage(ctx, store, "", func(image catalog.Image) error {
		checked := checkedImage{Image: image}
		var err error
		if checked.lfs, err = store.ListLFSObjects(ctx, image.ID); err != nil {
			return err
		}
		images = append(images, checked)
		return catalog.EachVersion(ctx, store, image.ID, func(v catalog.Version) error {
			last := &images[len(images)-1]
			last.versions = append(last.versions, v)
			return nil
		}, catalog.Built)
	})
	if err == nil {
		err = c.eachBlobFile(c.blob)
	}
	if err != nil {
		return err
	}
	for _, image := range images {
		if err := c.image(image); err != nil {
			return err
		}
	}
	for _, d := range slices.Sorted(maps.Keys(c.blobs)) {
		if blob := c.blobs[d]; blob.damaged && !blob.needed {
			c.say(catalog.Fault{Mend: c.setAside(d)}, "blob %s, which no version needs, is damaged", d)
		}
	}
	return nil
}

type checkedImage struct {
	catalog.Image
	versions []catalog.Version
	lfs      []catalog.LFSObject
}

// say reports each fault once; what it is, is formatted.
func (c *inspection) say(fault catalog.Fault, what string, about ...any) {
	if fault.What = fmt.Sprintf(what, about...); !c.reported[fault.What] {
		c.reported[fault.What] = true
		c.report(fault)
	}
}

// deleteOrRestore is what to do about an image that is not whole.
var deleteOrRestore = catalog.Fault{Advice: "restore it from a backup, or delete the version"}

// blob reads one blob.
func (c *inspection) blob(d digest.Digest, file string) error {
	if err := d.Validate(); err != nil {
		c.say(catalog.Fault{Advice: "move it away, if nothing of yours needs it"}, "%s is no place for a blob: %v", file, err)
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	sum := d.Algorithm().Hash()
	size, err := io.Copy(sum, whileRuns{c.ctx, f})
	if c.ctx.Err() != nil {
		return c.ctx.Err()
	}
	damaged := err != nil || digest.NewDigest(d.Algorithm(), sum) != d
	c.blobs[d] = blobFound{size: size, damaged: damaged}
	return nil
}

// whileRuns reads until its context ends.
type whileRuns struct {
	ctx context.Context
	r   io.Reader
}

func (w whileRuns) Read(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// image looks for what an image's versions and its Git LFS objects need.
func (c *inspection) image(image checkedImage) error {
	needs := map[digest.Digest]string{} // manifests, by one of the versions that do
	for _, v := range image.versions {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		of := fmt.Sprintf("%s:%s", image.Ref, v.Name)
		d := digest.Digest(v.Digest)
		if d.Validate() != nil {
			c.say(deleteOrRestore, "%s is built and has no valid digest: %q", of, v.Digest)
			continue
		}
		seen := map[digest.Digest]bool{}
		if err := c.manifest(image.Ref, of, ocispec.Descriptor{Digest: d}, seen); err != nil {
			return err
		}
		for d := range seen {
			needs[d] = cmp.Or(needs[d], of)
		}
	}
	if err := errors.Join(c.tagged(image.Ref, needs), c.unlisted(image.Ref, needs)); err != nil {
		return err
	}
	for _, o := range image.lfs {
		d := digest.NewDigestFromEncoded(digest.SHA256, o.OID)
		c.has(image.Ref.String(), "the content of Git LFS object", d, d, o.Size, "")
	}
	return nil
}

// find returns a blob. What came since all were read, such as a signature of an image, is read now.
func (c *inspection) find(stored digest.Digest) (blobFound, bool) {
	if _, ok := c.blobs[stored]; !ok {
		_ = c.blob(stored, c.blobPath(stored)) // what can't be read is missing
	}
	blob, ok := c.blobs[stored]
	if ok {
		blob.needed = true
		c.blobs[stored] = blob
	}
	return blob, ok
}

// has reports a blob that is missing or damaged; it is kept by the digest stored. A size of 0 is not known. version is empty of
// what no version needs.
func (c *inspection) has(of, what string, d, stored digest.Digest, size int64, version string) bool {
	blob, ok := c.find(stored)
	fault := catalog.Fault{File: c.blobPath(stored), Whole: wholeBlob(stored), Advice: "restore " + c.blobPath(stored) + " from a backup"}
	if version != "" {
		fault.Advice += ", or delete the version"
	}
	_, inTrash := os.Lstat(c.trashPath(stored))
	if inTrash == nil {
		fault.Mend = c.bringBack(stored)
	}
	switch {
	case !ok && inTrash == nil:
		c.say(fault, "%s: %s %s is in registry/trash; `fandoghd admin gc` brings it back", of, what, d)
	case !ok:
		c.say(fault, "%s: %s %s is missing", of, what, d)
	case blob.damaged:
		c.say(fault, "%s: %s %s is damaged", of, what, d)
	case size > 0 && blob.size != size:
		c.say(deleteOrRestore, "%s: %s %s has %d bytes, not %d", of, what, d, blob.size, size)
	default:
		return true
	}
	return false
}

// manifest looks for a manifest, all that it refers to, and what refers to it.
func (c *inspection) manifest(ref catalog.ImageRef, of string, wanted ocispec.Descriptor, seen map[digest.Digest]bool) error {
	d := wanted.Digest
	if isDigest := d.Validate() == nil; !isDigest || seen[d] {
		return nil
	}
	seen[d] = true
	c.link(of, "manifest", filepath.Join(c.repositoryDir(ref), "_manifests", "revisions"), d, d)
	if !c.has(of, "manifest", d, d, wanted.Size, of) {
		return nil
	}
	m, err := readParts(c.blobPath(d))
	if err != nil {
		c.say(deleteOrRestore, "%s: manifest %s can't be read: %v", of, d, err)
		m = manifestParts{} // which refers to nothing
	}
	for _, part := range m.blobs() {
		if part.Digest.Validate() != nil {
			continue
		}
		stored, err := c.stored(ref, part.Digest)
		if err != nil {
			c.say(deleteOrRestore, "%s: %v", of, err)
			continue
		}
		c.link(of, "blob", filepath.Join(c.repositoryDir(ref), layersDir), part.Digest, stored)
		c.has(of, "blob", part.Digest, stored, part.Size, of)
	}
	for _, child := range m.children() {
		if err := c.manifest(ref, of, child, seen); err != nil {
			return err
		}
	}
	return c.referring(ref, of, d, seen)
}

// readParts reads a manifest, which was never larger.
func readParts(path string) (m manifestParts, err error) {
	f, err := os.Open(path)
	if err != nil {
		return m, err
	}
	data, err := bounded.ReadAll(f, maxManifest)
	if err = errors.Join(err, f.Close()); err != nil {
		return m, err
	}
	return m, json.Unmarshal(data, &m)
}

// link reports what a repository has no link to.
func (c *inspection) link(of, what, dir string, d, stored digest.Digest) {
	path := filepath.Join(dir, d.Algorithm().String(), d.Encoded(), "link")
	text, err := os.ReadFile(path)
	fault := catalog.Fault{Mend: mendLink(path, stored)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.say(fault, "%s: the repository's link to %s %s is missing", of, what, d)
	case err != nil:
		c.say(fault, "%s: the repository's link to %s %s can't be read: %v", of, what, d, err)
	case string(text) != stored.String():
		c.say(fault, "%s: the repository's link to %s %s is damaged", of, what, d)
	}
}

// referring looks for what refers to a manifest, such as signatures.
func (c *inspection) referring(ref catalog.ImageRef, of string, subject digest.Digest, seen map[digest.Digest]bool) error {
	dir := filepath.Join(c.referrersOf(ref), subject.Encoded())
	entries, err := os.ReadDir(dir)
	if ignoreNotExist(err) != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		var d ocispec.Descriptor
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err == nil {
			err = json.Unmarshal(data, &d)
		}
		if err != nil || d.Digest.Validate() != nil {
			fault := catalog.Fault{Mend: c.mendReferrer(filepath.Join(dir, e.Name())), Advice: "restore " + filepath.Join(dir, e.Name()) + " from a backup"}
			c.say(fault, "%s: what refers to it, %s, can't be read", of, e.Name())
			continue
		}
		if err := c.manifest(ref, of, d, seen); err != nil {
			return err
		}
	}
	return nil
}

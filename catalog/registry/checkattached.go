package registry

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/catalog"
)

// tagged looks for what is under an image's tags of signatures, attestations and lists of parts. needs maps the
// manifests that versions need to one of these; of others' signatures the collector may have taken some.
func (c *inspection) tagged(ref catalog.ImageRef, needs map[digest.Digest]string) error {
	seen := map[digest.Digest]bool{}
	dir := filepath.Join(c.repositoryDir(ref), "_manifests", "tags")
	entries, err := os.ReadDir(dir)
	if ignoreNotExist(err) != nil {
		return err
	}
	for _, e := range entries {
		if subject, ok := subjectOf(e.Name()); !ok || needs[subject] == "" {
			continue
		}
		link := filepath.Join(dir, e.Name(), "current", "link")
		text, err := os.ReadFile(link)
		if ignoreNotExist(err) == nil && err != nil {
			continue // it is being made, or removed
		}
		d := digest.Digest(text)
		if err != nil || d.Validate() != nil {
			fault := catalog.Fault{File: link, Whole: wholeLink, Advice: "restore " + link + " from a backup"}
			c.say(fault, "%s: tag %s names no manifest", ref, e.Name())
			continue
		}
		if err := c.manifest(ref, ref.String()+":"+e.Name(), ocispec.Descriptor{Digest: d}, seen); err != nil {
			return err
		}
	}
	return nil
}

// wholeLink says by an error that a file names no digest.
func wholeLink(path string) error {
	text, err := os.ReadFile(path)
	if err == nil {
		if err = digest.Digest(text).Validate(); err != nil {
			err = fmt.Errorf("%s names none, too: %w", path, err)
		}
	}
	return err
}

// unlisted looks for manifests of an image that refer to one that a version needs, and that are not among what refers to it:
// clients find no signature by them. What came since the blobs were read may not be listed yet.
func (c *inspection) unlisted(ref catalog.ImageRef, needs map[digest.Digest]string) error {
	dir := filepath.Join(c.repositoryDir(ref), "_manifests", "revisions", digest.SHA256.String())
	entries, err := os.ReadDir(dir)
	if ignoreNotExist(err) != nil {
		return err
	}
	for _, e := range entries {
		d := digest.NewDigestFromEncoded(digest.SHA256, e.Name())
		blob, ok := c.blobs[d]
		if !ok || blob.damaged {
			continue
		}
		m, err := readParts(c.blobPath(d))
		if err != nil || m.Subject == nil || needs[m.Subject.Digest] == "" {
			continue
		}
		if _, err := os.Lstat(filepath.Join(dir, e.Name(), "link")); err != nil {
			continue // it was deleted
		}
		path := filepath.Join(c.referrersOf(ref), m.Subject.Digest.Encoded(), e.Name())
		if _, err := os.Lstat(path); os.IsNotExist(err) {
			c.say(catalog.Fault{Mend: c.mendReferrer(path)}, "%s: %s refers to it, and is not listed", needs[m.Subject.Digest], d)
		}
	}
	return nil
}

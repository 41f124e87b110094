// Package imagefile reads container images out of files: the archives of `docker save`, `podman save`, `skopeo copy`
// and `crane pull`, and OCI layouts, as a directory or a tar, as BuildKit and others write them.
//
// An Archive is opened, its images are read one after the other, and it is closed. What Open returns is whole: every
// manifest, configuration and layer is there and has the content that its digest says. What was compressed for
// it lies in a temporary directory until Close.
package imagefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/distribution/reference"
	"github.com/opencontainers/go-digest"
)

// Image is one image of an archive.
type Image struct {
	Name      string     // of its repository, without registry and path: "golang"; empty: the archive has none
	Tag       string     // empty: the archive has none
	Manifests []Manifest // those of platforms before the index that lists them; the last is the image's own
	Blobs     []Blob     // configurations and layers, each once
	Platforms []string   // "linux/amd64"
	Missing   []string   // platforms that its index lists and the archive does not contain; the index here is without them

	plain bool // it has layers that are not compressed
}

// Manifest is a manifest or an index.
type Manifest struct {
	MediaType string
	Digest    digest.Digest
	Body      []byte
}

// Blob is a configuration or a layer.
type Blob struct {
	Digest digest.Digest
	Size   int64 // bytes
	open   func() (io.ReadCloser, error)
}

// Open reads the blob from its beginning.
func (b Blob) Open() (io.ReadCloser, error) { return b.open() }

// Archive is a file or directory with images.
type Archive struct {
	Images []Image // in the archive's order; one that has several names comes once for each

	files fs.FS
	temp  string // directory, empty: none yet
	file  *os.File
}

// format is what a source is said to be.
type format string

const (
	anyFormat     format = ""
	layoutDir     format = "oci"
	layoutArchive format = "oci-archive"
	dockerArchive format = "docker-archive"
)

// Open reads a source: a file, a directory or "-" for stdin, after "oci:", "oci-archive:" or "docker-archive:" if it
// must be one of those. Behind a colon a name or a tag may follow, of the only image that is wanted. Archives may be
// compressed by gzip, zstd or bzip2.
func Open(source string, stdin io.Reader) (_ *Archive, err error) {
	a := &Archive{}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.Close())
		}
	}()
	kind, name, wanted := parse(source)
	if err := a.open(name, stdin); err != nil {
		return nil, err
	}
	if err := a.read(kind); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return a, a.choose(wanted)
}

// parse takes a source apart. A colon belongs to the file's name if there is such a file.
func parse(source string) (kind format, name, wanted string) {
	name = source
	for _, k := range []format{layoutDir, layoutArchive, dockerArchive} {
		if rest, ok := strings.CutPrefix(source, string(k)+":"); ok {
			kind, name = k, rest
		}
	}
	for cut := len(name); cut > 0; cut = strings.LastIndex(name[:cut], ":") {
		if _, err := os.Stat(name[:cut]); err == nil || name[:cut] == "-" {
			return kind, name[:cut], strings.TrimPrefix(name[cut:], ":")
		}
	}
	return kind, name, ""
}

// Close removes what was written aside.
func (a *Archive) Close() error {
	var errs []error
	if a.file != nil {
		errs = append(errs, a.file.Close())
	}
	if a.temp != "" {
		errs = append(errs, os.RemoveAll(a.temp))
	}
	return errors.Join(errs...)
}

// create makes a temporary file.
func (a *Archive) create() (*os.File, error) {
	if a.temp == "" {
		var err error
		if a.temp, err = os.MkdirTemp("", "fandogh-image-"); err != nil {
			return nil, err
		}
	}
	return os.CreateTemp(a.temp, "")
}

// read finds out what the files are.
func (a *Archive) read(kind format) error {
	isLayout, isSaved := a.has("index.json"), a.has("manifest.json")
	switch {
	case kind == dockerArchive && !isSaved:
		return errors.New("this is not a docker archive: it contains no manifest.json")
	case (kind == layoutDir || kind == layoutArchive) && !isLayout:
		return errors.New("this is not an OCI layout: it contains no index.json")
	case isLayout && kind != dockerArchive:
		if err := a.readLayout(); err != nil || kind != anyFormat || !isSaved || !a.plain() {
			return err
		}
		// Docker unpacked the layers and has made up manifests for them as they are: better compressed.
		return a.readSaved()
	case isSaved && a.has("version"):
		return errors.New("this is a directory of `skopeo copy … dir:`, which is not supported; copy to oci: or docker-archive: instead")
	case isSaved:
		return a.readSaved()
	case a.has("repositories"):
		return errors.New("this archive was written by Docker before version 1.10, and contains no manifest.json; save the image again with a newer version")
	}
	return errors.New("this is neither a docker archive nor an OCI layout: it contains no manifest.json and no index.json")
}

func (a *Archive) has(name string) bool {
	info, err := fs.Stat(a.files, name)
	return err == nil && info.Mode().IsRegular()
}

func (a *Archive) plain() bool {
	for _, image := range a.Images {
		if image.plain {
			return true
		}
	}
	return false
}

// choose leaves the image that is wanted.
func (a *Archive) choose(wanted string) error {
	if wanted == "" {
		return nil
	}
	var chosen []Image
	var names []string
	for _, image := range a.Images {
		if names = append(names, image.String()); wanted == image.Tag || wanted == image.String() {
			chosen = append(chosen, image)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("the archive contains no image %q; it contains: %s", wanted, strings.Join(names, ", "))
	}
	a.Images = chosen
	return nil
}

// String is "golang:1.23", or what there is of it.
func (i Image) String() string {
	switch {
	case i.Name == "" && i.Tag == "":
		return "an image without a name"
	case i.Name == "" || i.Tag == "":
		return i.Name + i.Tag
	}
	return i.Name + ":" + i.Tag
}

// Own is the image's own manifest.
func (i Image) Own() Manifest { return i.Manifests[len(i.Manifests)-1] }

// name takes what an archive calls an image: a reference, or a tag alone.
func (i *Image) name(text string) {
	if !strings.ContainsAny(text, ":/@") {
		i.Tag = text
		return
	}
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return // whoever imports it names it
	}
	i.Name = path.Base(reference.Path(named))
	if tagged, ok := named.(reference.Tagged); ok {
		i.Tag = tagged.Tag()
	}
}

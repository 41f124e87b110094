package conformance

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// image is a built image as a runtime sees it.
type image struct {
	manifest map[string]any
	config   map[string]any
	layers   []v1.Descriptor
	tree     map[string]*node
	images   []*image // of an index, which has a manifest alone
}

// node is an inode of the final file system.
type node struct {
	kind         byte // as in tar
	mode         int64
	uid, gid     int
	link         string
	xattrs       map[string]string
	major, minor int64
	size         int64
	sum          string
	names        []string // all paths of it, sorted
	text         string   // the content if it is short, to show what differs
}

// maxShown bounds the files whose difference is shown, in bytes.
const maxShown = 1 << 20

// blobs opens a blob by its digest.
type blobs func(v1.Hash) (io.ReadCloser, error)

// pull reads an image from our registry.
func (e *env) pull(ctx context.Context, image, tag string) (*image, error) {
	ref, err := name.ParseReference(e.reference(image, tag), name.Insecure)
	if err != nil {
		return nil, err
	}
	with := []remote.Option{remote.WithAuth(e.auth()), remote.WithContext(ctx)}
	found, err := remote.Get(ref, with...)
	if err != nil {
		return nil, err
	}
	return readImage(found.Manifest, func(h v1.Hash) (io.ReadCloser, error) {
		if child, err := remote.Get(ref.Context().Digest(h.String()), with...); err == nil { // of an index
			return io.NopCloser(bytes.NewReader(child.Manifest)), nil
		}
		layer, err := remote.Layer(ref.Context().Digest(h.String()), with...)
		if err != nil {
			return nil, err
		}
		return layer.Compressed()
	})
}

// readLayout reads the one image of an OCI layout.
func readLayout(dir string) (*image, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		return nil, err
	}
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return nil, err
	}
	if len(index.Manifests) != 1 {
		return nil, fmt.Errorf("the layout has %d manifests", len(index.Manifests))
	}
	open := func(h v1.Hash) (io.ReadCloser, error) {
		return os.Open(filepath.Join(dir, "blobs", h.Algorithm, h.Hex))
	}
	if raw, err = readBlob(open, index.Manifests[0].Digest); err != nil {
		return nil, err
	}
	return readImage(raw, open)
}

func readBlob(open blobs, h v1.Hash) ([]byte, error) {
	r, err := open(h)
	if err != nil {
		return nil, err
	}
	defer r.Close() //nolint:errcheck // only read
	return io.ReadAll(r)
}

func readImage(manifest []byte, open blobs) (*image, error) {
	img := &image{tree: map[string]*node{}}
	var typed v1.Manifest
	if err := errors.Join(json.Unmarshal(manifest, &img.manifest), json.Unmarshal(manifest, &typed)); err != nil {
		return nil, err
	}
	if typed.MediaType.IsIndex() {
		return img, img.readIndex(manifest, open)
	}
	config, err := readBlob(open, typed.Config.Digest)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(config, &img.config); err != nil {
		return nil, err
	}
	img.layers = typed.Layers
	for _, layer := range typed.Layers {
		if err := img.apply(open, layer.Digest); err != nil {
			return nil, fmt.Errorf("layer %s: %w", layer.Digest, err)
		}
	}
	img.name()
	return img, nil
}

// readIndex reads the images of an index.
func (i *image) readIndex(raw []byte, open blobs) error {
	var index v1.IndexManifest
	if err := json.Unmarshal(raw, &index); err != nil {
		return err
	}
	for _, d := range index.Manifests {
		raw, err := readBlob(open, d.Digest)
		if err != nil {
			return err
		}
		img, err := readImage(raw, open)
		if err != nil {
			return err
		}
		i.images = append(i.images, img)
	}
	return nil
}

// name tells every inode its paths.
func (i *image) name() {
	for p, n := range i.tree {
		n.names = append(n.names, p)
	}
	for _, n := range i.tree {
		sort.Strings(n.names)
	}
}

// apply unpacks a layer onto the tree as runtimes do.
func (i *image) apply(open blobs, h v1.Hash) error {
	blob, err := open(h)
	if err != nil {
		return err
	}
	defer blob.Close() //nolint:errcheck // only read
	plain, err := decompress(blob)
	if err != nil {
		return err
	}
	return i.unpack(plain)
}

func (i *image) unpack(layer io.Reader) error {
	own := map[string]bool{} // what this layer made, which an opaque mark of its spares
	for r := tar.NewReader(layer); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := i.applyEntry(header, r, own); err != nil {
			return err
		}
	}
}

func (i *image) applyEntry(header *tar.Header, content io.Reader, own map[string]bool) error {
	p := path.Clean("/" + header.Name)
	dir, base := path.Split(p)
	if base == ".wh..wh..opq" {
		i.remove(path.Clean(dir), own)
		return nil
	}
	if hidden, ok := strings.CutPrefix(base, ".wh."); ok {
		hidden = path.Join(dir, hidden)
		i.remove(hidden, own)
		if !own[hidden] {
			delete(i.tree, hidden)
		}
		return nil
	}
	own[p] = true
	if header.Typeflag == tar.TypeLink {
		target, ok := i.tree[path.Clean("/"+header.Linkname)]
		if !ok {
			return fmt.Errorf("%s is a hard link to %s, which is not there", p, header.Linkname)
		}
		i.remove(p, nil)
		i.tree[p] = target
		return nil
	}
	n, err := newNode(header, content)
	if err != nil {
		return err
	}
	if old := i.tree[p]; old == nil || old.kind != tar.TypeDir || n.kind != tar.TypeDir {
		i.remove(p, own)
	}
	i.tree[p] = n
	return nil
}

// remove takes away what is below a path, but not what spared names.
func (i *image) remove(p string, spared map[string]bool) {
	if n := i.tree[p]; n == nil || n.kind != tar.TypeDir {
		return
	}
	below := strings.TrimSuffix(p, "/") + "/"
	for name := range i.tree {
		if strings.HasPrefix(name, below) && name != p && !spared[name] {
			delete(i.tree, name)
		}
	}
}

func newNode(header *tar.Header, content io.Reader) (*node, error) {
	n := &node{
		kind: header.Typeflag, mode: header.Mode & 0o7777, uid: header.Uid, gid: header.Gid, link: header.Linkname,
		major: header.Devmajor, minor: header.Devminor, size: header.Size, xattrs: map[string]string{},
	}
	for key, value := range header.PAXRecords {
		if attr, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			n.xattrs[attr] = value
		}
	}
	sum := sha256.New()
	if n.size <= maxShown {
		short, err := io.ReadAll(io.TeeReader(content, sum))
		if err != nil {
			return nil, err
		}
		n.text = string(short)
	} else if _, err := io.Copy(sum, content); err != nil {
		return nil, err
	}
	n.sum = hex.EncodeToString(sum.Sum(nil))
	return n, nil
}

// decompress reads gzip, zstd or neither by the first bytes.
func decompress(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	magic, _ := b.Peek(4)
	switch {
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		return gzip.NewReader(b)
	case string(magic) == "\x28\xb5\x2f\xfd":
		return zstd.NewReader(b)
	}
	return b, nil
}

// Package sbom lists the packages that are in an image, as a document of SPDX 2.3: those of the system, and what Go, Rust, Java, JavaScript,
// Python, Ruby, PHP and .NET leave in what is installed.
//
// What finds them is osv-scalibr, whose parsers are fed with whatever an image has in it: they run in a process of their own
// (package confined) that sees the few files that may name packages, and nothing else.
package sbom

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/confined"
)

// maxDocument bounds a document, in bytes: a package takes about one KiB.
const maxDocument = 32 << 20

// maxUnpack bounds how long the layers of an image are read: 256 GiB that are as little as nothing take longer.
const maxUnpack = 10 * time.Minute

// Image is what a document is about.
type Image struct {
	Repository string // with the registry's host
	Version    string
	Digest     string // "sha256:…" of its manifest, which is for one platform
	Namespace  string // URI of the document, that no other has
	Tool       string // what lists it
	Created    time.Time
	// Layers opens the layers, the lowest first, compressed or not.
	Layers []func() (io.ReadCloser, error)
}

// Lister lists what is in images. It is safe for concurrent use.
type Lister struct {
	dir    string
	unpack time.Duration // how long that may take
	log    hclog.Logger
	warn   sync.Once
}

// New returns a Lister that keeps files in a directory of its own while it works; what is left there is removed.
func New(dir string, log hclog.Logger) (*Lister, error) {
	if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o700)); err != nil {
		return nil, err
	}
	return &Lister{dir: dir, unpack: maxUnpack, log: log}, nil
}

// List returns the document, the same for the same image. Errors: Invalid (there is something about the image that will not change);
// what Layers returns.
func (l *Lister) List(ctx context.Context, image Image) ([]byte, error) {
	dir, err := os.MkdirTemp(l.dir, "")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // what is left is removed at the next start
	unpacking, stop := context.WithTimeoutCause(ctx, l.unpack, catalog.Errorf(catalog.Invalid, "its layers take more than %s to read", maxUnpack))
	defer stop()
	if err := unpack(unpacking, dir, image.Layers); err != nil {
		return nil, err
	}
	return l.read(ctx, dir, image)
}

// unpack writes what may name packages into a directory.
func unpack(ctx context.Context, dir string, layers []func() (io.ReadCloser, error)) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // only a directory
	u := newUnpacker(root)
	for _, open := range layers {
		if err := u.add(ctx, open); err != nil {
			return err
		}
	}
	for _, made := range []string{"etc", confined.TemporaryDir} { // without the first it is not taken for a Linux
		if err := root.Mkdir(made, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return readable(root)
}

// readable lets the child read all, which may be another user, whatever this process's umask is.
func readable(root *os.Root) error {
	if err := root.Chmod(".", 0o755); err != nil {
		return err
	}
	made, err := root.Stat(confined.TemporaryDir)
	if err != nil || made.Mode().Perm() == 0o755 {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		return root.Chmod(name, mode)
	})
}

// read has a child make the document.
func (l *Lister) read(ctx context.Context, dir string, image Image) ([]byte, error) {
	p, err := child.Start(dir, func(err error) {
		l.warn.Do(func() {
			l.log.Warn("what is in images is listed in a process with limits, but with the machine's files and network: namespaces are not available", "error", err)
		})
	})
	if err != nil {
		return nil, err
	}
	defer p.Kill()
	defer context.AfterFunc(ctx, p.Kill)()
	text, err := exchange(p.Conn, document{
		Image: image.Repository, Version: image.Version, Digest: image.Digest, Namespace: image.Namespace, Tool: image.Tool, Created: image.Created,
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.As(err, new(*bounded.TooLongError)) {
		return nil, catalog.Errorf(catalog.Invalid, "the list of its packages is more than %d MiB", maxDocument>>20)
	}
	if err != nil || !json.Valid(text) {
		p.Conn.Close() //nolint:errcheck // it has no more to say
		return nil, l.failure(image, p.End())
	}
	return text, nil
}

// exchange asks for a document and reads it.
func exchange(conn *net.UnixConn, of document) ([]byte, error) {
	if err := errors.Join(json.NewEncoder(conn).Encode(of), conn.CloseWrite()); err != nil {
		return nil, err
	}
	return bounded.ReadAll(conn, maxDocument)
}

func (l *Lister) failure(image Image, end confined.End) error {
	err := fmt.Errorf("the process that lists packages ended: %s: %s", end.State, end.Words)
	switch end.Cause {
	case confined.Memory:
		return catalog.Errorf(catalog.Invalid, "its files take more than %d MiB of memory to read", maxMemory>>20)
	case confined.Time:
		return catalog.Errorf(catalog.Invalid, "its files take more than %s of processor time to read", maxTime)
	case confined.Crash:
		l.log.Error("what lists the packages in images crashed", "image", image.Repository, "digest", image.Digest, "error", err)
		return catalog.Wrap(catalog.Invalid, err, "what reads its files crashed on them; tell the server's administrator, the server's log has the details")
	}
	return err
}

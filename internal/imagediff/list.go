package imagediff

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
)

// File is what a layer has under one name.
type File struct {
	Name string // from "/"; of a whiteout, that of what is gone
	Kind Kind
	Mode int64 // permissions, and the bits above them
	Size int64 // bytes of a regular file
	Link string
	UID  int
	GID  int
	Sum  [16]byte // of the content
}

// Kind is a kind of file.
type Kind string

// Kinds of files. The last two say what is gone of the layers below: a name with all below it, or all that was in a directory.
const (
	Regular   Kind = "file"
	Directory Kind = "dir"
	Symlink   Kind = "symlink"
	Hardlink  Kind = "hardlink"
	Device    Kind = "device"
	Pipe      Kind = "pipe"
	Other     Kind = "other"
	Gone      Kind = "gone"
	AllGone   Kind = "all_gone"
)

var kindOf = map[byte]Kind{
	tar.TypeReg: Regular, tar.TypeDir: Directory, tar.TypeSymlink: Symlink, tar.TypeLink: Hardlink, tar.TypeChar: Device, tar.TypeBlock: Device, tar.TypeFifo: Pipe,
}

// maxDeep is how many directories a file may be below, and be listed.
const maxDeep = 250

// fileCost is about what a File takes beside its names, in bytes.
const fileCost = 160

// Cost is about what a file takes in memory, in bytes.
func (f File) Cost() int { return fileCost + len(f.Name) + len(f.Link) }

// List returns the files of a layer, compressed or not, in its order; the same name may come again. Of the limits, Unpacked and Held are
// kept. Errors: LayerError; ctx's own.
func List(ctx context.Context, layer io.Reader, limits Limits) (files []File, err error) {
	s, err := newSide(ctx, "the layer", layer, limits.Unpacked)
	if err != nil {
		return nil, err
	}
	held := 0
	for {
		name, e, err := s.next()
		if err != nil || s.ended {
			return files, err
		}
		f := fileOf(name, s.header)
		copy(f.Sum[:], e.content[:])
		if strings.Count(f.Name, "/") > maxDeep {
			return nil, &LayerError{fmt.Errorf("the layer has a file that is too many directories deep: %s", shown(f.Name))}
		}
		if held += f.Cost(); held > limits.Held {
			return nil, &LayerError{errors.New("the layer has more files than can be listed")}
		}
		files = append(files, f)
	}
}

func fileOf(name string, h *tar.Header) File {
	f := File{Name: name, Kind: kindOf[h.Typeflag], Mode: h.Mode & 0o7777, Link: h.Linkname, UID: h.Uid, GID: h.Gid}
	dir, base := path.Split(name)
	gone, isWhiteout := strings.CutPrefix(base, whiteout)
	switch {
	case base == opaqueWhiteout:
		return File{Name: path.Clean(dir), Kind: AllGone}
	case isWhiteout && gone != "" && gone != "." && gone != "..":
		return File{Name: path.Join(dir, gone), Kind: Gone}
	case f.Kind == "":
		f.Kind = Other
	case f.Kind == Regular:
		f.Size = h.Size
	}
	return f
}

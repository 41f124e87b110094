package catalog

import "context"

// FileKind is a kind of file in an image.
type FileKind string

// Kinds of files in images. FileGone is said by a layer of what the layers below it have.
const (
	FileRegular   FileKind = "file"
	FileDirectory FileKind = "dir"
	FileSymlink   FileKind = "symlink"
	FileHardlink  FileKind = "hardlink"
	FileDevice    FileKind = "device"
	FilePipe      FileKind = "pipe"
	FileOther     FileKind = "other"
	FileGone      FileKind = "gone"
)

// FileKinds lists all.
func FileKinds() []FileKind {
	return []FileKind{FileRegular, FileDirectory, FileSymlink, FileHardlink, FileDevice, FilePipe, FileOther, FileGone}
}

// ImageFile is a file in an image. Names are whatever bytes a layer has.
type ImageFile struct {
	Name  string // from "/"
	Kind  FileKind
	Mode  int64 // permissions, and the three bits above them
	Size  int64 // bytes; of a directory, of all files below it
	Files int   // of a directory: how many files are below it
	Link  string
	UID   int
	GID   int
	Layer int // place of the layer that it is of, from 0; of a directory that no layer has, -1
}

// FileList is what is in a directory of an image, or of one of its layers.
type FileList struct {
	Platform  string // "linux/amd64"
	Platforms []string
	Layers    int // of the image
	Dir       ImageFile
	Files     []ImageFile // directories first, by name
	More      bool        // there are others
}

// FileChange is a file that two images do not have alike. Was or Is is nil where one does not have it.
type FileChange struct {
	Name    string
	Was, Is *ImageFile
}

// Bytes is by how much the file grew.
func (c FileChange) Bytes() (n int64) {
	if c.Is != nil {
		n = c.Is.Size
	}
	if c.Was != nil {
		n -= c.Was.Size
	}
	return n
}

// FileComparison is what two images do not have in common. Directories that no layer has by themselves are not compared.
type FileComparison struct {
	Platform                string
	Added, Removed, Changed int
	Bytes                   int64        // by how much all files grew
	Changes                 []FileChange // those that grew or shrank most first
	More                    bool         // there are others
}

// AllLayers asks for an image as its layers make it.
const AllLayers = -1

// ImageFiles lists what is in images. It reads layers within limits and unpacks none of them.
type ImageFiles interface {
	// ListFiles returns what is in a directory of an image for a platform, "" for its first, or with a layer's place, from 0, what
	// that layer has of the directory. Errors: NotFound (the image, the platform, layer or directory), Invalid (the layers can't be
	// listed), Unavailable (they are being read; ask again in a moment).
	ListFiles(ctx context.Context, ref ImageRef, digest, platform string, layer int, dir string) (FileList, error)
	// CompareFiles compares two images for a platform that both are for, "" for the first of the second. Errors: as ListFiles.
	CompareFiles(ctx context.Context, ref ImageRef, was, is, platform string) (FileComparison, error)
}

package buildkit

import (
	"archive/tar"
	"io"
	"io/fs"
	"strings"
)

// writeEntries writes a layer's archive of entries, which read their files from the build
// context.
func writeEntries(out io.Writer, entries []entry, files *contextFS, times layerTimes) error {
	to := tar.NewWriter(out)
	for _, e := range entries {
		header, err := e.header(times)
		if err != nil {
			return err
		}
		if err := to.WriteHeader(header); err != nil {
			return err
		}
		if e.mode.IsRegular() {
			if err := e.copyTo(to, files); err != nil {
				return err
			}
		}
	}
	return to.Close()
}

func (e entry) copyTo(out io.Writer, files *contextFS) error {
	in, err := files.Open(e.from)
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // read only
	_, err = io.Copy(out, readerOnly{in})
	return err
}

// readerOnly hides what else a reader can do.
type readerOnly struct{ io.Reader }

func (e entry) header(times layerTimes) (*tar.Header, error) {
	h := &tar.Header{
		Name: strings.TrimPrefix(e.name, "/"), Mode: int64(e.mode.Perm()), Uid: e.uid, Gid: e.gid, ModTime: times.ofAll(), Format: tar.FormatPAX,
	}
	for bit, mode := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if e.mode&bit != 0 {
			h.Mode |= mode
		}
	}
	switch {
	case e.mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case e.mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
	default:
		h.Typeflag, h.Size = tar.TypeReg, e.size
		var err error
		if h.ModTime, err = times.of(e.blob); err != nil {
			return nil, err
		}
	}
	return h, nil
}

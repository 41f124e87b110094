package export

import (
	"archive/tar"
	"bytes"
	"crypto/sha1" //nolint:gosec // git's name of a content
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
)

// layerEpoch is the earliest time of what a build makes, and that of all but files. Being
// no commit's and no machine's time, it makes equal things equal layers.
var layerEpoch = time.Date(1980, 1, 1, 0, 0, 1, 0, time.UTC)

const (
	// timeSpan is how far apart files' times lie, seconds: 17 years from layerEpoch on.
	timeSpan = 1 << 29
	// maxHeld is how large a file is held in memory for its hash, bytes; a larger one waits on disk.
	maxHeld = 1 << 20
)

// layerTimes says which time files have in the layers that a build makes. It depends on
// nothing but the commit, so that the same commit is the same image everywhere:
//
//   - A file's time follows from its content. Web servers and browsers tell versions of a
//     page by time and size, and Python its compiled modules; with one time for all, a changed file
//     of equal size would be taken for the old one. A file that did not change
//     keeps its time, and its layer.
//   - Or all have the commit's time, where commit is set; then each commit has new layers.
//   - All else has layerEpoch. What is older, keeps its time.
//   - Python's compiled modules hold their source's time, which is changed with it.
type layerTimes struct {
	commit time.Time
}

// name tells times apart in the names of layers that were made with them.
func (l layerTimes) name() string {
	if l.commit.IsZero() {
		return catalog.TimestampsEpoch
	}
	return catalog.TimestampsCommit + strconv.FormatInt(l.commit.Unix(), 10)
}

// of returns the time of a file.
func (l layerTimes) of(blob catalog.BlobID) (time.Time, error) {
	if !l.commit.IsZero() {
		return l.commit, nil
	}
	const digits = 16
	if len(blob) < digits {
		return time.Time{}, fmt.Errorf("%q is not a valid name of a content", blob)
	}
	n, err := strconv.ParseUint(string(blob[:digits]), 16, 64)
	return layerEpoch.Add(time.Duration(n%timeSpan) * time.Second), err
}

// ofAll returns the time of what is no file.
func (l layerTimes) ofAll() time.Time {
	if !l.commit.IsZero() {
		return l.commit
	}
	return layerEpoch
}

// dateArchive copies a layer's archive with the times that it is to have. sources may be nil.
func (l layerTimes) dateArchive(out io.Writer, in io.Reader, sources pythonSources) error {
	from, to := tar.NewReader(in), &dater{layerTimes: l, out: tar.NewWriter(out), dated: map[string]time.Time{}, python: newPythonCache(sources)}
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := to.take(header, from); err != nil {
			return err
		}
	}
	if err := to.putAll(to.python.rest()); err != nil {
		return err
	}
	if err := to.out.Close(); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, in) // what may follow an archive's end
	return err
}

// dater writes a layer's archive.
type dater struct {
	layerTimes
	out    *tar.Writer
	dated  map[string]time.Time // files, which links to them share their time with
	python *pythonCache
}

// take takes an entry from BuildKit's archive.
func (d *dater) take(header *tar.Header, content io.Reader) error {
	if isCompiledPython(header) {
		file, err := readCompiled(header, content)
		if err != nil {
			return err
		}
		return d.putAll(d.python.hold(file))
	}
	if header.Typeflag == tar.TypeLink && d.python.holdLink(header) {
		return nil
	}
	made := header.ModTime
	if err := d.put(header, content); err != nil {
		return err
	}
	return d.putAll(d.python.release(header.Name, PythonSource{Size: header.Size, Made: made, Dated: header.ModTime}))
}

func (d *dater) putAll(files []*compiledPython) error {
	for _, file := range files {
		if err := d.put(file.header, bytes.NewReader(file.content)); err != nil {
			return err
		}
		for _, link := range file.links {
			if err := d.put(link, bytes.NewReader(nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes an entry with its time.
func (d *dater) put(header *tar.Header, content io.Reader) error {
	at := d.ofAll()
	switch {
	case !header.ModTime.After(layerEpoch):
		at = header.ModTime
	case header.Typeflag == tar.TypeReg:
		held, blob, err := hold(content, header.Size)
		if err != nil {
			return err
		}
		defer held.Close() //nolint:errcheck // a temporary file
		if at, err = d.of(blob); err != nil {
			return err
		}
		content = held
		d.dated[header.Name] = at
	case header.Typeflag == tar.TypeLink:
		if of, ok := d.dated[header.Linkname]; ok {
			at = of
		}
	}
	header.ModTime = at
	for _, t := range []*time.Time{&header.AccessTime, &header.ChangeTime} {
		if t.After(layerEpoch) {
			*t = at
		}
	}
	if err := d.out.WriteHeader(header); err != nil {
		return err
	}
	_, err := io.Copy(d.out, content)
	return err
}

// hold reads a file to its end, for its name, and returns it to be read again.
func hold(content io.Reader, size int64) (io.ReadCloser, catalog.BlobID, error) {
	sum := sha1.New() //nolint:gosec // git's name of a content
	fmt.Fprintf(sum, "blob %d\x00", size)
	name := func() catalog.BlobID { return catalog.BlobID(fmt.Sprintf("%x", sum.Sum(nil))) }
	if size <= maxHeld {
		text := make([]byte, size)
		if _, err := io.ReadFull(content, text); err != nil {
			return nil, "", err
		}
		_, _ = sum.Write(text) // a hash never fails
		return io.NopCloser(bytes.NewReader(text)), name(), nil
	}
	file, err := os.CreateTemp("", "fandogh-layer-")
	if err != nil {
		return nil, "", err
	}
	err = os.Remove(file.Name()) // it lives as long as it is open
	if err == nil {
		_, err = io.CopyN(io.MultiWriter(file, sum), content, size)
	}
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, "", errors.Join(err, file.Close())
	}
	return file, name(), nil
}

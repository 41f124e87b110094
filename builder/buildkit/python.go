package buildkit

import (
	"archive/tar"
	"encoding/binary"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

const (
	// maxCompiled is how large a compiled module may be to be held back for its source, and
	// maxHeldCompiled how large all of a layer's, bytes. What is larger stays as it is: Python
	// compiles it anew.
	maxCompiled     = 8 << 20
	maxHeldCompiled = 64 << 20
)

// A module that Python compiled says of which time and size its source was (PEP 552): 4 bytes of magic, 4 of
// flags, zero where it says so, 4 of time in seconds, 4 of size, all little-endian.
const (
	compiledFlags, compiledTime, compiledSize, compiledHeader = 4, 8, 12, 16
)

// pythonSource is a module's source: when it was made in the build, and the time that it has
// in the image.
type pythonSource struct {
	size        int64
	made, dated time.Time
}

// pythonSources finds a source in the layers below.
type pythonSources func(name string) (pythonSource, bool)

// compiledPython is one compiled module.
type compiledPython struct {
	header  *tar.Header
	content []byte
}

// pythonCache holds compiled modules back until their source came, which may be behind
// them in the archive.
type pythonCache struct {
	below pythonSources
	held  map[string][]compiledPython // by the name of the source
	came  map[string]pythonSource
	size  int64
}

func newPythonCache(below pythonSources) *pythonCache {
	return &pythonCache{below: below, held: map[string][]compiledPython{}, came: map[string]pythonSource{}}
}

func isCompiledPython(h *tar.Header) bool {
	return h.Typeflag == tar.TypeReg && strings.HasSuffix(h.Name, ".pyc") && path.Base(path.Dir(h.Name)) == "__pycache__" && h.Size >= compiledHeader && h.Size <= maxCompiled
}

func readCompiled(h *tar.Header, content io.Reader) (compiledPython, error) {
	file := compiledPython{header: h, content: make([]byte, h.Size)}
	_, err := io.ReadFull(content, file.content)
	return file, err
}

// source names what dir/__pycache__/name.cpython-311.pyc was compiled from.
func (f compiledPython) source() string {
	name, _, _ := strings.Cut(path.Base(f.header.Name), ".")
	return path.Join(path.Dir(path.Dir(f.header.Name)), name+".py")
}

// of makes the module one of its source as that is in the image, if it was its.
func (f compiledPython) of(source pythonSource) compiledPython {
	h := f.content[:compiledHeader]
	le := binary.LittleEndian
	if le.Uint32(h[compiledFlags:]) == 0 && le.Uint32(h[compiledTime:]) == uint32(source.made.Unix()) && le.Uint32(h[compiledSize:]) == uint32(source.size) {
		le.PutUint32(h[compiledTime:], uint32(source.dated.Unix()))
	}
	return f
}

// hold takes a module in, and returns those that are to be written now.
func (c *pythonCache) hold(file compiledPython) []compiledPython {
	name := file.source()
	if source, ok := c.came[name]; ok {
		return []compiledPython{file.of(source)}
	}
	var full []compiledPython
	if c.size += file.header.Size; c.size > maxHeldCompiled {
		full = c.rest()
		c.size = file.header.Size
	}
	c.held[name] = append(c.held[name], file)
	return full
}

// release returns the modules of a source that came.
func (c *pythonCache) release(name string, source pythonSource) []compiledPython {
	if !strings.HasSuffix(name, ".py") {
		return nil
	}
	c.came[name] = source
	files := c.held[name]
	delete(c.held, name)
	for i := range files {
		c.size -= files[i].header.Size
		files[i] = files[i].of(source)
	}
	return files
}

// rest returns the modules whose source is not in this layer.
func (c *pythonCache) rest() []compiledPython {
	var files []compiledPython
	for _, name := range slices.Sorted(maps.Keys(c.held)) {
		source, ok := pythonSource{}, false
		if c.below != nil {
			source, ok = c.below(name)
		}
		for _, file := range c.held[name] {
			if ok {
				file = file.of(source)
			}
			files = append(files, file)
		}
	}
	c.held, c.size = map[string][]compiledPython{}, 0
	return files
}

package export

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

// PythonSource is a module's source: when it was made in the build, and the time that it has
// in the image.
type PythonSource struct {
	Size        int64
	Made, Dated time.Time
}

// pythonSources finds what a source may be in the layers below.
type pythonSources func(name string) []PythonSource

// compiledPython is one compiled module, and the links to it.
type compiledPython struct {
	header  *tar.Header
	content []byte
	links   []*tar.Header
}

// pythonCache holds compiled modules back until their source came, which may be behind
// them in the archive.
type pythonCache struct {
	below pythonSources
	held  map[string][]*compiledPython // by the name of the source
	named map[string]*compiledPython   // those that are held, and their links, by name
	came  map[string]PythonSource
	size  int64
}

func newPythonCache(below pythonSources) *pythonCache {
	return &pythonCache{below: below, held: map[string][]*compiledPython{}, named: map[string]*compiledPython{}, came: map[string]PythonSource{}}
}

func isCompiledPython(h *tar.Header) bool {
	return h.Typeflag == tar.TypeReg && strings.HasSuffix(h.Name, ".pyc") && path.Base(path.Dir(h.Name)) == "__pycache__" && h.Size >= compiledHeader && h.Size <= maxCompiled
}

func readCompiled(h *tar.Header, content io.Reader) (*compiledPython, error) {
	file := &compiledPython{header: h, content: make([]byte, h.Size)}
	_, err := io.ReadFull(content, file.content)
	return file, err
}

// source names what dir/__pycache__/name.cpython-311.pyc was compiled from.
func (c *compiledPython) source() string {
	name, _, _ := strings.Cut(path.Base(c.header.Name), ".")
	return path.Join(path.Dir(path.Dir(c.header.Name)), name+".py")
}

// of makes the module one of its source as that is in the image, if it was one of these.
func (c *compiledPython) of(sources ...PythonSource) *compiledPython {
	h := c.content[:compiledHeader]
	le := binary.LittleEndian
	for _, source := range sources {
		if le.Uint32(h[compiledFlags:]) == 0 && le.Uint32(h[compiledTime:]) == uint32(source.Made.Unix()) && le.Uint32(h[compiledSize:]) == uint32(source.Size) {
			le.PutUint32(h[compiledTime:], uint32(source.Dated.Unix()))
			break
		}
	}
	return c
}

// hold takes a module in, and returns those that are to be written now.
func (c *pythonCache) hold(file *compiledPython) []*compiledPython {
	name := file.source()
	if source, ok := c.came[name]; ok {
		return []*compiledPython{file.of(source)}
	}
	var full []*compiledPython
	if c.size += file.header.Size; c.size > maxHeldCompiled {
		full = c.rest()
		c.size = file.header.Size
	}
	c.held[name] = append(c.held[name], file)
	c.named[file.header.Name] = file
	return full
}

// holdLink takes in a link to a module that is held, which must not come before it.
func (c *pythonCache) holdLink(link *tar.Header) bool {
	file, ok := c.named[link.Linkname]
	if ok {
		file.links = append(file.links, link)
		c.named[link.Name] = file
	}
	return ok
}

// release returns the modules of a source that came.
func (c *pythonCache) release(name string, source PythonSource) []*compiledPython {
	if !strings.HasSuffix(name, ".py") {
		return nil
	}
	c.came[name] = source
	files := c.held[name]
	delete(c.held, name)
	for _, file := range files {
		c.drop(file.of(source))
	}
	return files
}

// drop forgets a module that is to be written.
func (c *pythonCache) drop(file *compiledPython) {
	c.size -= file.header.Size
	delete(c.named, file.header.Name)
	for _, link := range file.links {
		delete(c.named, link.Name)
	}
}

// rest returns the modules whose source is not in this layer.
func (c *pythonCache) rest() []*compiledPython {
	var files []*compiledPython
	for _, name := range slices.Sorted(maps.Keys(c.held)) {
		var sources []PythonSource
		if c.below != nil {
			sources = c.below(name)
		}
		for _, file := range c.held[name] {
			c.drop(file.of(sources...))
			files = append(files, file)
		}
	}
	clear(c.held)
	return files
}

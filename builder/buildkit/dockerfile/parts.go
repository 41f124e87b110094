package dockerfile

import (
	"hash/fnv"
	"path"
	"slices"

	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
)

// How large COPYs become several layers. The numbers decide about images' digests: another
// release that changes them gives the same commit another one. Sizes are bytes.
const (
	splitFrom        = 16 << 20 // what a COPY must measure to be split
	partSize         = 4 << 20  // what a part should measure; a directory up to that goes to one as a whole
	fileCost         = 8 << 10  // what making a file costs, however small
	maxLayersPerCopy = 16       // of one COPY
	// maxLayersPerImage is how many layers an image may have, its base's included; runtimes stop
	// at some 125.
	maxLayersPerImage = 100
)

// measure is what making an entry costs.
func measure(e export.Entry) int64 {
	if e.IsParent {
		return 0
	}
	return fileCost + e.Size
}

func measureAll(entries []export.Entry) (total int64) {
	for _, e := range entries {
		total += measure(e)
	}
	return total
}

// divide distributes what a COPY makes over at most most parts, over one when it is too
// small for more. Each part has the directories that its entries are in. Which part an
// entry goes to depends on its path, the measure of the directories above, and the rough
// measure of the whole: a change leaves the other parts as they are.
func divide(entries []export.Entry, most int) [][]export.Entry {
	total := measureAll(entries)
	count := 1
	for total >= splitFrom && count*2 <= min(most, maxLayersPerCopy) && int64(count*2)*partSize <= total {
		count *= 2
	}
	if count == 1 {
		return [][]export.Entry{entries}
	}
	d := partition{measures: measureDirs(entries), whole: map[string]*part{}}
	for range count {
		d.parts = append(d.parts, &part{has: map[string]bool{}})
	}
	for _, e := range entries {
		d.add(e)
	}
	var parts [][]export.Entry
	for _, p := range d.parts {
		if len(p.entries) > 0 {
			parts = append(parts, p.entries)
		}
	}
	return parts
}

// measureDirs returns what each directory measures with all below it.
func measureDirs(entries []export.Entry) map[string]int64 {
	measures := map[string]int64{}
	for _, e := range slices.Backward(entries) { // children come before their parents
		if e.Mode.IsDir() {
			measures[e.Name] += measure(e)
		}
		own := measure(e)
		if e.Mode.IsDir() {
			own = measures[e.Name]
		}
		measures[path.Dir(e.Name)] += own
	}
	return measures
}

// partition is entries on their way to parts.
type partition struct {
	parts    []*part
	measures map[string]int64
	whole    map[string]*part // of directories that went to one as a whole
	above    []export.Entry   // the directories that are too large for that, of the path we are at
}

type part struct {
	entries []export.Entry
	has     map[string]bool // directories that are only on the way
}

func (p *partition) add(e export.Entry) {
	for len(p.above) > 0 && !isBelow(e.Name, p.above[len(p.above)-1].Name) {
		p.above = p.above[:len(p.above)-1]
	}
	into, isInside := p.whole[path.Dir(e.Name)]
	if !isInside {
		if e.Mode.IsDir() && (e.IsParent || p.measures[e.Name] > partSize) {
			p.above = append(p.above, e)
			return
		}
		into = p.parts[bucket(e.Name, len(p.parts))]
		for _, dir := range p.above {
			if !into.has[dir.Name] {
				into.has[dir.Name] = true
				into.entries = append(into.entries, dir)
			}
		}
	}
	if e.Mode.IsDir() {
		p.whole[e.Name] = into
	}
	into.entries = append(into.entries, e)
}

func isBelow(name, dir string) bool {
	return dir == "/" || len(name) > len(dir) && name[len(dir)] == '/' && name[:len(dir)] == dir
}

func bucket(name string, count int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return int(h.Sum32() % uint32(count))
}

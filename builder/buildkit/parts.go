package buildkit

import (
	"hash/fnv"
	"path"
	"slices"
)

// How large COPYs become several layers. The numbers decide about images' digests: another
// release that changes them gives the same commit another one. Sizes are bytes.
const (
	splitFrom = 16 << 20 // what a COPY must weigh to be split
	partSize  = 4 << 20  // what a part should weigh; a directory up to that goes to one as a whole
	fileCost  = 8 << 10  // what making a file costs, however small
	mostParts = 16       // of one COPY
	// mostLayers is how many layers an image may have, its base's included; runtimes stop
	// at some 125.
	mostLayers = 100
)

// weight is what making an entry costs.
func (e entry) weight() int64 {
	if e.isParent {
		return 0
	}
	return fileCost + e.size
}

func weightOf(entries []entry) (total int64) {
	for _, e := range entries {
		total += e.weight()
	}
	return total
}

// divide distributes what a COPY makes over at most most parts, over one when it is too
// small for more. Each part has the directories that its entries are in. Which part an
// entry goes to depends on its path, the weight of the directories above, and the rough
// weight of the whole: a change leaves the other parts as they are.
func divide(entries []entry, most int) [][]entry {
	total := weightOf(entries)
	count := 1
	for total >= splitFrom && count*2 <= min(most, mostParts) && int64(count*2)*partSize <= total {
		count *= 2
	}
	if count == 1 {
		return [][]entry{entries}
	}
	d := division{weights: dirWeights(entries), places: map[string]*part{}}
	for range count {
		d.parts = append(d.parts, &part{has: map[string]bool{}})
	}
	for _, e := range entries {
		d.add(e)
	}
	var parts [][]entry
	for _, p := range d.parts {
		if len(p.entries) > 0 {
			parts = append(parts, p.entries)
		}
	}
	return parts
}

// dirWeights returns what each directory weighs with all below it.
func dirWeights(entries []entry) map[string]int64 {
	weights := map[string]int64{}
	for _, e := range slices.Backward(entries) { // children come before their parents
		if e.mode.IsDir() {
			weights[e.name] += e.weight()
		}
		own := e.weight()
		if e.mode.IsDir() {
			own = weights[e.name]
		}
		weights[path.Dir(e.name)] += own
	}
	return weights
}

// division is entries on their way to parts.
type division struct {
	parts   []*part
	weights map[string]int64
	places  map[string]*part // of directories that went to one as a whole
	above   []entry          // the directories that are too large for that, of the path we are at
}

type part struct {
	entries []entry
	has     map[string]bool // directories that are only on the way
}

func (d *division) add(e entry) {
	for len(d.above) > 0 && !isBelow(e.name, d.above[len(d.above)-1].name) {
		d.above = d.above[:len(d.above)-1]
	}
	p, isInside := d.places[path.Dir(e.name)]
	if !isInside {
		if e.mode.IsDir() && (e.isParent || d.weights[e.name] > partSize) {
			d.above = append(d.above, e)
			return
		}
		p = d.parts[bucket(e.name, len(d.parts))]
		for _, dir := range d.above {
			if !p.has[dir.name] {
				p.has[dir.name] = true
				p.entries = append(p.entries, dir)
			}
		}
	}
	if e.mode.IsDir() {
		d.places[e.name] = p
	}
	p.entries = append(p.entries, e)
}

func isBelow(name, dir string) bool {
	return dir == "/" || len(name) > len(dir) && name[len(dir)] == '/' && name[:len(dir)] == dir
}

func bucket(name string, count int) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(name)) // a hash never fails
	return int(h.Sum32() % uint32(count))
}

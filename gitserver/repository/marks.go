package repository

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/gitserver/objects"
	"github.com/fandoghpaas/fandogh/gitserver/refs"
)

// unreachableFile has a repository's marks: "look", the last look's sum; "used" and Unix microseconds; then times, "since" and Unix
// seconds, each followed by the objects of it.
const unreachableFile = "unreachable"

// marks say since when objects are known to be of those that nothing leads to. To be without one does no harm: it is as if the object
// were seen for the first time.
type marks struct {
	look  string    // what the repository was when it was looked at
	used  time.Time // of Git LFS objects that were not used later, what was there then is named
	since map[plumbing.Hash]int64
}

// anyUntil reports whether an object is marked with a time that is not later.
func (m marks) anyUntil(t time.Time) bool {
	for _, since := range m.since {
		if since <= t.Unix() {
			return true
		}
	}
	return false
}

// anyUsedSince reports whether one of some Git LFS objects was used later than those that were looked at.
func (m marks) anyUsedSince(unused []catalog.LFSObject) bool {
	return slices.ContainsFunc(unused, func(o catalog.LFSObject) bool { return o.UsedAt.After(m.used) })
}

// readMarks returns what can be read of them. With one that is later than now none is worth anything: the clock was ahead then.
func (r *Repository) readMarks(now time.Time) marks {
	none := func() marks { return marks{since: map[plumbing.Hash]int64{}} }
	m := none()
	data, err := os.ReadFile(filepath.Join(r.dir, unreachableFile))
	if err != nil {
		return m
	}
	since, timed := int64(0), false
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), " ")
		switch h, isHash := objects.ParseHash([]byte(key)); {
		case key == "look":
			m.look = value
		case key == "used":
			if at, err := strconv.ParseInt(value, 10, 64); err == nil {
				m.used = time.UnixMicro(at)
			}
		case key == "since":
			since, err = strconv.ParseInt(value, 10, 64)
			timed = err == nil
			if since > now.Unix() {
				return none()
			}
		case isHash && timed:
			m.since[h] = since
		}
	}
	if m.used.After(now) {
		return none()
	}
	return m
}

func (r *Repository) writeMarks(m marks) error {
	var text strings.Builder
	fmt.Fprintf(&text, "look %s\nused %d\n", m.look, m.used.UnixMicro())
	last := int64(-1)
	for _, h := range slices.SortedFunc(maps.Keys(m.since), func(a, b plumbing.Hash) int {
		return cmp.Or(cmp.Compare(m.since[a], m.since[b]), bytes.Compare(a[:], b[:]))
	}) {
		if since := m.since[h]; since != last {
			fmt.Fprintf(&text, "since %d\n", since)
			last = since
		}
		text.WriteString(h.String() + "\n")
	}
	return refs.ReplaceFile(r.disk, r.dir, unreachableFile, text.String())
}

// look sums up what a repository is.
type look struct{ sum hash.Hash }

func newLook() look { return look{sha256.New()} }

func (l look) note(name string, h plumbing.Hash) { fmt.Fprintf(l.sum, "%q %s\n", name, h) }

func (l look) String() string { return hex.EncodeToString(l.sum.Sum(nil)) }

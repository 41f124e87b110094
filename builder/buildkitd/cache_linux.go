package buildkitd

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// startAttempts is how often a buildkitd that never gets ready is tried before
	// its cache is thought to be the reason.
	startAttempts = 3
	// keepAside is how long a cache that was set aside is kept for the operator, to
	// find out what is wrong with it, while the disk has room.
	keepAside = 24 * time.Hour

	asidePrefix = "root.aside-"
	asideTime   = "20060102T150405.000"
)

// suspicion decides when the cache is to blame for a buildkitd that does not run.
// Its databases survive a kill, but not every loss of power or full disk.
type suspicion struct {
	failures int    // starts that failed since buildkitd was last ready
	aside    string // the cache that was set aside since then
	cleared  bool   // an empty cache did not help either
}

// checkCache looks at how a buildkitd ended, and changes the cache when that may help.
func (m *Manager) checkCache(wasReady bool, err error) {
	if !wasReady {
		m.suspicion.failures++
	}
	var end *childError
	inDatabase := errors.As(err, &end) && end.inDatabase
	switch s := &m.suspicion; {
	case wasReady && inDatabase:
		m.setAside("buildkitd crashed in a database of its build cache")
	case s.failures < startAttempts || s.cleared:
	case s.aside == "":
		m.setAside("buildkitd does not start, perhaps because the build cache is damaged")
	default:
		m.putBack()
	}
}

// setAside makes buildkitd start with an empty cache.
func (m *Manager) setAside(why string) {
	dir := filepath.Join(m.cfg.Dir, asidePrefix+time.Now().UTC().Format(asideTime))
	err := os.Rename(m.rootDir(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		m.log.Error("failed to set the build cache aside", "why", why, "error", err)
		return
	}
	m.suspicion = suspicion{aside: dir}
	m.log.Error(why+": starting with an empty cache, so the next builds repeat every step", "set aside", dir, "kept", keepAside)
}

// putBack undoes setAside: with an empty cache buildkitd does not start either.
func (m *Manager) putBack() {
	err := errors.Join(os.RemoveAll(m.rootDir()), os.Rename(m.suspicion.aside, m.rootDir()))
	m.suspicion = suspicion{cleared: true}
	if err != nil {
		m.log.Error("failed to put the build cache back", "error", err)
		return
	}
	m.log.Error("buildkitd does not start with an empty build cache either: the cache is put back")
}

// dropAside removes caches that were set aside: all but the newest, and that one
// too when its time is over or the disk is short.
func (m *Manager) dropAside() {
	if !m.dropping.TryLock() {
		return // it takes as long as the cache is large
	}
	defer m.dropping.Unlock()
	m.dropAllAside(!m.cfg.Disk.isShortForCache())
}

func (m *Manager) dropAllAside(butNewest bool) {
	entries, err := os.ReadDir(m.cfg.Dir)
	if err != nil {
		m.log.Warn("failed to look for build caches that were set aside", "error", err)
		return
	}
	for _, entry := range slices.Backward(entries) { // newest first
		since, found := strings.CutPrefix(entry.Name(), asidePrefix)
		at, err := time.Parse(asideTime, since)
		if !found || err != nil {
			continue
		}
		if butNewest && time.Since(at) < keepAside {
			butNewest = false
			continue
		}
		if err := os.RemoveAll(filepath.Join(m.cfg.Dir, entry.Name())); err != nil {
			m.log.Warn("failed to remove a build cache that was set aside", "error", err)
			continue
		}
		m.log.Info("removed a build cache that was set aside", "directory", entry.Name())
	}
}

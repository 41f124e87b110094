package builder

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxLogBytes bounds what a build's own output may write to disk; what the
// builder itself says is always kept.
const maxLogBytes = 64 << 20

// buildLog writes one build's log. It is used by one goroutine at a time. A
// log that can't be written does not fail the build.
type buildLog struct {
	file    *logFile
	queued  time.Time
	now     func() time.Time
	logger  hclog.Logger
	release func()
	full    bool
	failed  bool
}

func (b *Builder) openLog(build catalog.Build) *buildLog {
	file, release := b.useLog(build.ID)
	return &buildLog{file: file, queued: build.QueuedAt, now: b.now, logger: b.logger.With("build", build.ID), release: release}
}

// sayf writes what the builder has to say.
func (l *buildLog) sayf(format string, args ...any) {
	l.write(l.now(), cleanLines(fmt.Sprintf(format, args...)))
}

// output writes what the build printed, until the log is full.
func (l *buildLog) output(at time.Time, line string) {
	if l.full {
		return
	}
	if l.file.length() > maxLogBytes {
		l.full = true
		l.sayf("The log is longer than %s; the rest of the output is left out.", humanSize(maxLogBytes))
		return
	}
	l.write(at, cleanLines(line))
}

func (l *buildLog) write(at time.Time, lines []string) {
	err := l.file.append(at.Sub(l.queued), lines)
	if err != nil && !l.failed {
		l.logger.Error("write the build's log", "error", err)
	}
	l.failed = err != nil
}

func (l *buildLog) close() {
	if err := l.file.sync(); err != nil {
		l.logger.Error("sync the build's log", "error", err)
	}
	l.release()
}

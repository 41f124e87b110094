package builder

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog"
)

// lineSink is where a log's lines go.
type lineSink interface {
	append(offset time.Duration, texts []string) error
	length() int64 // bytes so far
	sync() error
}

// told hands lines over and keeps none.
type told struct {
	say  func(line string)
	size int64
}

func (t *told) append(_ time.Duration, texts []string) error {
	for _, text := range texts {
		t.size += int64(len(text)) + 1
		t.say(text)
	}
	return nil
}

func (t *told) length() int64 { return t.size }
func (t *told) sync() error   { return nil }

// buildLog writes one build's log. It is used by one goroutine at a time. A
// log that can't be written does not fail the build; it says what it lacks as
// soon as it can be written again.
type buildLog struct {
	lineSink
	file    *logFile // that it is; nil: the log is not kept
	queued  time.Time
	now     func() time.Time
	logger  hclog.Logger
	release func()
	bound   *Bound // of the file
	lost    int    // lines that could not be written since the last that could
}

func (b *Builder) openLog(build catalog.Build) *buildLog {
	file, release := b.useLog(build.ID)
	return &buildLog{lineSink: file, file: file, queued: build.QueuedAt, now: b.now, logger: b.logger.With("build", build.ID), release: release, bound: logBound()}
}

// sayf writes what the builder has to say.
func (l *buildLog) sayf(format string, args ...any) {
	l.write(l.now(), cleanLines(fmt.Sprintf(format, args...)))
}

// output writes what the build printed, until the log is full.
func (l *buildLog) output(at time.Time, line string) {
	if line = l.bound.Line(line, l.length()); line == "" {
		return
	}
	l.write(at, cleanLines(line))
}

func (l *buildLog) write(at time.Time, lines []string) {
	text := lines
	if l.lost > 0 {
		text = append([]string{fmt.Sprintf("(%d lines are missing here: the server could not write them)", l.lost)}, lines...)
	}
	err := l.append(at.Sub(l.queued), text)
	if err == nil {
		l.lost = 0
		return
	}
	if l.lost == 0 {
		l.logger.Error("failed to write a build's log", "error", err)
	}
	l.lost += len(lines)
}

func (l *buildLog) close() {
	if l.lost > 0 {
		l.write(l.now(), nil)
	}
	if err := l.sync(); err != nil {
		l.logger.Error("failed to sync a build's log", "error", err)
	}
	l.release()
}

package buildkitd

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"

	"github.com/fandoghpaas/fandogh/builder/workers"
)

const (
	startTimeout = time.Minute           // from fork to the first build
	pollInterval = 20 * time.Millisecond // between questions whether it answers

	// A buildkitd that leaves healthMisses questions in a row without an answer
	// hangs. Under any load it answers this one in far less than workers.Timeout.
	healthInterval = 10 * time.Second
	healthMisses   = 6
	asideInterval  = time.Hour // between looks at what was set aside
)

// awaitReady returns nothing once buildkitd can build, has exited or ctx ended; else
// what is wrong with it.
func (m *Manager) awaitReady(ctx context.Context, c *child) (why string) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errSlow)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-c.exited:
			return ""
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), errSlow) {
				return fmt.Sprintf("it could not build within %s", startTimeout)
			}
			return ""
		}
		if _, err := os.Stat(m.socket); err != nil || !m.answers(ctx) {
			continue
		}
		err := m.try(ctx)
		if err != nil && !c.hasExited() && ctx.Err() == nil && !m.cfg.Disk.IsFull() { // of a full disk it may rid itself
			return fmt.Sprintf("it can't build (%s)", err)
		}
		if ctx.Err() == nil {
			return ""
		}
	}
}

var errSlow = errors.New("too slow")

// watch returns nothing when buildkitd has exited or ctx ended; else what is wrong
// with it.
func (m *Manager) watch(ctx context.Context, c *child) (why string) {
	go m.dropAside()
	health, aside, records := time.NewTicker(m.timing.health), time.NewTicker(asideInterval), time.NewTicker(m.timing.records)
	defer health.Stop()
	defer aside.Stop()
	defer records.Stop()
	for missed := 0; missed < healthMisses; {
		select {
		case <-c.exited:
			return ""
		case <-ctx.Done():
			return ""
		case <-aside.C:
			go m.dropAside()
		case <-records.C:
			go m.boundRecords(ctx)
		case <-health.C:
			// Counted and not timed: this process may itself have been stopped meanwhile.
			if missed++; m.answers(ctx) {
				missed = 0
			}
		}
	}
	return fmt.Sprintf("it did not answer %d times in a row", healthMisses)
}

// answers asks buildkitd once.
func (m *Manager) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, m.timing.answer)
	defer cancel()
	return m.ask(ctx, func(*client.Client, []*client.WorkerInfo) error { return nil }) == nil
}

// try builds a file: not all of the cache is read when buildkitd starts, and with
// a part of it damaged it answers, and fails every build.
func (m *Manager) try(ctx context.Context) error {
	file := llb.Scratch().File(llb.Mkfile("/try", 0o600, []byte(time.Now().String())))
	def, err := file.Marshal(ctx)
	if err != nil {
		return err
	}
	return m.ask(ctx, func(c *client.Client, _ []*client.WorkerInfo) error {
		_, err := c.Solve(ctx, def, client.SolveOpt{Internal: true}, nil)
		return err
	})
}

// ask puts a question to a buildkitd that answers and has a worker.
func (m *Manager) ask(ctx context.Context, question func(*client.Client, []*client.WorkerInfo) error) error {
	c, err := client.New(ctx, m.Address())
	if err != nil {
		return err
	}
	all, err := workers.List(ctx, c)
	if err == nil {
		err = question(c, all)
	}
	return errors.Join(err, c.Close())
}

func (m *Manager) setReady(is bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-m.ready:
		if !is {
			m.ready = make(chan struct{})
		}
	default:
		if is {
			close(m.ready)
		}
	}
}

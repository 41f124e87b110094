// Package dockerfile makes an image's layers of a Dockerfile: it interprets it with BuildKit's own
// frontend, reads the graph of operations that comes of it, and takes out of it what needs no BuildKit.
//
// The frontend runs in child processes: a Dockerfile of a few lines can ask for any amount of memory
// and time, and a fault in the frontend must not end the daemon. A child serves one
// build and ends. It has limits, and on Linux, where the kernel lets it, no file and
// no network of the machine; all it has is a socket to this process, over which it
// asks for what a frontend may ask BuildKit for.
//
// The child is this program, started again: main must call Main first.
//
// COPYs of the build context are known from the commit: what they make is planned by the rules of BuildKit's
// copy, parted by path and size so that a change makes a small layer new, and stored by package
// export, while BuildKit solves the graph without them. Where BuildKit's copy may do anything else than the plan, the
// COPY is left to it. What comes back of a child is whatever a Dockerfile made of it: it is checked
// and bounded before it is used. The partition decides about digests; another one gives the same commit
// another image.
package dockerfile

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/fandoghpaas/fandogh/internal/confined"
)

// Config says what Dockerfiles may do.
type Config struct {
	// Frontends are images that a "# syntax=" line may name although they are not
	// what is built in: "registry/name" for any version of it, or with a tag, a
	// digest or both for that one.
	Frontends []string
	Logger    hclog.Logger
}

// Interpreter runs the children and keeps one ready. It is safe for concurrent use.
type Interpreter struct {
	cfg Config
	log hclog.Logger

	warnOnce sync.Once

	mu       sync.Mutex
	idle     *confined.Process // ready for a build, or nil
	starting bool
	closed   bool
}

// New starts the first child in the background.
func New(cfg Config) *Interpreter {
	if cfg.Logger == nil {
		cfg.Logger = hclog.NewNullLogger()
	}
	registerMistake()
	i := &Interpreter{cfg: cfg, log: cfg.Logger}
	go i.refill()
	return i
}

// interpret interprets the Dockerfile that c's options name and returns what the
// frontend would. All that it solves goes through c.Solve.
func (i *Interpreter) interpret(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
	p, err := i.take()
	if err != nil {
		return nil, infrastructure(err, "failed to start the process that interprets Dockerfiles")
	}
	defer p.Kill()
	return newBridge(c, i.cfg.Frontends, i.log).serve(ctx, p)
}

// Close ends the idle child. Builds that run have their own.
func (i *Interpreter) Close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.closed = true
	if i.idle != nil {
		i.idle.Kill()
		i.idle = nil
	}
}

// take returns the child that is ready, or a new one.
func (i *Interpreter) take() (*confined.Process, error) {
	i.mu.Lock()
	p := i.idle
	i.idle = nil
	i.mu.Unlock()
	if p != nil && !p.Ended() {
		return p, nil
	}
	return i.start()
}

// quickBuild is how long a build may have the machine for itself before a child is started for the next.
const quickBuild = 500 * time.Millisecond

// refillLater has refill called when a build ends, or when it is no quick one: to start a child takes a processor for a while.
func (i *Interpreter) refillLater() (ended func()) {
	timer := time.AfterFunc(quickBuild, i.refill)
	return func() {
		if timer.Stop() {
			go i.refill()
		}
	}
}

// refill makes sure that a child is ready.
func (i *Interpreter) refill() {
	i.mu.Lock()
	if i.closed || i.starting || i.idle != nil {
		i.mu.Unlock()
		return
	}
	i.starting = true
	i.mu.Unlock()

	p, err := i.start()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.starting = false
	switch {
	case err != nil: // the next build tries it again
		i.log.Warn("failed to start the process that interprets Dockerfiles", "error", err)
	case i.closed:
		p.Kill()
	default:
		i.idle = p
	}
}

// start runs a child that is kept from the machine; where the kernel does not let it,
// one with limits alone.
func (i *Interpreter) start() (*confined.Process, error) {
	return child.Start("", func(err error) {
		i.warnOnce.Do(func() {
			i.log.Warn("Dockerfiles are interpreted in a process with limits, but with the machine's files and network: namespaces are not available", "error", err)
		})
	})
}

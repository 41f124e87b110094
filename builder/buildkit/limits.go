package buildkit

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/docker/go-units"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// cpuPeriod is of CPU quotas, in microseconds.
const cpuPeriod = 100_000

// limits are those of a request, and how its BuildKits are told.
type limits struct {
	catalog.BuildLimits
	group *stepGroup // of the BuildKit on this machine; nil: it is not ours
}

// stepGroup is a builder.StepGroup from the first step on: most quick builds run none, and the kernel takes milliseconds to make one.
type stepGroup struct {
	limiter builder.StepLimiter
	limits  catalog.BuildLimits

	mu   sync.Mutex
	made builder.StepGroup // nil: no step was asked for
}

func (g *stepGroup) shares() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.made == nil {
		g.made = g.limiter.LimitBuild(g.limits)
	}
	return g.made.CPUShares()
}

func (g *stepGroup) exceeded() (e builder.Exceeded) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.made != nil {
		e = g.made.Exceeded()
	}
	return e
}

func (g *stepGroup) end() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.made != nil {
		g.made.End()
	}
}

// limit bounds the steps of a build, until end: no step is asked for after that.
func (s *Solver) limit(l catalog.BuildLimits) (_ limits, end func()) {
	if s.cfg.Limiter == nil {
		return limits{BuildLimits: l}, func() {}
	}
	group := &stepGroup{limiter: s.cfg.Limiter, limits: l}
	return limits{BuildLimits: l, group: group}, group.end
}

// resources are what BuildKit is asked to give each step; nil: what it gives. It is no part of what a step is, and so
// of no cache's key and no digest. A BuildKit elsewhere bounds each step by itself, and only in this.
func (l limits) resources() *pb.LinuxResources {
	if l.group != nil {
		return &pb.LinuxResources{CpuShares: l.group.shares()}
	}
	if l.Memory == 0 && l.CPUs == 0 {
		return nil
	}
	r := &pb.LinuxResources{Memory: l.Memory, MemorySwap: l.Memory}
	if l.CPUs > 0 {
		r.CpuPeriod, r.CpuQuota = cpuPeriod, int64(l.CPUs*cpuPeriod)
	}
	return r
}

// limited asks BuildKit for resources for all steps.
type limited struct {
	gateway.Client
	limits limits
}

// limitSteps returns c, asking for what l has where BuildKit knows it.
func (s *Solver) limitSteps(c gateway.Client, address string, l limits) gateway.Client {
	if l.group == nil && l.resources() == nil {
		return c
	}
	o := c.BuildOpts()
	if err := o.LLBCaps.Supports(pb.CapExecMetaLinuxResources); err != nil {
		if _, said := s.unlimited.LoadOrStore(address, true); !said {
			s.log.Warn("this BuildKit is too old to limit memory and processors of a build; install one of v0.31 or later", "address", address, "error", err)
		}
		return c
	}
	return limited{c, l}
}

// Solve implements gateway.Client.
func (c limited) Solve(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if runs(r.Definition) {
		resources := c.limits.resources()
		def := r.Definition.CloneVT()
		for _, metadata := range def.Metadata {
			metadata.LinuxResources = resources
		}
		r.Definition = def
	}
	return c.Client.Solve(ctx, r)
}

// runs reports whether a definition has a step that runs a program. One that can't be read has.
func runs(def *pb.Definition) bool {
	return slices.ContainsFunc(def.GetDef(), func(text []byte) bool {
		var op pb.Op
		return op.Unmarshal(text) != nil || op.GetExec() != nil
	})
}

// exceeded tells of a RUN step that failed which limit was in its way: the outcome, and what is to be said. Without one,
// the outcome is what it was.
func (l limits) exceeded(outcome catalog.Outcome) (catalog.Outcome, string) {
	var e builder.Exceeded
	if l.group != nil {
		e = l.group.exceeded()
	}
	switch {
	case e.Disk:
		return catalog.OutcomeDiskLimit, fmt.Sprintf(": stopped, because the steps of this build wrote more than its limit of %s", units.BytesSize(float64(l.Disk)))
	case (outcome == catalog.OutcomeOutOfMemory || e.Memory) && e.BuildMemory && l.Memory > 0:
		return catalog.OutcomeOutOfMemory, fmt.Sprintf(": ran out of memory; all steps of this build together may use %s", units.BytesSize(float64(l.Memory)))
	case outcome == catalog.OutcomeOutOfMemory, e.Memory:
		return catalog.OutcomeOutOfMemory, ": ran out of memory; the step needs more than the builder's limit"
	case e.PIDs > 0 && outcome == catalog.OutcomeUserError:
		return catalog.OutcomeProcessLimit, fmt.Sprintf(": could not start all its processes; the limit is %d, threads included", e.PIDs)
	}
	return outcome, ""
}

package buildkit

import (
	"context"
	"testing"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// countingLimiter is a StepLimiter and its only group.
type countingLimiter struct{ made, ended int }

func (l *countingLimiter) LimitBuild(catalog.BuildLimits) builder.StepGroup {
	l.made++
	return l
}
func (l *countingLimiter) CPUShares() uint64          { return 7 }
func (l *countingLimiter) Exceeded() builder.Exceeded { return builder.Exceeded{Disk: true} }
func (l *countingLimiter) End()                       { l.ended++ }

// askedClient keeps what it is asked to solve.
type askedClient struct {
	gateway.Client
	asked []gateway.SolveRequest
}

func (c *askedClient) Solve(_ context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	c.asked = append(c.asked, r)
	return gateway.NewResult(), nil
}

// A build has a group for its steps once it has a step, and one for them all.
func TestStepGroupIsMadeForSteps(t *testing.T) {
	limiter := &countingLimiter{}
	l, end := (&Solver{cfg: Config{Limiter: limiter}}).limit(catalog.BuildLimits{})
	asked := &askedClient{}
	solve := func(state llb.State) uint64 {
		def, err := state.Marshal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := (limited{asked, l}).Solve(t.Context(), gateway.SolveRequest{Definition: def.ToPB()}); err != nil {
			t.Fatal(err)
		}
		for _, m := range asked.asked[len(asked.asked)-1].Definition.Metadata {
			if r := m.GetLinuxResources(); r != nil {
				return r.CpuShares
			}
		}
		return 0
	}
	copied := llb.Scratch().File(llb.Copy(llb.Local("context"), "/", "/"))
	if shares := solve(copied); shares != 0 || limiter.made != 0 {
		t.Errorf("a copy has shares %d of %d groups", shares, limiter.made)
	}
	if outcome, _ := l.exceeded(catalog.OutcomeUserError); outcome != catalog.OutcomeUserError {
		t.Errorf("without a step: %s", outcome)
	}
	for range 2 {
		if shares := solve(copied.Run(llb.Shlex("make")).Root()); shares != 7 || limiter.made != 1 {
			t.Errorf("a step has shares %d of %d groups", shares, limiter.made)
		}
	}
	if outcome, _ := l.exceeded(catalog.OutcomeUserError); outcome != catalog.OutcomeDiskLimit {
		t.Errorf("with steps: %s", outcome)
	}
	if _, err := (limited{asked, l}).Solve(t.Context(), gateway.SolveRequest{Frontend: "gateway.v0"}); err != nil {
		t.Error(err)
	}
	end()
	if limiter.made != 1 || limiter.ended != 1 {
		t.Errorf("%d groups were made, %d ended", limiter.made, limiter.ended)
	}
	_, end = (&Solver{cfg: Config{Limiter: limiter}}).limit(catalog.BuildLimits{})
	if end(); limiter.ended != 1 {
		t.Error("what was not made was ended")
	}
}

package buildkit

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/containerd/platforms"
	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	gatewaypb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/archutil"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxProgram is more than any of testPrograms has, in bytes.
const maxProgram = 1 << 20

// The test program for amd64 exits with the processor's level, x86-64-v1 to v4, above this.
const exitTested, maxLevel = 64, 4

// runs returns why steps can't run programs for a platform, nil where they can. A BuildKit may have emulators that it
// does not tell of (buildkit-qemu-aarch64 in its PATH): so it is asked to run a program that does nothing.
func (p *part) runs(ctx context.Context, c gateway.Client, platform *pb.Platform) error {
	target := platforms.Normalize(ocispecs.Platform{OS: platform.OS, Architecture: platform.Architecture, Variant: platform.Variant})
	if p.support(target) != unnamed || len(p.platforms) == 0 {
		return nil
	}
	program, ok := testPrograms[target.Architecture]
	if !ok || target.OS != "linux" {
		return p.foreign(target, nil)
	}
	err := runProgram(ctx, c, program, target)
	var exit *gatewaypb.ExitError
	switch {
	case errors.As(err, &exit) && target.Architecture == "amd64" && exitTested < exit.ExitCode && exit.ExitCode <= exitTested+maxLevel:
		return nil
	case exit != nil:
		return p.foreign(target, err)
	}
	return err
}

// foreign says that a BuildKit runs no programs for a platform.
func (p *part) foreign(platform ocispecs.Platform, err error) error {
	if p.others != nil { // one of which may
		return &builder.SolveError{
			Outcome: catalog.OutcomeInfrastructure, Retry: builder.RetryLater, Err: errors.Join(p.others, err),
			Message: fmt.Sprintf("this step runs a program for %s; none of the BuildKits that respond can run it, and another one does not respond", platforms.Format(platform)),
		}
	}
	refusal := userError("this step runs a program for %s, and the builder can't: it runs programs for %s; "+
		"compile in a stage FROM --platform=$BUILDPLATFORM, without a RUN behind it, or ask the server's administrator for an emulator or a BuildKit on such a machine (fandoghd doctor says how)",
		platforms.Format(platform), strings.Join(p.names(), ", "))
	refusal.Err = err
	return refusal
}

// names are those of the platforms that BuildKit tells of.
func (c *connection) names() []string { return withoutVariants(c.platforms) }

// withoutVariants names platforms, without levels of x86-64.
func withoutVariants(all []ocispecs.Platform) (names []string) {
	for _, p := range all {
		if p.Architecture != "amd64" || p.Variant == "" {
			names = append(names, platforms.Format(p))
		}
	}
	return names
}

// Platforms returns those whose programs the BuildKit at an address names as what it can run, its machine's first.
func Platforms(ctx context.Context, address string, tls TLS) ([]string, error) {
	c, err := (&backends{tls: tls}).connect(ctx, address)
	if err != nil {
		return nil, err
	}
	return c.names(), c.Close()
}

// MachinePlatforms returns what a BuildKit on this machine would name.
func MachinePlatforms() []string { return withoutVariants(archutil.SupportedPlatforms(true)) }

// runProgram has BuildKit run a program for a platform.
func runProgram(ctx context.Context, c gateway.Client, packed string, platform ocispecs.Platform) error {
	unpacker, err := gzip.NewReader(strings.NewReader(packed))
	if err != nil {
		return err
	}
	program, err := bounded.ReadAll(unpacker, maxProgram)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("[internal] check that programs for %s run", platforms.Format(platform))
	step := llb.ProgressGroup(name, name, false)
	state := llb.Scratch().Platform(platform).File(llb.Mkfile("/check", 0o755, program), step).
		Run(llb.Args([]string{"/check"}), llb.Network(pb.NetMode_NONE), llb.IgnoreCache, step).Root()
	def, err := state.Marshal(ctx)
	if err != nil {
		return err
	}
	_, err = c.Solve(ctx, gateway.SolveRequest{Definition: def.ToPB(), Evaluate: true})
	return err
}

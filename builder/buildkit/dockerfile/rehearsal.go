package dockerfile

import (
	"context"
	"io/fs"
	"net"

	"github.com/hashicorp/go-hclog"
	frontend "github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	llb "github.com/moby/buildkit/solver/pb"
	"github.com/tonistiigi/fsutil/types"
	"go.opentelemetry.io/otel/trace"

	"github.com/fandoghpaas/fandogh/internal/confined"
)

const rehearsed = "FROM scratch\nARG A=1\nENV B=$A PATH=/bin:$PATH\nWORKDIR /app\nCOPY . .\nRUN --mount=type=cache,target=/c make\n" +
	"FROM scratch\nCOPY --from=0 /app /app\nUSER 1\nEXPOSE 80\nCMD [\"/app\"]\n"

// rehearse interprets a Dockerfile that no build waits for, over a socket as in earnest: what
// a process does for the first time takes it several times as long, and some reads
// files, like the processor's kind.
func rehearse() error {
	ours, file, err := confined.Socketpair()
	if err != nil {
		return err
	}
	defer ours.Close() //nolint:errcheck // both ends are here
	theirs, err := net.FileConn(file)
	_ = file.Close()
	if err != nil {
		return err
	}
	defer theirs.Close() //nolint:errcheck // both ends are here
	b := newBridge(rehearsalClient{}, nil, hclog.NewNullLogger())
	b.refuse, b.span = func(error) {}, trace.SpanFromContext(context.Background())
	defer b.answer(ours)()
	return interpret(theirs, &task{Options: map[string]string{}}, frontend.Build)
}

// rehearsalClient is a gateway.Client that has one Dockerfile and solves nothing.
type rehearsalClient struct{ gateway.Client }

func (rehearsalClient) BuildOpts() gateway.BuildOpts {
	return gateway.BuildOpts{Caps: pb.Caps.CapSet(pb.Caps.All()), LLBCaps: llb.Caps.CapSet(llb.Caps.All())}
}

func (rehearsalClient) Solve(context.Context, gateway.SolveRequest) (*gateway.Result, error) {
	result := gateway.NewResult()
	result.SetRef(rehearsalReference{})
	return result, nil
}

type rehearsalReference struct{ gateway.Reference }

func (rehearsalReference) ReadFile(_ context.Context, r gateway.ReadRequest) ([]byte, error) {
	if r.Filename == "Dockerfile" {
		return []byte(rehearsed), nil
	}
	return nil, fs.ErrNotExist
}

func (rehearsalReference) StatFile(context.Context, gateway.StatRequest) (*types.Stat, error) {
	return nil, fs.ErrNotExist
}

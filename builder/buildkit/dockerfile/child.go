package dockerfile

import (
	"context"
	"errors"
	"io"
	"net"

	frontend "github.com/moby/buildkit/frontend/dockerfile/builder"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/frontend/gateway/grpcclient"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"

	"github.com/fandoghpaas/fandogh/internal/confined"
)

// child is what interprets a Dockerfile.
var child = confined.Child{Name: "fandogh-dockerfile", Memory: maxMemory, Time: maxTime}

// Main does not return in a child. Call it before anything else in main.
func Main() { mainWith(frontend.Build) }

func mainWith(build gateway.BuildFunc) {
	if child.Is() {
		child.Main(func(conn net.Conn) error { return runChild(conn, build) })
	}
}

// runChild gets ready, gives up what it must not have, and interprets one Dockerfile.
func runChild(conn net.Conn, build gateway.BuildFunc) error {
	registerMistake()
	if err := errors.Join(rehearse(), child.Confine()); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{0}); err != nil {
		return err
	}
	t, err := receiveTask(conn)
	if errors.Is(err, io.EOF) {
		return nil // not needed any more
	}
	if err != nil {
		return err
	}
	if err := child.LimitTime(); err != nil {
		return err
	}
	return interpret(conn, t, build)
}

// interpret runs the frontend over the socket. It returns once the daemon has the
// result or the error.
func interpret(conn net.Conn, t *task, build gateway.BuildFunc) error {
	ctx := context.Background()
	dialed := false
	bridge, err := grpc.NewClient("passthrough:///daemon",
		grpc.WithContextDialer(func(context.Context, string) (net.Conn, error) {
			if dialed {
				return nil, io.EOF
			}
			dialed = true
			return conn, nil
		}),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithChainUnaryInterceptor(markAnswers, grpcerrors.UnaryClientInterceptor),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessage), grpc.MaxCallSendMsgSize(maxMessage)),
	)
	if err != nil {
		return err
	}
	c, err := grpcclient.New(ctx, t.Options, t.Session, t.Product, pb.NewLLBBridgeClient(bridge), t.Workers)
	if err != nil {
		return err
	}
	return c.Run(ctx, func(ctx context.Context, c gateway.Client) (*gateway.Result, error) {
		return runFrontend(ctx, &asking{c, t.Frontends}, build)
	})
}

// runFrontend runs the frontend in a goroutine of its own: a panic must end the process
// and not unwind Run, which would report success.
func runFrontend(ctx context.Context, c gateway.Client, build gateway.BuildFunc) (result *gateway.Result, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if result, err = build(ctx, c); errors.Is(err, errBuiltIn) {
			result, err = build(ctx, c) // it has noted in its options that it was asked for
		}
	}()
	<-done
	return result, blame(err)
}

// asking decides about "# syntax=" lines.
type asking struct {
	gateway.Client
	frontends []string
}

// Solve implements gateway.Client.
func (a *asking) Solve(ctx context.Context, r gateway.SolveRequest) (*gateway.Result, error) {
	if r.Frontend == gatewayFrontend {
		image := r.FrontendOpt["source"]
		if builtIn(image) {
			return nil, errBuiltIn
		}
		if err := checkFrontend(image, a.frontends); err != nil {
			return nil, err
		}
	}
	return a.Client.Solve(ctx, r)
}

// markAnswers tells the errors that came over the socket from those made here.
func markAnswers(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	if message, ok := request.(proto.Message); ok && proto.Size(message) > maxMessage {
		return errTooLarge
	}
	if err := invoke(ctx, method, request, reply, conn, options...); err != nil {
		return &answered{err}
	}
	return nil
}

package dockerfile

import (
	"context"
	"fmt"
	"net"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/go-hclog"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/util/grpcerrors"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/internal/confined"
)

// bridge is the daemon's side of one build: it answers what the child asks for, out
// of a gateway.Client. What a child sends is bounded here, for it is whatever the
// Dockerfile made of it.
type bridge struct {
	pb.UnimplementedLLBBridgeServer
	client    gateway.Client
	frontends []string
	log       hclog.Logger
	refuse    context.CancelCauseFunc // ends the build with an error, whatever the child makes of it
	span      trace.Span              // of the build
	returned  chan outcome

	mu       sync.Mutex
	refs     map[string]gateway.Reference
	warnings int
}

type outcome struct {
	result *gateway.Result
	err    error
}

func newBridge(c gateway.Client, frontends []string, log hclog.Logger) *bridge {
	return &bridge{
		client: c, frontends: frontends, log: log,
		returned: make(chan outcome, 1), refs: map[string]gateway.Reference{},
	}
}

// serve gives the child its task and answers it until it has a result, it ends or ctx does.
func (b *bridge) serve(ctx context.Context, p *confined.Process) (*gateway.Result, error) {
	ctx, refuse := context.WithCancelCause(ctx)
	defer refuse(nil)
	b.refuse, b.span = refuse, trace.SpanFromContext(ctx)
	stop := context.AfterFunc(ctx, p.Kill)
	defer stop()

	o := b.client.BuildOpts()
	sent := sendTask(p.Conn, task{Options: o.Opts, Session: o.SessionID, Product: o.Product, Workers: o.Workers, Frontends: b.frontends})
	if sent != nil {
		p.Kill() // it may be stuck; why it ended says more
	}
	defer b.answer(p.Conn)()

	select {
	case o := <-b.returned:
		return o.result, o.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-p.Exited:
	}
	select {
	case o := <-b.returned:
		return o.result, o.err
	default:
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, failure(p.End(), b.log)
}

// answer serves the calls that come over a connection.
func (b *bridge) answer(conn net.Conn) (stop func()) {
	server := grpc.NewServer(
		grpc.ChainUnaryInterceptor(grpcerrors.UnaryServerInterceptor, b.guard),
		grpc.MaxRecvMsgSize(maxMessage), grpc.MaxSendMsgSize(maxMessage), grpc.MaxConcurrentStreams(maxCalls),
	)
	pb.RegisterLLBBridgeServer(server, b)
	go server.Serve(&listener{conn: conn, closed: make(chan struct{})}) //nolint:errcheck // the child's end says why
	return server.Stop
}

// guard runs a call in the build's trace. What says by itself whose fault it is ends
// the build, for a frontend takes a file that it can't read for one that is not
// there. A panic, of what stands between here and BuildKit, must not end the daemon.
func (b *bridge) guard(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			b.log.Error("panic", "call", info.FullMethod, "panic", fault, "stack", string(debug.Stack()))
			err = infrastructure(fmt.Errorf("panic: %v", fault), "the builder failed on this Dockerfile")
		}
		if isDecided(err) {
			b.refuse(err)
		}
	}()
	return handle(trace.ContextWithSpan(ctx, b.span), request)
}

// keep gives a reference a name that the child can call it by; "" is none.
func (b *bridge) keep(ref gateway.Reference) *pb.Ref {
	if ref == nil {
		return &pb.Ref{}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	id := strconv.Itoa(len(b.refs) + 1)
	b.refs[id] = ref
	return &pb.Ref{Id: id}
}

// find returns what keep was given, nil for "".
func (b *bridge) find(id string) (gateway.Reference, error) {
	if id == "" {
		return nil, nil // an empty file system
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	ref, ok := b.refs[id]
	if !ok {
		return nil, status.Errorf(codes.NotFound, "no reference %s", id)
	}
	return ref, nil
}

// read is find for calls that need one.
func (b *bridge) read(id string) (gateway.Reference, error) {
	ref, err := b.find(id)
	if ref == nil && err == nil {
		err = status.Error(codes.NotFound, "no such file in an empty file system")
	}
	return ref, err
}

// listener is a net.Listener of one connection.
type listener struct {
	conn     net.Conn
	accepted bool
	closed   chan struct{}
	once     sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	if l.accepted {
		<-l.closed
		return nil, net.ErrClosed
	}
	l.accepted = true
	return l.conn, nil
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *listener) Addr() net.Addr { return l.conn.LocalAddr() }

// failure says why a child ended that this process did not kill.
func failure(end confined.End, log hclog.Logger) error {
	err := fmt.Errorf("the Dockerfile's process ended: %s: %s", end.State, end.Words)
	switch end.Cause {
	case confined.Time:
		return userError(tooMuchTime)
	case confined.Memory:
		return userError(tooMuchMemory)
	case confined.Crash:
		log.Error("BuildKit's Dockerfile frontend crashed", "error", err)
		first, _, _ := strings.Cut(end.Words, "\n")
		return userError(crashed, builder.CleanLine(first))
	}
	return infrastructure(err, "the process that interprets the Dockerfile ended: %s", end.State)
}

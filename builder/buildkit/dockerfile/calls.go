package dockerfile

import (
	"context"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	llb "github.com/moby/buildkit/solver/pb"
	"github.com/moby/buildkit/util/apicaps"
	"github.com/moby/buildkit/util/grpcerrors"
	"github.com/opencontainers/go-digest"
	"google.golang.org/grpc/status"
)

// The calls of a Dockerfile frontend. All others are not implemented: a Dockerfile
// has no containers, and neither inputs nor attestations are ever asked for here.

// Ping implements pb.LLBBridgeServer: it tells what BuildKit can do.
func (b *bridge) Ping(context.Context, *pb.PingRequest) (*pb.PongResponse, error) {
	o := b.client.BuildOpts()
	return &pb.PongResponse{
		FrontendAPICaps: supported(pb.Caps.All(), func(id apicaps.CapID) bool {
			// An older BuildKit is asked another way, by our client of it.
			return id == pb.CapSourceMetaResolver || id != pb.CapFrontendInputs && o.Caps.Supports(id) == nil
		}),
		LLBCaps: supported(llb.Caps.All(), func(id apicaps.CapID) bool { return o.LLBCaps.Supports(id) == nil }),
	}, nil
}

func supported(all []*apicaps.PBCap, is func(apicaps.CapID) bool) []*apicaps.PBCap {
	var found []*apicaps.PBCap
	for _, c := range all {
		if is(apicaps.CapID(c.ID)) {
			found = append(found, c)
		}
	}
	return found
}

// Solve implements pb.LLBBridgeServer.
func (b *bridge) Solve(ctx context.Context, r *pb.SolveRequest) (*pb.SolveResponse, error) {
	if err := checkSources(r.Definition); err != nil {
		return nil, err
	}
	if r.Frontend != "" {
		if err := checkFrontend(r.FrontendOpt["source"], b.frontends); err != nil || r.Frontend != gatewayFrontend {
			return nil, userError("frontend %s is not allowed", r.Frontend)
		}
	}
	result, err := b.client.Solve(ctx, gateway.SolveRequest{
		Evaluate: r.Evaluate, Definition: r.Definition,
		Frontend: r.Frontend, FrontendOpt: r.FrontendOpt, FrontendInputs: r.FrontendInputs,
	})
	if err != nil {
		return nil, err
	}
	answer := &pb.Result{Metadata: result.Metadata}
	if result.Refs == nil {
		answer.Result = &pb.Result_Ref{Ref: b.keep(result.Ref)}
		return &pb.SolveResponse{Result: answer}, nil
	}
	refs := map[string]*pb.Ref{}
	for name, ref := range result.Refs {
		refs[name] = b.keep(ref)
	}
	answer.Result = &pb.Result_Refs{Refs: &pb.RefMap{Refs: refs}}
	return &pb.SolveResponse{Result: answer}, nil
}

// Return implements pb.LLBBridgeServer: it is what the child has to say in the end.
func (b *bridge) Return(_ context.Context, r *pb.ReturnRequest) (*pb.ReturnResponse, error) {
	end := outcome{}
	if r.Error != nil {
		end.err = grpcerrors.FromGRPC(status.ErrorProto(r.Error))
	} else {
		end.result, end.err = b.result(r.Result)
	}
	select {
	case b.returned <- end:
	default: // once
	}
	return &pb.ReturnResponse{}, nil
}

// result finds what Solve gave the child names for.
func (b *bridge) result(r *pb.Result) (*gateway.Result, error) {
	result := gateway.NewResult()
	for key, value := range r.GetMetadata() {
		result.AddMeta(key, value)
	}
	ref, err := b.find(r.GetRef().GetId())
	if err != nil {
		return nil, err
	}
	if ref != nil {
		result.SetRef(ref)
	}
	for name, named := range r.GetRefs().GetRefs() {
		ref, err := b.find(named.GetId())
		if err != nil {
			return nil, err
		}
		result.AddRef(name, ref)
	}
	return result, nil
}

// ReadFile implements pb.LLBBridgeServer. It is for Dockerfiles and ignore files.
func (b *bridge) ReadFile(ctx context.Context, r *pb.ReadFileRequest) (*pb.ReadFileResponse, error) {
	ref, err := b.read(r.Ref)
	if err != nil {
		return nil, err
	}
	part := &gateway.FileRange{Offset: int(r.GetRange().GetOffset()), Length: maxFile + 1}
	if length := int(r.GetRange().GetLength()); length > 0 {
		part.Length = min(length, part.Length)
	}
	text, err := ref.ReadFile(ctx, gateway.ReadRequest{Filename: r.FilePath, Range: part})
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, userError("%s is larger than %d MiB, the limit for a Dockerfile or an ignore file; shorten it", r.FilePath, maxFile>>20)
	}
	return &pb.ReadFileResponse{Data: text}, nil
}

// ReadDir implements pb.LLBBridgeServer.
func (b *bridge) ReadDir(ctx context.Context, r *pb.ReadDirRequest) (*pb.ReadDirResponse, error) {
	ref, err := b.read(r.Ref)
	if err != nil {
		return nil, err
	}
	entries, err := ref.ReadDir(ctx, gateway.ReadDirRequest{Path: r.DirPath, IncludePattern: r.IncludePattern})
	return &pb.ReadDirResponse{Entries: entries}, err
}

// StatFile implements pb.LLBBridgeServer.
func (b *bridge) StatFile(ctx context.Context, r *pb.StatFileRequest) (*pb.StatFileResponse, error) {
	ref, err := b.read(r.Ref)
	if err != nil {
		return nil, err
	}
	stat, err := ref.StatFile(ctx, gateway.StatRequest{Path: r.Path})
	return &pb.StatFileResponse{Stat: stat}, err
}

// Evaluate implements pb.LLBBridgeServer.
func (b *bridge) Evaluate(ctx context.Context, r *pb.EvaluateRequest) (*pb.EvaluateResponse, error) {
	ref, err := b.find(r.Ref)
	if ref != nil {
		err = ref.Evaluate(ctx)
	}
	return &pb.EvaluateResponse{}, err
}

// Warn implements pb.LLBBridgeServer. Beyond a number warnings are dropped.
func (b *bridge) Warn(ctx context.Context, r *pb.WarnRequest) (*pb.WarnResponse, error) {
	b.mu.Lock()
	b.warnings++
	dropped := b.warnings > maxWarnings
	b.mu.Unlock()
	if dropped {
		return &pb.WarnResponse{}, nil
	}
	return &pb.WarnResponse{}, b.client.Warn(ctx, digest.Digest(r.Digest), string(r.Short), gateway.WarnOpts{
		Level: int(r.Level), SourceInfo: r.Info, Range: r.Ranges, Detail: r.Detail, URL: r.Url,
	})
}

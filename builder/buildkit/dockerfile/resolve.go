package dockerfile

import (
	"context"

	"github.com/moby/buildkit/client/llb/sourceresolver"
	pb "github.com/moby/buildkit/frontend/gateway/pb"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// ResolveSourceMeta implements pb.LLBBridgeServer: it tells what an image, a git
// commit or a URL is.
func (b *bridge) ResolveSourceMeta(ctx context.Context, r *pb.ResolveSourceMetaRequest) (*pb.ResolveSourceMetaResponse, error) {
	found, err := b.client.ResolveSourceMetadata(ctx, r.Source, resolveOptions(r))
	if err != nil {
		return nil, err
	}
	answer := &pb.ResolveSourceMetaResponse{Source: found.Op}
	if image := found.Image; image != nil {
		answer.Image = &pb.ResolveSourceImageResponse{Digest: string(image.Digest), Config: image.Config}
	}
	if git := found.Git; git != nil {
		answer.Git = &pb.ResolveSourceGitResponse{
			Checksum: git.Checksum, Ref: git.Ref,
			CommitChecksum: git.CommitChecksum, CommitObject: git.CommitObject, TagObject: git.TagObject,
		}
	}
	if http := found.HTTP; http != nil {
		answer.HTTP = &pb.ResolveSourceHTTPResponse{Checksum: string(http.Digest), Filename: http.Filename}
		if http.LastModified != nil {
			answer.HTTP.LastModified = timestamppb.New(*http.LastModified)
		}
	}
	return answer, nil
}

func resolveOptions(r *pb.ResolveSourceMetaRequest) sourceresolver.Opt {
	var platform *ocispec.Platform
	if p := r.Platform; p != nil {
		platform = &ocispec.Platform{OS: p.OS, Architecture: p.Architecture, Variant: p.Variant, OSVersion: p.OSVersion, OSFeatures: p.OSFeatures}
	}
	o := sourceresolver.Opt{
		LogName:  r.LogName,
		ImageOpt: &sourceresolver.ResolveImageOpt{ResolveMode: r.ResolveMode, Platform: platform, NoConfig: r.GetImage().GetNoConfig()},
	}
	if r.Git != nil {
		o.GitOpt = &sourceresolver.ResolveGitOpt{ReturnObject: r.Git.ReturnObject}
	}
	return o
}

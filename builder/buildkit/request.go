package buildkit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/tonistiigi/fsutil"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// tenantKey tells BuildKit which builds may share context files and cache
// mounts: those of one image in one namespace. It is hashed so that no choice of
// names can make two images' keys equal.
func tenantKey(ref catalog.ImageRef) string {
	sum := sha256.Sum256([]byte(ref.Repository()))
	return hex.EncodeToString(sum[:])
}

// solveOptions translates a request. ctx is the solve's, and fail ends it: the tree
// is not read afterwards. The image goes to out.
func (s *Solver) solveOptions(ctx context.Context, fail context.CancelCauseFunc, r builder.SolveRequest, src source, out *shelf) client.SolveOpt {
	key := tenantKey(r.Build.Image)
	epoch := strconv.FormatInt(r.Tree.CommitTime().Unix(), 10)
	return client.SolveOpt{
		FrontendAttrs: frontendAttrs(r.Options, src, key, epoch),
		LocalMounts: map[string]fsutil.FS{
			"context":    &contextFS{ctx: ctx, fail: fail, tree: r.Tree, root: src.contextDir},
			"dockerfile": &contextFS{ctx: ctx, fail: fail, tree: r.Tree, root: "."},
		},
		SharedKey:    key,
		SourcePolicy: sourcePolicy(r.Build.Image, s.registryHosts()),
		Session:      []session.Attachable{&registryAuth{hosts: s.registryHosts(), credential: r.Credential}},
		Exports: []client.ExportEntry{{
			Type:        client.ExporterOCI,
			OutputStore: out,
			Attrs: map[string]string{
				"tar":               "false",
				"oci-mediatypes":    "true",
				"compression":       "uncompressed", // the shelf compresses, once
				"source-date-epoch": strconv.FormatInt(catalog.TreeTime.Unix(), 10),
			},
		}},
	}
}

func frontendAttrs(o catalog.BuildOptions, src source, key, epoch string) map[string]string {
	// No attestation is asked for: provenance holds times and machine facts,
	// which would give every build of one commit another digest.
	attrs := map[string]string{"filename": src.dockerfile}
	for name, value := range o.Args {
		if !strings.HasPrefix(strings.ToUpper(name), "BUILDKIT_") {
			attrs["build-arg:"+name] = value
		}
	}
	maps.Copy(attrs, map[string]string{
		"build-arg:BUILDKIT_CACHE_MOUNT_NS": key,
		"build-arg:SOURCE_DATE_EPOCH":       epoch,
	})
	if o.Target != "" {
		attrs["target"] = o.Target
	}
	if o.Platform != "" {
		attrs["platform"] = o.Platform
	}
	if o.NoCache {
		attrs["no-cache"] = ""
	}
	if o.Pull {
		attrs["image-resolve-mode"] = "pull"
	}
	return attrs
}

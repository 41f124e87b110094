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
	"github.com/moby/buildkit/session/filesync"

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

// mounts are what BuildKit may read of a tree. ctx is the solve's, and fail ends it: the
// tree is not read afterwards.
func mounts(ctx context.Context, fail context.CancelCauseFunc, tree catalog.Tree, src source) filesync.StaticDirSource {
	return filesync.StaticDirSource{
		"context":    &contextFS{ctx: ctx, fail: fail, tree: tree, root: src.contextDir},
		"dockerfile": &contextFS{ctx: ctx, fail: fail, tree: tree.Whole(), root: "."},
	}
}

// solveOptions translates a request. BuildKit reads files, and the image goes to out.
// The files are no LocalMounts, of which BuildKit's client looks at each before it
// is known which are read.
func (s *Solver) solveOptions(r builder.SolveRequest, src source, files filesync.StaticDirSource, out *shelf) client.SolveOpt {
	key := tenantKey(r.Build.Image)
	epoch := strconv.FormatInt(r.Tree.CommitTime().Unix(), 10)
	attrs := frontendAttrs(r.Options, src, key, epoch)
	if s.cfg.StepMemory > 0 {
		attrs["memory"] = strconv.FormatInt(s.cfg.StepMemory, 10)
	}
	return client.SolveOpt{
		FrontendAttrs: attrs,
		SharedKey:     key,
		SourcePolicy:  sourcePolicy(r.Build.Image, s.registryHosts()),
		Session: []session.Attachable{
			filesync.NewFSSyncProvider(files),
			&registryAuth{hosts: s.registryHosts(), credential: r.Credential},
		},
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

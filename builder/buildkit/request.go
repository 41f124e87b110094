package buildkit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkit/export"
	"github.com/fandoghpaas/fandogh/catalog"
)

// tenantKey tells BuildKit which builds may share context files and cache
// mounts: those of one image in one namespace, and not of a later one of that name. It is hashed so that no choice of
// names can make two images' keys equal.
func tenantKey(image catalog.ImageRef, imageID int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", image.Repository(), imageID))
	return hex.EncodeToString(sum[:])
}

// keyOf is the tenantKey of a request, and one of its own where it is apart.
func keyOf(r builder.SolveRequest) string {
	if r.Apart {
		return tenantKey(r.Build.Image, r.Build.ImageID) + "-" + strconv.FormatInt(r.Build.StartedAt.UnixNano(), 36)
	}
	return tenantKey(r.Build.Image, r.Build.ImageID)
}

// solveOptions translates a part of a request. BuildKit reads files, and the image goes to out.
// others are further parts of the session. The files are no LocalMounts, of which BuildKit's client looks at each before it
// is known which are read.
func (b *build) solveOptions(p *part, files filesync.StaticDirSource, out *export.Store, others []session.Attachable) client.SolveOpt {
	image := b.request.Build.Image
	key := keyOf(b.request)
	attrs := frontendAttrs(b.request.Options, b.source, key)
	if len(p.platforms) > 0 {
		attrs["platform"] = strings.Join(formatAll(p.platforms), ",")
	}
	if len(b.wanted) > 1 { // makes an index of a single platform, too
		attrs["multi-platform"] = "true"
	}
	return client.SolveOpt{
		FrontendAttrs: attrs,
		SharedKey:     b.contexts.of(key),
		SourcePolicy:  sourcePolicy(image, b.registryHosts(), b.request.Pinned...),
		Session:       append(others, filesync.NewFSSyncProvider(files)),
		Exports: []client.ExportEntry{{
			Type:        client.ExporterOCI,
			OutputStore: out,
			Attrs: map[string]string{
				"tar":            "false",
				"oci-mediatypes": "true",
				"compression":    "uncompressed", // the store compresses, once
			},
		}},
	}
}

func frontendAttrs(o catalog.BuildOptions, src source, key string) map[string]string {
	// Nothing here may differ from commit to commit, but for build args, of which the frontend looks at those
	// that the Dockerfile declares: it would become part of what the cache knows steps by. No attestation is asked for: provenance holds times and machine facts,
	// which would give every build of one commit another digest.
	attrs := map[string]string{"filename": src.dockerfile}
	for name, value := range src.args {
		if !strings.HasPrefix(strings.ToUpper(name), "BUILDKIT_") {
			attrs["build-arg:"+name] = value
		}
	}
	attrs["build-arg:BUILDKIT_CACHE_MOUNT_NS"] = key
	if o.Target != "" {
		attrs["target"] = o.Target
	}
	if o.NoCache {
		attrs["no-cache"] = ""
	}
	if o.Pull {
		attrs["image-resolve-mode"] = "pull"
	}
	return attrs
}

// sourceDateEpoch is the build arg by which users date images.
const sourceDateEpoch = "SOURCE_DATE_EPOCH"

// createdAt is the time that a request's image is given: its commit's, unless the user says.
func createdAt(r builder.SolveRequest) time.Time {
	if seconds, err := strconv.ParseInt(r.Options.Args[sourceDateEpoch], 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	return r.Tree.CommitTime()
}

// datedAt is the time of all files in a request's new layers; zero where their contents decide.
func datedAt(r builder.SolveRequest) time.Time {
	if r.Options.Timestamps == catalog.TimestampsCommit {
		return createdAt(r)
	}
	return time.Time{}
}

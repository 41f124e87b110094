package buildkit

import (
	"context"
	"maps"
	"regexp"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
)

// describeArg takes time to find out, so that only Dockerfiles which name it are given it.
const describeArg = "FANDOGH_DESCRIBE"

// commonArgs are what other platforms call the commit. A Dockerfile that gives one a default with a digit
// means the revision of something else, which it may fetch.
var commonArgs = []string{"SOURCE_COMMIT", "GIT_COMMIT", "GIT_REV", "SOURCE_VERSION"}

// factArgs are build args that say what is built. The frontend looks at those alone that the Dockerfile
// declares, so that no other build knows of them, nor its cache.
func factArgs(ctx context.Context, r builder.SolveRequest, dockerfile string) (map[string]string, error) {
	ref := "refs/tags/" + r.As.Tag
	if r.As.Branch != "" {
		ref = "refs/heads/" + r.As.Branch
	}
	args := map[string]string{
		"FANDOGH_COMMIT":       r.Build.Commit,
		"FANDOGH_COMMIT_SHORT": catalog.ShortCommit(r.Build.Commit),
		"FANDOGH_COMMIT_TIME":  r.Tree.CommitTime().Format(time.RFC3339),
		"FANDOGH_REF":          ref,
		"FANDOGH_VERSION":      r.Build.Version,
		"FANDOGH_IMAGE":        r.Build.Image.Repository(),
	}
	for _, name := range commonArgs {
		if !hasRealDefault(dockerfile, name) {
			args[name] = r.Build.Commit
		}
	}
	if strings.Contains(dockerfile, describeArg) {
		name, err := r.Tree.Describe(ctx, r.As)
		if err != nil {
			return nil, err
		}
		args[describeArg] = name
	}
	maps.Copy(args, r.Options.Args)
	return args, nil
}

// argLines are a Dockerfile's ARG instructions, with the lines that continue them.
var argLines = regexp.MustCompile("(?im)^[ \\t]*ARG[ \\t](?:.*[\\\\`][ \\t]*\\r?\\n)*.*$")

// hasRealDefault reports whether a Dockerfile gives an ARG a default that names something: one with a digit other than 0.
func hasRealDefault(dockerfile, name string) bool {
	for _, line := range argLines.FindAllString(dockerfile, -1) {
		for _, field := range strings.Fields(line) {
			value, ok := strings.CutPrefix(field, name+"=")
			if ok && strings.ContainsAny(value, "123456789") {
				return true
			}
		}
	}
	return false
}

// The names that labels and annotations of images have in the image specification.
const labelPrefix = "org.opencontainers.image."

// labels are what an image says of its commit, where its Dockerfile does not say otherwise.
func labels(r builder.SolveRequest) map[string]string {
	all := map[string]string{
		catalog.LabelRevision: r.Build.Commit,
		catalog.LabelSource:   r.Options.Source,
		catalog.LabelCreated:  createdAt(r).Format(time.RFC3339),
	}
	named := map[string]string{}
	for name, value := range all {
		if value != "" && r.Options.HasLabel(name) {
			named[labelPrefix+name] = value
		}
	}
	return named
}

// annotations are what an image's manifest says.
func annotations(r builder.SolveRequest) map[string]string {
	if !r.Options.HasLabel(catalog.LabelVersion) {
		return nil
	}
	return map[string]string{labelPrefix + catalog.LabelVersion: r.Build.Version}
}

package buildkit

import (
	"testing"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/catalog"
)

const factCommit = "0123456789abcdef0123456789abcdef01234567"

func TestFactArgs(t *testing.T) {
	r := builder.SolveRequest{
		Build: catalog.Build{Image: catalog.ImageRef{Namespace: "ali", Name: "Shop"}, Version: "v1", Commit: factCommit},
		Tree:  buildkittest.NewTree(nil), As: catalog.CheckedOut{Tag: "v1"},
	}
	for _, c := range []struct {
		name, dockerfile, arg, want string
		change                      func(*builder.SolveRequest)
	}{
		{"commit", "", "FANDOGH_COMMIT", factCommit, nil},
		{"short", "", "FANDOGH_COMMIT_SHORT", "0123456", nil},
		{"time", "", "FANDOGH_COMMIT_TIME", "2024-05-06T07:08:09Z", nil},
		{"ref of a tag", "", "FANDOGH_REF", "refs/tags/v1", nil},
		{"ref of a branch", "", "FANDOGH_REF", "refs/heads/a/b", func(r *builder.SolveRequest) { r.As.Branch = "a/b" }},
		{"image", "", "FANDOGH_IMAGE", "ali/shop", nil},
		{"describe, not declared", "FROM scratch", "FANDOGH_DESCRIBE", "", nil},
		{"describe", "FROM scratch\nARG FANDOGH_DESCRIBE", "FANDOGH_DESCRIBE", "v1-2-g0123abc", nil},
		{"the user's", "", "FANDOGH_VERSION", "9", func(r *builder.SolveRequest) { r.Options.Args = map[string]string{"FANDOGH_VERSION": "9"} }},
		{"common", "ARG GIT_REV", "GIT_REV", factCommit, nil},
		{"in place of a default that says nothing", "ARG GIT_REV=unknown", "GIT_REV", factCommit, nil},
		{"a default of zeros", "ARG GIT_REV=0000000", "GIT_REV", factCommit, nil},
		{"the revision of something else", "ARG GIT_REV=v1.2", "GIT_REV", "", nil},
		{"in quotes", `ARG  A=1 GIT_REV="v1.2"`, "GIT_REV", "", nil},
		{"continued", "ARG A \\\r\n  B=2 \\\n  GIT_REV=v1.2 \\\n  C", "GIT_REV", "", nil},
		{"another's default", "ARG MY_GIT_REV=v1.2\nARG GIT_REV", "GIT_REV", factCommit, nil},
		{"no instruction", "RUN make ARG GIT_REV=v1.2", "GIT_REV", factCommit, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := r
			if c.change != nil {
				c.change(&r)
			}
			args, err := factArgs(t.Context(), r, c.dockerfile)
			if args[c.arg] != c.want || err != nil {
				t.Errorf("%s is %q, %v; want %q", c.arg, args[c.arg], err, c.want)
			}
		})
	}
}

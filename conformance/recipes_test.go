package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// isSame is what the log says of a version that needed no build.
const isSame = "the same as in version v1"

// What is given the layers of an earlier version of the same recipe is what a build makes, for each case.
func TestSameRecipe(t *testing.T) {
	w := theEnv(t)
	for _, g := range tables() {
		t.Run(g.name, func(t *testing.T) {
			for i, c := range g.all() {
				if c.refused || !everything && !c.sample {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					for _, diff := range w.twice(t.Context(), fmt.Sprintf("same-%s-%d", g.name, i), c) {
						t.Error(diff)
					}
				})
			}
		})
	}
}

// twice builds a commit, and gives another one of the same files its layers. That one is built, too, for another image.
func (e *env) twice(ctx context.Context, name string, c example) []string {
	r, err := e.newRepository(ctx, name)
	if err != nil {
		return []string{err.Error()}
	}
	defer r.remove()
	if err := r.commit(ctx, "v1", e.tree(c)); err != nil {
		return []string{err.Error()}
	}
	later := append(slices.Clone(e.gitEnv), "GIT_COMMITTER_DATE=2030-01-02T03:04:05Z")
	if _, err := programs.Command(ctx, r.dir, later, "git", "commit", "-q", "--allow-empty", "-m", "again"); err != nil {
		return []string{err.Error()}
	}
	if err := r.git(ctx, "tag", "v2"); err != nil {
		return []string{err.Error()}
	}
	first, err := r.push(ctx, "v1", c.options)
	if err != nil || first.image == nil {
		return []string{fmt.Sprintf("v1 is not built: %v\n%s", err, lastLines(first.said, 8))}
	}
	var digests []string
	for _, name := range []string{name, name + "-other"} {
		r := &repository{env: e, name: name, dir: r.dir}
		pushed, err := r.push(ctx, "v2", c.options)
		if err != nil || pushed.image == nil {
			return []string{fmt.Sprintf("v2 is not built: %v\n%s", err, lastLines(pushed.said, 8))}
		}
		if isFirst, mayBe := len(digests) == 0, !c.options.noCache; strings.Contains(pushed.said, isSame) != (isFirst && mayBe) {
			return []string{fmt.Sprintf("of %s, the log says:\n%s", name, lastLines(pushed.said, 20))}
		}
		detail, err := e.version(ctx, name, "v2")
		if err != nil {
			return []string{err.Error()}
		}
		digests = append(digests, detail.Digest)
	}
	if digests[0] != digests[1] {
		return []string{fmt.Sprintf("the same is %s, and %s when it is built", digests[0], digests[1])}
	}
	return nil
}

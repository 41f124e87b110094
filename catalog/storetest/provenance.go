package storetest

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
)

func testAttestations(t *testing.T, s catalog.Store) {
	ctx := t.Context()
	i := newImage(t, s, "ann", "app")
	facts := &catalog.BuildFacts{
		Options: catalog.BuildOptions{Args: map[string]string{"A": "1"}, Target: "t"}, Dockerfile: "d/Dockerfile", DockerfileDigest: "sha256:d", Secrets: []string{"token"},
		Bases: []catalog.BaseImage{{Ref: "docker.io/library/alpine:3.20", Platform: "linux/amd64", Digest: "sha256:b"}},
	}
	var want []catalog.Unattested
	for version, c := range map[string]struct {
		outcome catalog.Outcome
		facts   *catalog.BuildFacts
	}{
		"v1": {catalog.OutcomeBuilt, facts}, "v2": {catalog.OutcomeBuilt, facts}, "nothing known": {catalog.OutcomeBuilt, nil}, "failed": {catalog.OutcomeUserError, facts},
	} {
		if version == "nothing known" {
			version = "v3"
		}
		queue(t, s, i, version)
		b := claim(t, s)
		result := resultOf(c.outcome)
		result.Facts = c.facts
		noError(t, s.FinishBuild(ctx, b.ID, worker, result))
		if c.outcome == catalog.OutcomeBuilt && c.facts != nil {
			want = append(want, catalog.Unattested{Build: must(s.Build(ctx, b.ID))(t), Digest: result.Digest, Facts: *facts})
		}
	}
	wantEqual(t, "all", must(s.ListUnattested(ctx, 0, 0))(t), want)
	wantEqual(t, "the first", must(s.ListUnattested(ctx, 0, 1))(t), want[:1])
	wantEqual(t, "those after it", must(s.ListUnattested(ctx, want[0].ID, 10))(t), want[1:])
	noError(t, s.EndAttestation(ctx, want[0].ID))
	noError(t, s.EndAttestation(ctx, want[0].ID))
	wantEqual(t, "what is left", must(s.ListUnattested(ctx, 0, 0))(t), want[1:])
	noError(t, s.DeleteVersion(ctx, want[1].VersionID, ""))
	wantEqual(t, "after a deletion", len(must(s.ListUnattested(ctx, 0, 0))(t)), 0)
	noError(t, s.EndAttestation(ctx, want[1].ID))
}

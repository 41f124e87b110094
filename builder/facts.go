package builder

import (
	"maps"

	"github.com/fandoghpaas/fandogh/catalog"
)

// buildFacts are gathered while a build goes on.
type buildFacts struct {
	catalog.BuildFacts
	mask *Mask // takes out the values of secrets
}

// add takes in what is known when a build has succeeded.
func (f *buildFacts) add(r SolveResult) {
	f.SameAs, f.Dockerfile, f.DockerfileDigest, f.Bases = r.SameAs, r.Dockerfile, r.DockerfileDigest, nil
	for _, base := range r.Bases {
		base.Ref = f.mask.Text(base.Ref) // which an option may be a part of
		f.Bases = append(f.Bases, catalog.BaseImage(base))
	}
}

// factsOf is what is known of a build when it begins. A secret that somebody wrote into an option as well stands in
// none of it.
func factsOf(options catalog.BuildOptions, secrets []catalog.OpenSecret) buildFacts {
	facts := buildFacts{BuildFacts: catalog.BuildFacts{Options: options}}
	var values [][]byte
	for _, secret := range secrets {
		facts.Secrets = append(facts.Secrets, secret.Name)
		values = append(values, secret.Value)
	}
	facts.mask = NewMask(values)
	facts.Options.Source = facts.mask.Text(options.Source)
	facts.Options.Args = maps.Clone(options.Args)
	for name, value := range facts.Options.Args {
		facts.Options.Args[name] = facts.mask.Text(value)
	}
	return facts
}

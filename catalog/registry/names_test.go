package registry_test

import (
	"testing"

	"github.com/distribution/reference"

	"github.com/fandoghpaas/fandogh/catalog"
)

// FuzzNames compares our rules for names with those of registries: whatever we
// take, they must take.
func FuzzNames(f *testing.F) {
	f.Add("ali", "shop", "v1.0")
	f.Add("team-1", "Hello_Application", "_")
	f.Add("a", "a__b", "1")
	f.Add("a", "a___b", "-")
	f.Fuzz(func(t *testing.T, namespace, name, version string) {
		ref := catalog.ImageRef{Namespace: namespace, Name: name}
		if ref.Validate() == nil {
			named, err := reference.ParseNamed("registry.test/" + ref.Repository())
			if err != nil {
				t.Fatalf("%s: %v", ref, err)
			}
			if reference.Path(named) != ref.Repository() {
				t.Errorf("%s is read as %s", ref, reference.Path(named))
			}
		}
		if catalog.ValidateVersion(version) == nil {
			named, _ := reference.ParseNamed("registry.test/a/b")
			if _, err := reference.WithTag(named, version); err != nil {
				t.Fatalf("%q: %v", version, err)
			}
		}
	})
}

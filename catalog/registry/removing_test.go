package registry_test

import (
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/registry"
)

// While nothing may be removed, as a backup runs, a collection tells so and leaves everything.
func TestCollectWhenNothingMayBeRemoved(t *testing.T) {
	e := newEnv(t)
	may := false
	ended := 0
	e.config.Removing = func() (func(), error) {
		if !may {
			return nil, catalog.Errorf(catalog.Unavailable, "a backup is running")
		}
		return func() { ended++ }, nil
	}
	e.restart()
	e.manifest("alice/app", "1.0", "a layer", nil)
	e.deleteVersion("1.0")
	e.age()
	if _, err := e.registry.Collect(t.Context(), registry.CollectOptions{Grace: grace}); catalog.CodeOf(err) != catalog.Unavailable {
		t.Errorf("told: %v", err)
	}
	would := e.collect(registry.CollectOptions{DryRun: true})
	if would.Freed.Blobs == 0 || would.Kept.Blobs > 0 {
		t.Errorf("a dry run would free %+v", would)
	}
	may = true
	if did := e.collect(registry.CollectOptions{}); did.Freed != would.Freed || ended != 1 {
		t.Errorf("freed %+v, want %+v; told of the end %d times", did.Freed, would.Freed, ended)
	}
}

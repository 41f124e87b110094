package main

import (
	"math"
	"testing"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
)

// TestLimitsOfConfigurationAndCatalog holds what an operator may set for all namespaces to what an administrator may set for one: the
// configuration knows nothing of the catalog, and has the least and the most by itself.
func TestLimitsOfConfigurationAndCatalog(t *testing.T) {
	if err := config.Default().Validate(); err != nil {
		t.Fatal(err)
	}
	agree := func(what string, value any, set func(*config.Config, *catalog.BuildLimits)) {
		t.Helper()
		c, l := config.Default(), catalog.BuildLimits{}
		set(&c, &l)
		if ours, theirs := c.Validate(), l.Validate(); (ours == nil) != (theirs == nil) {
			t.Errorf("%s %v: the configuration says %v, the catalog %v", what, value, ours, theirs)
		}
	}
	for _, n := range []float64{-1, 0, catalog.LeastCPUs / 2, catalog.LeastCPUs, 1.5, 1 << 16, 1<<16 + 1, math.NaN(), math.Inf(1)} {
		agree("processors", n, func(c *config.Config, l *catalog.BuildLimits) { c.Builder.Limits.Build.CPUs, l.CPUs = n, n })
	}
	for _, n := range []int64{-1, 0, catalog.LeastMemory - 1, catalog.LeastMemory} {
		agree("memory", n, func(c *config.Config, l *catalog.BuildLimits) {
			c.Builder.Limits.Build.Memory, l.Memory = config.Size(n), n
		})
	}
	for _, n := range []int{-1, 0, catalog.LeastPIDs - 1, catalog.LeastPIDs, 4096} {
		agree("processes", n, func(c *config.Config, l *catalog.BuildLimits) { c.Builder.Limits.Build.PIDs, l.PIDs = n, int64(n) })
	}
}

package rest

import (
	"maps"
	"slices"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) namespaceUsage() (api.NamespaceUsage, error) {
	use, err := c.server.config.Usage.Usage(c.r.Context(), c.namespace)
	if err != nil {
		return api.NamespaceUsage{}, err
	}
	return api.NamespaceUsage{
		Namespace: use.Namespace, Bytes: use.Bytes(), Layers: use.Layers, Git: use.Git, Logs: use.Logs, Versions: use.Versions, Builds: use.Builds,
		Quota: api.Quota{Bytes: max(use.Quota.Bytes, 0), Images: max(use.Quota.Images, 0), Versions: max(use.Quota.Versions, 0), Builds: max(use.Quota.Builds, 0)},
		Images: convertAll(use.Images, func(i catalog.ImageUsage) api.ImageUsage {
			return api.ImageUsage{Image: i.Image.String(), Versions: i.Versions, Own: i.Own, Shared: i.Shared, Git: i.Git, Logs: i.Logs}
		}),
	}, nil
}

// serverUsage tells of all namespaces, and of the parts of the data directory.
func (c *call) serverUsage() (out api.ServerUsage, err error) {
	all, err := catalog.UsageOfAll(c.r.Context(), c.server.config.Store, c.server.config.Usage)
	if err != nil {
		return out, err
	}
	out.Namespaces = convertAll(all, func(use catalog.NamespaceUsage) api.NamespaceTotal {
		return api.NamespaceTotal{Namespace: use.Namespace, Images: len(use.Images), Versions: use.Versions, Bytes: use.Bytes(), Layers: use.Layers, Git: use.Git, Logs: use.Logs}
	})
	sizes := c.server.config.Parts()
	out.Parts = convertAll(slices.Sorted(maps.Keys(sizes)), func(part string) api.PartUsage { return api.PartUsage{Part: part, Bytes: sizes[part]} })
	return out, nil
}

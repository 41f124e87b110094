package rest

import (
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

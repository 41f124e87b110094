package rest

import (
	"math"
	"strings"
	"time"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/api"
)

func (c *call) namespaceLimits() (api.NamespaceLimits, error) {
	l, err := c.server.config.Store.NamespaceLimits(c.r.Context(), c.namespace)
	return limitsOf(l), err
}

func (c *call) updateNamespaceLimits(in api.UpdateNamespaceLimits) (api.NamespaceLimits, error) {
	if in == (api.UpdateNamespaceLimits{}) {
		return api.NamespaceLimits{}, catalog.FieldErrorf("body", "nothing to change; send cpus, memory, pids, disk, log, timeout, running, waiting, quota_bytes, quota_images, quota_versions or quota_builds")
	}
	name := strings.ToLower(c.r.PathValue("shared"))
	l, err := c.server.config.Store.NamespaceLimits(c.r.Context(), name)
	if err != nil {
		return api.NamespaceLimits{}, err
	}
	set(&l.Build.CPUs, in.CPUs)
	set(&l.Build.Memory, in.Memory)
	set(&l.Build.PIDs, in.PIDs)
	set(&l.Build.Disk, in.Disk)
	set(&l.Build.Log, in.Log)
	set(&l.Running, in.Running)
	set(&l.Waiting, in.Waiting)
	set(&l.Quota.Bytes, in.QuotaBytes)
	set(&l.Quota.Images, in.QuotaImages)
	set(&l.Quota.Versions, in.QuotaVersions)
	set(&l.Quota.Builds, in.QuotaBuilds)
	if in.Timeout != nil {
		if *in.Timeout > math.MaxInt64/float64(time.Second) {
			return api.NamespaceLimits{}, catalog.FieldErrorf("timeout", "timeout must be a number of seconds")
		}
		l.Build.Timeout = time.Duration(*in.Timeout * float64(time.Second))
	}
	if err := c.server.config.Store.SetNamespaceLimits(c.r.Context(), name, l); err != nil {
		return api.NamespaceLimits{}, err
	}
	c.audit("limits set", "namespace", name, "limits", l.String())
	return limitsOf(l), nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func limitsOf(l catalog.NamespaceLimits) api.NamespaceLimits {
	b := l.Build
	return api.NamespaceLimits{
		CPUs: b.CPUs, Memory: b.Memory, PIDs: b.PIDs, Disk: b.Disk, Log: b.Log, Timeout: b.Timeout.Seconds(), Running: l.Running, Waiting: l.Waiting,
		QuotaBytes: l.Quota.Bytes, QuotaImages: l.Quota.Images, QuotaVersions: l.Quota.Versions, QuotaBuilds: l.Quota.Builds,
	}
}

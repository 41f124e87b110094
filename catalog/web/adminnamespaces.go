package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/docker/go-units"

	"github.com/fandoghpaas/fandogh/catalog"
)

// namespacesData is what the page of all namespaces shows.
type namespacesData struct {
	Tabs       []tab
	Namespaces []catalog.NamespaceSummary
	Pager      pager
}

func (c *call) namespacesPage() error {
	namespaces, err := c.server.config.Store.ListAllNamespaces(c.r.Context(), c.namePage())
	if err != nil {
		return err
	}
	data := namespacesData{Tabs: adminTabs("admin.namespaces")}
	data.Namespaces, data.Pager = cutNames(c, namespaces, func(n catalog.NamespaceSummary) string { return n.Name })
	return c.show(http.StatusOK, "namespaces", "admin.namespaces", data)
}

// adminNamespace is the path of the page about a namespace's limits.
func adminNamespace(name string) string { return "/admin/namespaces/" + url.PathEscape(name) }

// limitsData is what the page about a namespace's limits shows.
type limitsData struct {
	Tabs   []tab
	Name   string
	Limits []limitField
	Use    catalog.NamespaceUsage
	Images []catalog.ImageUsage // those that take most
	More   int
}

// limitField is one limit as it is typed.
type limitField struct{ Name, Value string }

// noQuota is what is typed for catalog.NoQuota.
const noQuota = "none"

func (c *call) limitsPage() error {
	ctx := c.r.Context()
	namespace, err := c.server.config.Store.Namespace(ctx, c.r.PathValue("shared"))
	if err != nil {
		return err
	}
	limits, err := c.server.config.Store.NamespaceLimits(ctx, namespace.Name)
	if err != nil {
		return err
	}
	use, err := c.server.config.Usage.Usage(ctx, namespace.Name)
	if err != nil {
		return err
	}
	data := limitsData{Tabs: adminTabs("admin.namespaces"), Name: namespace.Name, Use: use}
	data.Images, data.More = largest(use.Images)
	for _, l := range limitKinds(&limits) {
		value := l.text()
		if c.failed != nil && c.form.Has(l.name) {
			value = c.form.Get(l.name)
		}
		data.Limits = append(data.Limits, limitField{l.name, value})
	}
	return c.show(http.StatusOK, "limits", "admin.namespaces", data)
}

// limitKind reads and writes one limit; nothing typed is what all namespaces have.
type limitKind struct {
	name string
	text func() string
	set  func(text string) error
}

// limitKinds are all that there are, of the limits that are given.
func limitKinds(l *catalog.NamespaceLimits) []limitKind {
	return []limitKind{
		limitOf("cpus", &l.Build.CPUs, func(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) }),
		sizeLimit("memory", &l.Build.Memory), sizeLimit("disk", &l.Build.Disk), sizeLimit("log", &l.Build.Log),
		limitOf("pids", &l.Build.PIDs, func(n int64) string { return strconv.FormatInt(n, 10) }, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) }),
		limitOf("timeout", &l.Build.Timeout, time.Duration.String, time.ParseDuration),
		limitOf("running", &l.Running, strconv.Itoa, strconv.Atoi), limitOf("waiting", &l.Waiting, strconv.Itoa, strconv.Atoi),
		sizeLimit("quota_bytes", &l.Quota.Bytes),
		limitOf("quota_images", &l.Quota.Images, quotaText, quotaNumber), limitOf("quota_versions", &l.Quota.Versions, quotaText, quotaNumber), limitOf("quota_builds", &l.Quota.Builds, quotaText, quotaNumber),
	}
}

func limitOf[T comparable](name string, to *T, format func(T) string, parse func(string) (T, error)) limitKind {
	var none T
	return limitKind{
		name: name,
		text: func() string {
			if *to == none {
				return ""
			}
			return format(*to)
		},
		set: func(text string) (err error) {
			if text == "" {
				*to = none
				return nil
			}
			if *to, err = parse(text); err != nil {
				return catalog.FieldErrorf(name, "%s can't be %q; the page says how to write it", name, text)
			}
			return nil
		},
	}
}

func sizeLimit(name string, to *int64) limitKind {
	return limitOf(name, to, func(n int64) string {
		if n == catalog.NoQuota {
			return noQuota
		}
		text := units.BytesSize(float64(n))
		if back, err := units.RAMInBytes(text); err != nil || back != n { // it would be another when it is saved
			return strconv.FormatInt(n, 10)
		}
		return text
	}, func(text string) (int64, error) {
		if text == noQuota {
			return catalog.NoQuota, nil
		}
		return units.RAMInBytes(text)
	})
}

func quotaText(n int) string {
	if n == catalog.NoQuota {
		return noQuota
	}
	return strconv.Itoa(n)
}

func quotaNumber(text string) (int, error) {
	if text == noQuota {
		return catalog.NoQuota, nil
	}
	return strconv.Atoi(text)
}

func (c *call) setLimits() error {
	namespace, err := c.server.config.Store.Namespace(c.r.Context(), c.r.PathValue("shared"))
	if err != nil {
		return err
	}
	var limits catalog.NamespaceLimits
	for _, l := range limitKinds(&limits) {
		if err := l.set(c.field(l.name)); err != nil {
			return err
		}
	}
	if err := c.server.config.Store.SetNamespaceLimits(c.r.Context(), namespace.Name, limits); err != nil {
		return err
	}
	c.audit("limits set", "namespace", namespace.Name, "limits", limits)
	return c.done(adminNamespace(namespace.Name), "saved")
}

func (c *call) deleteNamespace() error {
	ctx := c.r.Context()
	namespace, err := c.server.config.Store.Namespace(ctx, c.r.PathValue("shared"))
	if err == nil {
		err = c.typed(namespace.Name)
	}
	if err == nil {
		err = c.server.config.Store.DeleteNamespace(ctx, namespace.Name, c.form.Get("images") != "")
	}
	if err != nil {
		return err
	}
	c.audit("namespace deleted", "namespace", namespace.Name)
	c.server.config.Remover.Remove(context.WithoutCancel(ctx))
	return c.done("/admin/namespaces", "namespace_deleted")
}

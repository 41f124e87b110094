package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/docker/go-units"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder"
	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/catalog/quota"
	"github.com/fandoghpaas/fandogh/catalog/registry"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/gitserver/repository"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// logSizes returns what the logs of builds take on disk.
func logSizes(data string) func(buildID int64) int64 {
	return func(id int64) int64 { return diskspace.Used(builder.LogPath(filepath.Join(data, "logs"), id)) }
}

func (a *admin) newUsage() *cobra.Command {
	cmd := &cobra.Command{
		Use: "usage [NAMESPACE]", Short: "Show what takes the disk",
		Long: "Show what the images of each namespace take on disk, and what each part of the data directory does: git repositories, image data, logs,\n" +
			"build cache, other registries' images, the database. With NAMESPACE, show it by image. Of each image OWN are the layers and Git LFS objects\n" +
			"that no other image of its namespace has, and SHARED the others.\n\n" +
			"Layers count once for each namespace that has them, so that namespaces may add up to more than the registry takes; there is also what was pushed and\n" +
			"belongs to no version, until it is collected.",
		Example: "  fandoghd admin --data data usage\n  fandoghd admin --data data usage team",
		Args:    usage.OptionalArg("NAMESPACE"),
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		report, done, err := a.quota(catalog.Quota{})
		if err != nil {
			return err
		}
		defer done()
		if len(args) > 0 {
			return showUsage(cmd, report, args[0])
		}
		if err := a.showAllUsage(cmd, report); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout())
		return table(cmd, partRows(a.data)...)
	})
	return cmd
}

// quota returns what knows what namespaces take, until done. usual is the quota of namespaces for which nothing else is set.
func (a *admin) quota(usual catalog.Quota) (s *quota.Service, done func(), err error) {
	images, err := registry.New(registry.Config{
		Dir: filepath.Join(a.data, "registry"), Store: a.store, Auth: a.accounts, Logger: hclog.NewNullLogger(),
		CacheTags: config.Default().Registry.CacheTags, // the daemon's own are not known here
	})
	if err != nil {
		return nil, nil, err
	}
	return quota.New(quota.Config{
		Store: a.store, Contents: images.Contents, Tagged: images.Tagged, Git: repository.OpenToRead(filepath.Join(a.data, "repos")).Used, Log: logSizes(a.data),
		Quota: func() catalog.Quota { return usual },
	}), func() { _ = images.Close() }, nil // nothing is left to write
}

func bytesSize(n int64) string { return units.BytesSize(float64(n)) }

func showUsage(cmd *cobra.Command, report catalog.UsageReport, namespace string) error {
	use, err := report.Usage(cmd.Context(), namespace)
	if err != nil {
		return err
	}
	rows := [][]string{{"IMAGE", "VERSIONS", "OWN", "SHARED", "GIT", "LOGS", "ALL"}}
	for _, i := range use.Images {
		rows = append(rows, []string{i.Image.String(), strconv.Itoa(i.Versions), bytesSize(i.Own), bytesSize(i.Shared), bytesSize(i.Git), bytesSize(i.Logs), bytesSize(i.Own + i.Shared + i.Git + i.Logs)})
	}
	return table(cmd, append(rows, []string{"all", strconv.Itoa(use.Versions), bytesSize(use.Layers), "", bytesSize(use.Git), bytesSize(use.Logs), bytesSize(use.Bytes())})...)
}

func (a *admin) showAllUsage(cmd *cobra.Command, report catalog.UsageReport) error {
	all, err := catalog.UsageOfAll(cmd.Context(), a.store, report)
	if err != nil {
		return err
	}
	rows := [][]string{{"NAMESPACE", "IMAGES", "VERSIONS", "LAYERS", "GIT", "LOGS", "ALL"}}
	for _, use := range all {
		rows = append(rows, []string{use.Namespace, strconv.Itoa(len(use.Images)), strconv.Itoa(use.Versions), bytesSize(use.Layers), bytesSize(use.Git), bytesSize(use.Logs), bytesSize(use.Bytes())})
	}
	return table(cmd, rows...)
}

// partRows are the parts of a data directory with what each takes.
func partRows(data string) [][]string {
	sizes := measureData(data)
	rows := [][]string{{"PART", "SIZE"}}
	for _, kind := range slices.Sorted(maps.Keys(sizes)) {
		rows = append(rows, []string{kind, bytesSize(sizes[kind])})
	}
	return rows
}

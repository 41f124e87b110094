package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func (a *admin) newNamespaceLimits() *cobra.Command {
	var l catalog.NamespaceLimits
	var memory, disk, log string
	cmd := &cobra.Command{
		Use: "limits NAME", Short: "Show or set the limits of a namespace's builds, and its quotas",
		Long: "Show the limits that are set for a namespace's builds, or set those that are given. 0 is what the daemon gives all namespaces; none is\n" +
			"more than builder.limits of the configuration has. A build that runs keeps the limits that it began with.\n\n" +
			"The quotas are how much disk a namespace may take, how many images and versions it may have, and how many builds it may ask for within a day. 0 is\n" +
			"quota of the configuration, none any amount. What a namespace has already stays when a quota is less.",
		Example: "  fandoghd admin --data data namespace limits team --memory 2GiB --cpus 1.5 --timeout 20m --running 2\n" +
			"  fandoghd admin --data data namespace limits team --quota-bytes 20GiB --quota-versions none",
		Args: usage.ExactArgs("NAME"),
	}
	flags := cmd.Flags()
	flags.Float64Var(&l.Build.CPUs, "cpus", 0, "`processors` of one build")
	flags.StringVar(&memory, "memory", "", "`bytes` of memory of one build, as 2GiB")
	flags.Int64Var(&l.Build.PIDs, "pids", 0, "`processes` and threads of one build")
	flags.StringVar(&disk, "disk", "", "`bytes` that one build writes, as 10GiB")
	flags.StringVar(&log, "log", "", "`bytes` of one build's output that are kept, as 5MiB")
	flags.DurationVar(&l.Build.Timeout, "timeout", 0, "`time` of one build, as 20m")
	flags.IntVar(&l.Running, "running", 0, "`builds` at once")
	flags.IntVar(&l.Waiting, "waiting", 0, "`builds` in the queue")
	quotas := addQuotaFlags(flags)
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		for to, text := range map[*int64]string{&l.Build.Memory: memory, &l.Build.Disk: disk, &l.Build.Log: log} {
			if text == "" {
				continue
			}
			n, err := config.ParseSize(text)
			if err != nil {
				return usage.Error{Err: err}
			}
			*to = int64(n)
		}
		if err := quotas.parse(&l.Quota); err != nil {
			return err
		}
		set, err := a.store.NamespaceLimits(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if changeLimits(&set, l, flags.Changed) {
			if err := a.store.SetNamespaceLimits(cmd.Context(), args[0], set); err != nil {
				return err
			}
			if err := a.did(cmd, "limits set", "namespace", args[0], "limits", set.String()); err != nil {
				return err
			}
		}
		return table(cmd, limitRows(set)...)
	})
	return cmd
}

// changeLimits takes the limits that were given, and reports whether any was.
func changeLimits(set *catalog.NamespaceLimits, l catalog.NamespaceLimits, given func(name string) bool) (changed bool) {
	for name, take := range map[string]func(){
		"cpus": func() { set.Build.CPUs = l.Build.CPUs }, "memory": func() { set.Build.Memory = l.Build.Memory },
		"pids": func() { set.Build.PIDs = l.Build.PIDs }, "disk": func() { set.Build.Disk = l.Build.Disk },
		"log": func() { set.Build.Log = l.Build.Log }, "timeout": func() { set.Build.Timeout = l.Build.Timeout },
		"running": func() { set.Running = l.Running }, "waiting": func() { set.Waiting = l.Waiting },
		"quota-bytes": func() { set.Quota.Bytes = l.Quota.Bytes }, "quota-images": func() { set.Quota.Images = l.Quota.Images },
		"quota-versions": func() { set.Quota.Versions = l.Quota.Versions }, "quota-builds": func() { set.Quota.Builds = l.Quota.Builds },
	} {
		if given(name) {
			changed = true
			take()
		}
	}
	return changed
}

func limitRows(l catalog.NamespaceLimits) [][]string {
	or := func(text string, unset bool) string {
		if unset {
			return "-"
		}
		return text
	}
	size := func(n int64) string { return or(units.BytesSize(float64(n)), n == 0) }
	number := func(n int) string { return or(strconv.Itoa(n), n == 0) }
	quota := func(n int64, text string) string {
		if n == catalog.NoQuota {
			return noQuota
		}
		return or(text, n == 0)
	}
	count := func(n int) string { return quota(int64(n), strconv.Itoa(n)) }
	b := l.Build
	return [][]string{
		append(strings.Fields("CPUS MEMORY PIDS DISK LOG TIMEOUT RUNNING WAITING QUOTA IMAGES VERSIONS"), "BUILDS A DAY"),
		{or(fmt.Sprint(b.CPUs), b.CPUs == 0), size(b.Memory), number(int(b.PIDs)), size(b.Disk), size(b.Log), or(b.Timeout.Round(time.Millisecond).String(), b.Timeout == 0), number(l.Running), number(l.Waiting),
			quota(l.Quota.Bytes, size(l.Quota.Bytes)), count(l.Quota.Images), count(l.Quota.Versions), count(l.Quota.Builds)},
	}
}

package main

import (
	"strconv"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog/api"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

func newNamespaceLimitsCommand(a *app) *cobra.Command {
	var out output
	var asked limitFlags
	cmd := &cobra.Command{
		Use:   "limits NAME",
		Short: "Show the limits of a namespace's builds and its quotas, or set them",
		Long: `Show the limits that are set for a namespace's builds, and its quotas. With flags, set
those; this is for administrators. 0 is what the server gives all namespaces. A quota of none
is any amount. What a namespace has already stays when a quota is less.`,
		Example: `  fandogh namespace limits team
  fandogh namespace limits team --memory 2GiB --cpus 1.5 --timeout 20m --running 2
  fandogh namespace limits team --quota-bytes 20GiB --quota-versions none`,
		Args: usage.ExactArgs("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return runNamespaceLimits(cmd, a, args[0], asked, out) },
	}
	asked.add(cmd)
	out.addFlag(cmd)
	return cmd
}

// noQuota is how any amount is written.
const noQuota = "none"

// limitFlags are the limits as they are given.
type limitFlags struct {
	cpus              float64
	memory, disk, log string
	pids              int64
	timeout           time.Duration
	running, waiting  int
	quota             struct{ bytes, images, versions, builds string }
}

func (l *limitFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&l.cpus, "cpus", 0, "`processors` of one build")
	flags.StringVar(&l.memory, "memory", "", "`bytes` of memory of one build, such as 2GiB")
	flags.Int64Var(&l.pids, "pids", 0, "`processes` and threads of one build")
	flags.StringVar(&l.disk, "disk", "", "`bytes` that one build writes, such as 10GiB")
	flags.StringVar(&l.log, "log", "", "`bytes` of one build's output that are kept, such as 5MiB")
	flags.DurationVar(&l.timeout, "timeout", 0, "`time` of one build, such as 20m")
	flags.IntVar(&l.running, "running", 0, "`builds` at once")
	flags.IntVar(&l.waiting, "waiting", 0, "`builds` in the queue")
	flags.StringVar(&l.quota.bytes, "quota-bytes", "", "`bytes` on disk that the namespace may take, such as 20GiB, or none")
	flags.StringVar(&l.quota.images, "quota-images", "", "`images` that it may have, or none")
	flags.StringVar(&l.quota.versions, "quota-versions", "", "`versions` that it may have, or none")
	flags.StringVar(&l.quota.builds, "quota-builds", "", "`builds` that it may ask for within a day, or none")
}

// asked returns what was given.
func (l *limitFlags) asked(given func(name string) bool) (in api.UpdateNamespaceLimits, err error) {
	for name, size := range map[string]struct {
		text string
		to   **int64
	}{"memory": {l.memory, &in.Memory}, "disk": {l.disk, &in.Disk}, "log": {l.log, &in.Log}, "quota-bytes": {l.quota.bytes, &in.QuotaBytes}} {
		if !given(name) {
			continue
		}
		n, err := units.RAMInBytes(size.text)
		switch {
		case name == "quota-bytes" && size.text == noQuota:
			n = -1
		case err != nil || n < 0:
			return in, usage.Errorf("--%s %q is not a valid size; write it as 512MiB or 2GiB", name, size.text)
		}
		*size.to = &n
	}
	for name, count := range map[string]struct {
		text string
		to   **int
	}{"quota-images": {l.quota.images, &in.QuotaImages}, "quota-versions": {l.quota.versions, &in.QuotaVersions}, "quota-builds": {l.quota.builds, &in.QuotaBuilds}} {
		if !given(name) {
			continue
		}
		n, err := strconv.Atoi(count.text)
		if count.text == noQuota {
			n = -1
		} else if err != nil || n < 0 {
			return in, usage.Errorf("--%s %q is not a valid number; write a number, or none", name, count.text)
		}
		*count.to = &n
	}
	if given("cpus") {
		in.CPUs = &l.cpus
	}
	if given("pids") {
		in.PIDs = &l.pids
	}
	if given("timeout") {
		seconds := l.timeout.Seconds()
		in.Timeout = &seconds
	}
	if given("running") {
		in.Running = &l.running
	}
	if given("waiting") {
		in.Waiting = &l.waiting
	}
	return in, nil
}

func runNamespaceLimits(cmd *cobra.Command, a *app, name string, flags limitFlags, out output) error {
	if err := out.check(); err != nil {
		return err
	}
	in, err := flags.asked(cmd.Flags().Changed)
	if err != nil {
		return err
	}
	c, err := a.client()
	if err != nil {
		return err
	}
	var limits api.NamespaceLimits
	if in == (api.UpdateNamespaceLimits{}) {
		limits, err = c.NamespaceLimits(cmd.Context(), name)
	} else {
		limits, err = c.UpdateNamespaceLimits(cmd.Context(), name, in)
	}
	if err != nil {
		return err
	}
	return out.show(a, limits, func(w *table) {
		w.heads("CPUS", "MEMORY", "PIDS", "DISK", "LOG", "TIMEOUT", "RUNNING", "WAITING", "QUOTA", "IMAGES", "VERSIONS", "BUILDS A DAY")
		set := func(text string, unset bool) string {
			if unset {
				return "-"
			}
			return text
		}
		size := func(n int64) string { return set(w.binary(n), n == 0) }
		quota := func(n int64, text string) string {
			if n < 0 {
				return noQuota
			}
			return set(text, n == 0)
		}
		count := func(n int) string { return quota(int64(n), strconv.Itoa(n)) }
		row(w, set(strconv.FormatFloat(limits.CPUs, 'g', -1, 64), limits.CPUs == 0), size(limits.Memory), set(strconv.FormatInt(limits.PIDs, 10), limits.PIDs == 0),
			size(limits.Disk), size(limits.Log), set(time.Duration(limits.Timeout*float64(time.Second)).String(), limits.Timeout == 0),
			set(strconv.Itoa(limits.Running), limits.Running == 0), set(strconv.Itoa(limits.Waiting), limits.Waiting == 0),
			quota(limits.QuotaBytes, size(limits.QuotaBytes)), count(limits.QuotaImages), count(limits.QuotaVersions), count(limits.QuotaBuilds))
	})
}

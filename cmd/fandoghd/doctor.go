package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/containerd/containerd/v2/plugins/snapshots/overlay/overlayutils"
	"github.com/docker/go-units"
	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/diskspace"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// finding is what a check came to.
type finding struct {
	level level
	what  string
	try   []string // what to type, or to set, in order
}

// level says how much a finding matters.
type level string

const (
	fine  level = "ok"
	note  level = "note"  // something is not there that not everyone needs
	fault level = "fault" // the daemon does not start, or does not build
)

// check looks at one thing that the daemon needs. It changes nothing.
type check struct {
	name string
	look func(ctx context.Context, c config.Config) []finding
	// managed: only where fandoghd runs BuildKit itself.
	managed bool
}

// checks are all there are, in the order in which what they find is to be mended.
var checks = []check{
	{name: "programs", look: checkPrograms, managed: true},
	{name: "cgroups", look: checkCgroups, managed: true},
	{name: "limits", look: checkLimits},
	{name: "data", look: checkData},
	{name: "temporary", look: func(context.Context, config.Config) []finding {
		if err := checkTemporary(); err != nil {
			return one(fault, err.Error())
		}
		return one(fine, "files can be created in "+os.TempDir())
	}},
	{name: "queue", look: checkQueue},
	{name: "disk", look: checkDisk},
	{name: "overlayfs", look: checkOverlay, managed: true},
	{name: "certificate", look: checkCertificate},
	{name: "ports", look: checkPorts},
	{name: "addresses", look: func(_ context.Context, c config.Config) []finding {
		if settings := toldElsewhere(c); len(settings) > 0 {
			return one(note, "others reach this server, and are told to push to and pull from 127.0.0.1", "set "+strings.Join(settings, " and "))
		}
		return nil
	}},
	{name: "platforms", look: checkPlatforms},
}

func newDoctorCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check what this machine has for the daemon, and say what to type where something is missing",
		Long: "Check what this machine has for the daemon with the configuration that `fandoghd serve` would read: programs, control groups,\n" +
			"disk, file system, ports, and the platforms that images can be built for. It changes nothing, and the daemon may run.\n\n" +
			"What keeps the daemon from starting or from building is a fault, and the exit status is 1. A note is about something that not\n" +
			"everyone needs.",
		Example: "  fandoghd doctor\n  fandoghd doctor --config /etc/fandogh/config.yaml",
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, flags)
			if err != nil {
				return err
			}
			return examine(cmd.Context(), c, cmd.OutOrStdout())
		},
	}
	flags.register(cmd)
	return cmd
}

// examine makes all checks and writes what they find.
func examine(ctx context.Context, c config.Config, out io.Writer) error {
	faults := 0
	for _, check := range checks {
		if check.managed && len(c.Builder.Addresses) > 0 {
			continue
		}
		for _, f := range check.look(ctx, c) {
			if f.level == fault {
				faults++
			}
			fmt.Fprintf(out, "%-5s  %-11s  %s\n", f.level, check.name, f.what)
			for _, line := range f.try {
				fmt.Fprintf(out, "%20s%s\n", "", line)
			}
		}
	}
	switch faults {
	case 0:
		return nil
	case 1:
		return errors.New("1 fault was found")
	}
	return fmt.Errorf("%d faults were found", faults)
}

func one(v level, what string, try ...string) []finding { return []finding{{v, what, try}} }

func checkPrograms(_ context.Context, c config.Config) (found []finding) {
	managed := c.Builder.Managed
	for _, err := range buildkitd.Missing(buildkitd.Config{Binary: managed.Buildkitd, CNIBinDir: managed.CNIDir}) {
		found = append(found, finding{level: fault, what: err.Error()})
	}
	if len(found) == 0 {
		return one(fine, "buildkitd, runc, the CNI plugins, iptables, nftables and mount are there")
	}
	return append(found, finding{note, "on Debian, all of these but buildkitd are in packages:",
		[]string{"apt-get install runc containernetworking-plugins iptables nftables mount"}})
}

func checkCgroups(context.Context, config.Config) []finding {
	missing := buildkitd.MissingControllers()
	if len(missing) == 0 {
		return one(fine, "steps can be limited")
	}
	return one(note, fmt.Sprintf("steps run without limits: the control groups of this process lack %v", missing),
		"as a service of systemd, set Delegate=yes; in a container, give it control groups of its own")
}

// checkLimits says which limits of one build are kept, and by what.
func checkLimits(_ context.Context, c config.Config) []finding {
	if len(c.Builder.Addresses) > 0 {
		return one(note, "given BuildKits can't limit processes and disk of a build; memory and processors they limit for each step by itself, from BuildKit v0.31 on",
			"leave builder.addresses empty, so that fandoghd runs BuildKit itself")
	}
	missing := buildkitd.MissingControllers()
	if len(missing) == 0 {
		return one(fine, "memory, processes, processors, disk, log and time of each build can be limited")
	}
	return one(note, fmt.Sprintf("of a build, the limits of disk, log and time are kept; the control groups of this process lack %v", missing))
}

func checkData(_ context.Context, c config.Config) []finding {
	info, err := os.Stat(c.Data)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return one(note, fmt.Sprintf("%s does not exist; fandoghd serve creates it", c.Data))
	case err != nil:
		return one(fault, err.Error())
	case !info.IsDir():
		return one(fault, c.Data+" is not a directory", "set data to a directory")
	case unix.Access(c.Data, unix.W_OK) != nil:
		return one(fault, fmt.Sprintf("user %d can't write to %s", os.Getuid(), c.Data), "run as the user that owns it, or change its owner")
	case isRunning(c.Data):
		return one(fine, c.Data+" is in use by a daemon that is running")
	}
	return one(fine, c.Data+" can be written")
}

// isRunning reports whether a daemon holds a data directory.
func isRunning(data string) bool {
	lock, err := os.OpenFile(filepath.Join(data, "lock"), os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer lock.Close() //nolint:errcheck // it was not written
	return errors.Is(unix.Flock(int(lock.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK)
}

// checkQueue tells of a queue that is paused; of one that is not, there is nothing to say.
func checkQueue(ctx context.Context, c config.Config) []finding {
	path := databasePath(c.Data)
	if _, err := os.Stat(path); err != nil {
		return nil // it would be made
	}
	store, err := sqlite.OpenAsItIs(ctx, path)
	if errors.Is(err, sqlite.ErrOlder) {
		return nil // it knew no pause
	}
	if err != nil {
		return one(fault, err.Error())
	}
	defer store.Close() //nolint:errcheck // it was only read
	switch pause, err := store.QueuePause(ctx); {
	case err != nil:
		return one(fault, err.Error())
	case pause.Paused():
		return one(note, pause.String()+"; builds wait until it is resumed", "fandoghd admin --data "+c.Data+" queue resume")
	}
	return nil
}

// existing is a directory, or the nearest above it that there is.
func existing(dir string) string {
	dir, err := filepath.Abs(dir)
	for ; err == nil && dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
	}
	return dir
}

// endsSoon is as deploy/prometheus/alerts.yml has it: ACME renews 30 days before the end, and others should by then.
const endsSoon = 14 * 24 * time.Hour

// checkCertificate looks at what the HTTP listener would serve; without TLS, or before the first by ACME, there is nothing to say.
func checkCertificate(ctx context.Context, c config.Config) []finding {
	const renew = "renew it; new files at http.tls.cert and http.tls.key are read without a restart, and for ACME port 443 must arrive at http.addr"
	switch end, err := certificateEnd(ctx, c.HTTP.TLS, c.DataPath("acme")); {
	case err != nil:
		return one(fault, err.Error(), "a daemon that is running serves the certificate from before; another does not start")
	case end.IsZero():
		return nil
	case time.Until(end) < 0:
		return one(fault, "it ended "+end.UTC().Format(time.DateTime)+" UTC, and clients refuse it", renew)
	case time.Until(end) < endsSoon:
		return one(note, "it ends "+end.UTC().Format(time.DateTime)+" UTC", renew)
	default:
		return one(fine, "it ends "+end.UTC().Format(time.DateTime)+" UTC")
	}
}

func checkDisk(_ context.Context, c config.Config) []finding {
	dir := existing(c.Data)
	space, err := diskspace.Of(dir)
	if err != nil {
		return one(fault, err.Error())
	}
	if short := diskLimits(c.Disk).Short(space, false); short != "" {
		return one(fault, "nearly full: "+short+"; pushes, uploads and builds are refused",
			"free space (fandoghd admin gc --dry-run shows what images take), or set disk.min_free and disk.max_used")
	}
	free, total := space.Free, space.Size
	least := int64(c.Builder.Limits.FreeDisk)
	if least == 0 {
		least = buildkitd.UsualFree(dir)
	}
	left := fmt.Sprintf("%s of %s are free", units.BytesSize(float64(free)), units.BytesSize(float64(total)))
	if free < least {
		return one(fault, left+", less than the build cache leaves ("+units.BytesSize(float64(least))+")",
			"free space; fandoghd admin gc --dry-run shows what images take")
	}
	return one(fine, left)
}

func checkOverlay(_ context.Context, c config.Config) []finding {
	if err := overlayutils.Supported(existing(c.Data)); err != nil {
		return one(note, fmt.Sprintf("overlayfs does not work there (%v): builds are slow and use many times the disk space", err),
			"put the data directory on ext4 or XFS")
	}
	return one(fine, "works on the file system of the data directory")
}

func checkPorts(ctx context.Context, c config.Config) (found []finding) {
	for _, address := range []string{c.HTTP.Addr, c.SSH.Addr} {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		switch {
		case err == nil:
			_ = listener.Close()
			found = append(found, finding{level: fine, what: address + " is free"})
		case isRunning(c.Data):
			found = append(found, finding{level: fine, what: address + " is in use, perhaps by the daemon that is running"})
		default:
			found = append(found, finding{fault, err.Error(), []string{"set http.addr or ssh.addr to another, or end what listens there (ss -ltnp)"}})
		}
	}
	return found
}

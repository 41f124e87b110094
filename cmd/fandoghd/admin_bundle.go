package main

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/builder/buildkitd"
	"github.com/fandoghpaas/fandogh/catalog/sqlite"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/usage"
	"github.com/fandoghpaas/fandogh/internal/version"
)

const (
	// bundledLog is how much of the log's end is taken, in bytes.
	bundledLog = 4 << 20
	// bundleTimeout bounds each part that asks another program.
	bundleTimeout = 30 * time.Second
)

// bundle is what a support bundle is made of.
type bundle struct {
	config config.Config
	failed error  // to read the configuration; config has defaults then
	log    string // file of the daemon's log; empty: the journal of unit
	unit   string
}

func (a *admin) newSupportBundle() *cobra.Command {
	var b bundle
	var file string
	cmd := &cobra.Command{
		Use:   "support-bundle FILE",
		Short: "Collect what helps to find a fault, without secrets, in a tar.gz",
		Long: "Write a tar.gz with versions, settings, the end of the daemon's log, what `fandoghd doctor` finds, and facts about the queue, the database and the\n" +
			"disk. It works beside the daemon, and when that does not start. A part that can't be read says why.\n\n" +
			"Passwords, tokens and keys are left out, or hidden where they stand in settings and log lines. Names of users, images and hosts are in it, and so are\n" +
			"addresses: look through it before you send it to others. Logs of builds, sources and images are not.",
		Example: "  fandoghd admin --data /var/lib/fandogh support-bundle fandogh.tar.gz --config /etc/fandogh/config.yaml\n" +
			"  fandoghd admin --data data support-bundle - --log fandoghd.log | tar -tz",
		Args: usage.ExactArgs("FILE"),
	}
	cmd.Flags().StringVar(&file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML configuration `file` of the daemon")
	cmd.Flags().StringVar(&b.log, "log", "", "`file` with what the daemon wrote to standard error, if that is not the journal")
	cmd.Flags().StringVar(&b.unit, "unit", "fandoghd", "systemd `unit` whose journal is read")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if b.config, b.failed = config.Load(file, os.Environ()); b.failed != nil {
			b.config = config.Default()
		}
		if cmd.Flags().Changed("data") {
			b.config.Data = a.data
		}
		if _, err := os.Stat(b.config.Data); err != nil {
			return usage.Error{Err: noData(b.config.Data, err)}
		}
		return b.write(cmd, args[0])
	}
	return cmd
}

// write makes the bundle in a file that must not be there yet, or on standard output.
func (b *bundle) write(cmd *cobra.Command, file string) error {
	var content bytes.Buffer
	if err := b.pack(cmd.Context(), &content); err != nil {
		return err
	}
	if file == "-" {
		_, err := content.WriteTo(cmd.OutOrStdout())
		return err
	}
	err := atomicfile.Create(file, content.Bytes(), 0o600)
	if errors.Is(err, fs.ErrExist) {
		return usage.Errorf("%s exists; choose another name", file)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Wrote %s. It names users, images and hosts: look through it before you send it to others (tar -xzf).\n", file)
	return nil
}

func (b *bundle) pack(ctx context.Context, to io.Writer) error {
	shown, secrets := b.config.WithoutSecrets()
	for _, name := range []string{secretsKey, "initial-admin-password"} {
		if text, err := os.ReadFile(b.config.DataPath(name)); err == nil {
			secrets = append(secrets, string(text))
		}
	}
	scrub := newScrubber(secrets)
	compressed := gzip.NewWriter(to)
	archive := tar.NewWriter(compressed)
	for _, part := range []struct {
		name string
		text func(context.Context) (string, error)
	}{
		{"versions.txt", b.versions},
		{"settings.yaml", func(context.Context) (string, error) { return b.settings(shown) }},
		{"doctor.txt", b.doctor},
		{"database.txt", b.database},
		{"data.txt", b.data},
		{"metrics.txt", b.metrics},
		{"log.txt", b.logs},
	} {
		ctx, cancel := context.WithTimeout(ctx, bundleTimeout)
		text, err := part.text(ctx)
		cancel()
		if err != nil {
			text += fmt.Sprintf("\ncould not be read: %v\n", err)
		}
		text = scrub.text(text)
		header := &tar.Header{Name: "fandogh-support/" + part.name, Mode: 0o600, Size: int64(len(text)), ModTime: time.Now()}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := io.WriteString(archive, text); err != nil {
			return err
		}
	}
	return errors.Join(archive.Close(), compressed.Close())
}

// versions are those of the daemon, of what it starts, and of the machine.
func (b *bundle) versions(ctx context.Context) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "fandoghd %s, %s %s/%s, %d processors, made %s\n", version.String(), runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), time.Now().UTC().Format(time.RFC3339))
	for _, command := range [][]string{
		{"uname", "-a"}, {cmp.Or(buildkitd.Find(b.config.Builder.Managed.Buildkitd), "buildkitd"), "--version"}, {"runc", "--version"}, {"iptables", "--version"}, {"nft", "--version"}, {"git", "--version"}, {"systemctl", "--version"},
		{"cat", "/etc/os-release", "/proc/self/cgroup", "/proc/meminfo"},
	} {
		out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput() //nolint:gosec // of this list
		fmt.Fprintf(&text, "\n$ %s\n%s", strings.Join(command, " "), out)
		if err != nil {
			fmt.Fprintln(&text, err)
		}
	}
	return text.String(), nil
}

// settings are those that the daemon would start with. Which of them the environment sets is told by name.
func (b *bundle) settings(shown config.Config) (string, error) {
	if b.failed != nil {
		// The error cites the file, and a secret may stand beside what is wrong.
		return "", errors.New("the configuration is not valid; `fandoghd doctor` with the same --config says why")
	}
	text, err := yaml.Marshal(shown)
	var set []string
	for _, pair := range os.Environ() {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, config.EnvPrefix) {
			set = append(set, name)
		}
	}
	slices.Sort(set)
	faults := ""
	if err := b.config.Validate(); err != nil {
		faults = "# not valid:\n# " + strings.ReplaceAll(err.Error(), "\n", "\n# ") + "\n"
	}
	return fmt.Sprintf("# set by the environment of this command: %s\n%s%s", strings.Join(set, " "), faults, text), err
}

func (b *bundle) doctor(ctx context.Context) (string, error) {
	var text strings.Builder
	if err := examine(ctx, b.config, &text); err != nil {
		fmt.Fprintln(&text, err)
	}
	return text.String(), nil
}

// database tells of queue and database, and lists no row of it.
func (b *bundle) database(ctx context.Context) (text string, err error) {
	path := databasePath(b.config.Data)
	if _, err := os.Stat(path); err != nil {
		return "", err // it would be made
	}
	store, err := sqlite.OpenAsItIs(ctx, path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	queue, err := store.QueueState(ctx)
	if err != nil {
		return "", err
	}
	pause, err := store.QueuePause(ctx)
	if err != nil {
		return "", err
	}
	text = fmt.Sprintf("queue: %d wait, %d run; %s\n", queue.Waiting, queue.Running, pause)
	if !queue.Oldest.IsZero() {
		text += fmt.Sprintf("the oldest waits since %s\n", queue.Oldest.UTC().Format(time.RFC3339))
	}
	facts, err := store.Facts(ctx)
	return text + strings.Join(facts, "\n") + "\n", err
}

// data tells of the files of the data directory.
func (b *bundle) data(ctx context.Context) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, "a daemon is running: %t\n", isRunning(b.config.Data))
	if at, err := lastBackup(b.config.Data); err == nil && !at.IsZero() {
		fmt.Fprintf(&text, "last backup: %s\n", at.UTC().Format(time.RFC3339))
	}
	for kind, size := range measureData(b.config.Data) {
		fmt.Fprintf(&text, "%s: %d bytes\n", kind, size)
	}
	entries, err := os.ReadDir(b.config.Data)
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			fmt.Fprintf(&text, "%s %10d %s %s\n", info.Mode(), info.Size(), info.ModTime().UTC().Format(time.RFC3339), e.Name())
		}
	}
	if out, err := exec.CommandContext(ctx, "df", "-PT", b.config.Data).CombinedOutput(); err == nil {
		text.Write(out)
	}
	return text.String(), err
}

// metrics are those of the running daemon, where it has a listener for them.
func (b *bundle) metrics(ctx context.Context) (text string, err error) {
	at, err := readAddresses(b.config.Data)
	if err != nil {
		return "", err
	}
	if at == nil || at.Metrics == "" {
		return "no daemon is running, or metrics.addr is not set\n", nil
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at.Metrics+"/metrics", nil)
	if err != nil {
		return "", err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	all, err := bounded.ReadAll(answer.Body, bundledLog)
	return string(all), err
}

// logs is the end of the daemon's log.
func (b *bundle) logs(ctx context.Context) (string, error) {
	if b.log != "" {
		return tail(b.log, bundledLog)
	}
	out, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "--output=short-iso-precise", "--lines=20000", "--unit="+b.unit).CombinedOutput()
	if len(out) > bundledLog {
		out = out[len(out)-bundledLog:]
	}
	if err != nil {
		err = fmt.Errorf("journalctl: %w; name the file with the daemon's log by --log", err)
	}
	return string(out), err
}

// tail returns the last n bytes of a file.
func tail(file string, n int64) (text string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	all, err := bounded.ReadAll(io.NewSectionReader(f, max(0, info.Size()-n), n), n)
	return string(all), err
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
	"github.com/fandoghpaas/fandogh/internal/requests"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// serveFlags override the file and the environment where they were given.
type serveFlags struct {
	file string
	data string
	http string
	ssh  string
}

func newServeCommand() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the daemon",
		Long: "Run the daemon in the foreground until SIGTERM or SIGINT. By default it keeps everything in ./data and\n" +
			"listens on 127.0.0.1. The addresses in use are printed on one line and kept in addresses.json of the data directory.\n\n" +
			"Every setting of the configuration file is also an environment variable: http.public_url is FANDOGH_HTTP_PUBLIC_URL.\n" +
			"Flags override the environment, and the environment overrides the file.\n\n" +
			"SIGHUP has the file read again: what may change while the daemon runs takes effect at once, and the log names what changed and\n" +
			"what takes effect at the next start. With a file that is not valid everything stays as it was.",
		Example: "  fandoghd serve\n  fandoghd serve --config /etc/fandogh/config.yaml\n  fandoghd serve --data /tmp/fandogh --http 127.0.0.1:0 --ssh 127.0.0.1:0",
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, flags)
			if err != nil {
				return err
			}
			if err := checkTemporary(); err != nil {
				return err
			}
			logger := newLogger(c.Log, cmd.ErrOrStderr())
			routeStandardLog(logger)
			return serve(cmd.Context(), c, func() (config.Config, error) { return loadConfig(cmd, flags) }, logger, cmd.OutOrStdout())
		},
	}
	flags.register(cmd)
	return cmd
}

// register adds the flags to a command.
func (flags *serveFlags) register(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&flags.file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML configuration `file`")
	f.StringVar(&flags.data, "data", "", "data `directory` (default data)")
	f.StringVar(&flags.http, "http", "", "`host:port` for REST and registry (default 127.0.0.1:8080)")
	f.StringVar(&flags.ssh, "ssh", "", "`host:port` for git (default 127.0.0.1:2222)")
}

// serve runs the daemon until ctx ends. load reads the configuration again.
func serve(ctx context.Context, c config.Config, load func() (config.Config, error), log hclog.InterceptLogger, stdout io.Writer) (err error) {
	d := &daemon{config: c, load: load, hangups: make(chan os.Signal, 1), log: log, audit: newAuditKeeper(log)}
	signal.Notify(d.hangups, syscall.SIGHUP) // which would end the process, also while it starts
	defer signal.Stop(d.hangups)
	log.RegisterSink(d.audit)
	defer log.DeregisterSink(d.audit)
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(ctx); err != nil {
		return err
	}
	if err := d.addresses.write(c.Data); err != nil {
		return err
	}
	d.onClose(func() error { return os.Remove(c.DataPath(addressesFile)) })
	fmt.Fprintf(stdout, "fandoghd http=%s ssh=%s\n", d.addresses.HTTP, d.addresses.SSH)
	d.tellSystemd(sdnotify.SdNotifyReady)
	context.AfterFunc(ctx, func() { d.tellSystemd(sdnotify.SdNotifyStopping) })
	if settings := toldElsewhere(c); len(settings) > 0 {
		log.Warn("others reach this server and are told addresses of this machine alone; set "+strings.Join(settings, " and "), "http", d.addresses.PublicURL, "ssh", d.addresses.PublicSSH)
	}
	log.Info("ready for pushes", "try", catalog.SSHCommand(d.addresses.PublicSSH, ""))
	return d.run(ctx)
}

func loadConfig(cmd *cobra.Command, flags serveFlags) (config.Config, error) {
	c, err := config.Load(flags.file, os.Environ())
	if err != nil {
		return config.Config{}, usage.Error{Err: err}
	}
	for name, setting := range map[string]*string{"data": &c.Data, "http": &c.HTTP.Addr, "ssh": &c.SSH.Addr} {
		if flag := cmd.Flags().Lookup(name); flag.Changed {
			*setting = flag.Value.String()
		}
	}
	if err := c.Validate(); err != nil {
		return config.Config{}, usage.Errorf("configuration:\n%w", err)
	}
	return c, nil
}

// checkTemporary says why files can't be made in the directory for temporary ones, which BuildKit needs for each build.
func checkTemporary() error {
	dir, named := os.TempDir(), os.Getenv("TMPDIR") != ""
	file, err := os.CreateTemp(dir, "fandoghd-")
	switch {
	case err == nil:
		return errors.Join(file.Close(), os.Remove(file.Name()))
	case named && errors.Is(err, os.ErrNotExist):
		return usage.Errorf("TMPDIR is %s, which does not exist; create that directory, or unset TMPDIR", dir)
	case named:
		return usage.Errorf("TMPDIR is %s, where no file can be created: %w; set TMPDIR to another directory, or unset it", dir, err)
	}
	return fmt.Errorf("no file can be created in %s: %w; set TMPDIR to another directory", dir, err)
}

func newLogger(c config.Log, w io.Writer) hclog.InterceptLogger {
	if c.Format != "json" {
		w = withoutControl{w}
	}
	options := hclog.LoggerOptions{
		Name:       "fandoghd",
		Level:      hclog.LevelFromString(c.Level),
		JSONFormat: c.Format == "json",
		Output:     w,
		Mutex:      &sync.Mutex{},
	}
	// The audit log is written at every level, and all others share one, so that it can be changed.
	ofAudit := options
	ofAudit.Name, ofAudit.Level = auditLogger, hclog.Info
	audit := oneLine{Logger: hclog.New(&ofAudit), failures: requests.NewLines()}
	options.SubloggerHook = func(sub hclog.Logger) hclog.Logger {
		if sub.Name() == auditLogger {
			return audit.With(sub.ImpliedArgs()...)
		}
		return sub
	}
	return hclog.NewInterceptLogger(&options)
}

// routeStandardLog sends what libraries say by the process-wide logger, such as HTTP/2's of ended
// connections, to ours.
func routeStandardLog(logger hclog.Logger) {
	log.SetFlags(0)
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/config"
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
			"Flags override the environment, and the environment overrides the file.",
		Example: "  fandoghd serve\n  fandoghd serve --config /etc/fandogh/config.yaml\n  fandoghd serve --data /tmp/fandogh --http 127.0.0.1:0 --ssh 127.0.0.1:0",
		Args:    usage.ExactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(cmd, flags)
			if err != nil {
				return err
			}
			logger := newLogger(c.Log, cmd.ErrOrStderr())
			routeStandardLog(logger)
			return serve(cmd.Context(), c, logger, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	f.StringVar(&flags.file, "config", os.Getenv(config.EnvPrefix+"CONFIG"), "YAML configuration `file`")
	f.StringVar(&flags.data, "data", "", "data `directory` (default data)")
	f.StringVar(&flags.http, "http", "", "`host:port` for REST and registry (default 127.0.0.1:8080)")
	f.StringVar(&flags.ssh, "ssh", "", "`host:port` for git (default 127.0.0.1:2222)")
	return cmd
}

// serve runs the daemon until ctx ends.
func serve(ctx context.Context, c config.Config, log hclog.Logger, stdout io.Writer) (err error) {
	d := &daemon{config: c, log: log}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.open(ctx); err != nil {
		return err
	}
	if err := d.addresses.write(c.Data); err != nil {
		return err
	}
	d.onClose(func() error { return os.Remove(c.DataPath(addressesFile)) })
	fmt.Fprintf(stdout, "fandoghd http=%s ssh=%s\n", d.addresses.HTTP, d.addresses.SSH)
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

func newLogger(c config.Log, w io.Writer) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       "fandoghd",
		Level:      hclog.LevelFromString(c.Level),
		JSONFormat: c.Format == "json",
		// The audit log is written at every level.
		IndependentLevels: true,
		Output:            w,
	})
}

// routeStandardLog sends what libraries say by the process-wide logger, such as HTTP/2's of ended
// connections, to ours.
func routeStandardLog(logger hclog.Logger) {
	log.SetFlags(0)
	log.SetOutput(logger.StandardWriter(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}))
}

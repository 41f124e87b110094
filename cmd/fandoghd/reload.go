package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/config"
)

// reloadOnSignal reads the configuration again at each SIGHUP.
func (d *daemon) reloadOnSignal(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.hangups:
		}
		if err := d.reload(); err != nil {
			d.log.Error("the configuration was not reloaded, and everything stays as it was", "error", err)
			d.tellSystemd("STATUS=The configuration was not reloaded; the log says why")
		}
	}
}

// reload has those settings take effect that may change while the daemon runs, all or none.
func (d *daemon) reload() error {
	read, err := d.load()
	if err != nil {
		return err
	}
	if read.Data, err = filepath.Abs(read.Data); err != nil {
		return err
	}
	before := *d.reloaded.Load()
	now := changeable(before, read)
	// What waits for a restart may not fit what does not.
	if err := now.Validate(); err != nil {
		return fmt.Errorf("together with settings that can't change while the daemon runs:\n%w", err)
	}
	if d.certificate != nil {
		if err := d.certificate.use(now.HTTP.TLS.Cert, now.HTTP.TLS.Key); err != nil {
			return fmt.Errorf("http.tls: %w", err)
		}
	}
	addresses := d.addresses
	addresses.Quota = quotaOf(now.Quota)
	if err := addresses.write(d.config.Data); err != nil {
		return err
	}
	d.reloaded.Store(&now)
	d.log.SetLevel(hclog.LevelFromString(now.Log.Level))
	d.store.SetLimits(storeLimits(now))
	d.builder.Change(builderSettings(now.Builder))
	d.disk.SetLimits(diskLimits(now.Disk))
	d.retention.Change(retentionSettings(now))
	d.rest.SetNamespacesByAdmins(!now.Users.CreateNamespaces)

	changed, left := before.Changes(now), now.Changes(read)
	for _, c := range changed {
		d.log.Info("setting changed", "setting", c.Setting, "from", c.From, "to", c.To)
	}
	for _, c := range left {
		d.log.Warn("this setting can't change while the daemon runs; restart it", "setting", c.Setting, "from", c.From, "to", c.To)
	}
	d.log.Info("configuration reloaded", "changed", len(changed), "need_a_restart", len(left))
	d.tellSystemd(fmt.Sprintf("STATUS=Configuration reloaded; %d settings need a restart", len(left)))
	return nil
}

// changeable returns a configuration with those settings of another that may change while the daemon runs.
func changeable(c, to config.Config) config.Config {
	c.Log.Level, c.Log.AuditKeep = to.Log.Level, to.Log.AuditKeep
	c.Git.Grace = to.Git.Grace
	c.Users, c.Quota, c.Disk = to.Users, to.Quota, to.Disk
	interval := c.Retention.Interval
	c.Retention = to.Retention
	c.Retention.Interval = interval
	c.Builder.Parallel, c.Builder.Spare, c.Builder.Timeout = to.Builder.Parallel, to.Builder.Spare, to.Builder.Timeout
	c.Builder.Limits.Build, c.Builder.Limits.Namespace = to.Builder.Limits.Build, to.Builder.Limits.Namespace
	if c.HTTP.TLS.Cert != "" && to.HTTP.TLS.Cert != "" && len(to.HTTP.TLS.ACMEHosts) == 0 {
		c.HTTP.TLS.Cert, c.HTTP.TLS.Key = to.HTTP.TLS.Cert, to.HTTP.TLS.Key
	}
	return c
}

package main

import (
	"context"
	"time"

	sdnotify "github.com/coreos/go-systemd/v22/daemon"
)

// tellSystemd says how the daemon stands, where it is a service of Type=notify.
func (d *daemon) tellSystemd(state string) {
	if _, err := sdnotify.SdNotify(false, state); err != nil {
		d.log.Warn("failed to tell systemd", "state", state, "error", err)
	}
}

// watchdog tells systemd that the daemon is alive as long as the database answers, whatever it says: a daemon that hangs is started
// again when WatchdogSec= is over. Without that setting it does nothing.
func (d *daemon) watchdog(ctx context.Context) error {
	limit, err := sdnotify.SdWatchdogEnabled(false)
	if err != nil {
		return err
	}
	if limit == 0 {
		<-ctx.Done() // a service that ends, ends the daemon
		return nil
	}
	tick := time.NewTicker(limit / 3)
	defer tick.Stop()
	for {
		_ = d.store.Ping(ctx) // /readyz and the log tell of what is wrong
		if ctx.Err() != nil {
			return nil
		}
		d.tellSystemd(sdnotify.SdNotifyWatchdog)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

package main

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/catalog/sqlite/sqlitetest"
)

func TestWatchdog(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close() //nolint:errcheck // nothing is lost
	t.Setenv("NOTIFY_SOCKET", socket)
	d := &daemon{log: hclog.NewNullLogger(), store: sqlitetest.Open(t, t.TempDir())}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)

	// Without WatchdogSec= it says nothing, and goes on: a service that ends would end the daemon.
	go func() { ended <- d.watchdog(ctx) }()
	d.tellSystemd("READY=1")
	said := make([]byte, 100)
	n, err := systemd.Read(said)
	if err != nil || string(said[:n]) != "READY=1" {
		t.Fatalf("said %q, %v", said[:n], err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}

	t.Setenv("WATCHDOG_USEC", "30000")
	ctx, cancel = context.WithCancel(t.Context())
	go func() { ended <- d.watchdog(ctx) }()
	for range 3 {
		if n, err := systemd.Read(said); err != nil || !strings.HasPrefix(string(said[:n]), "WATCHDOG=1") {
			t.Fatalf("said %q, %v", said[:n], err)
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

package netspace_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
)

func TestDelete(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root")
	}
	name := fmt.Sprintf("fdgtest%d", os.Getpid())
	file := filepath.Join("/run/netns", name)
	t.Cleanup(func() { _ = netspace.Delete(name) })
	for _, left := range []struct {
		what  string
		leave func() error
	}{
		{"one that is there", func() error { return netspace.New(name) }},
		// Systemd gives services mounts of their own, and /run is of all.
		{"a name whose mount went with a service's", func() error { return os.WriteFile(file, nil, 0o600) }},
		{"none", func() error { return nil }},
	} {
		if err := left.leave(); err != nil {
			t.Fatal(err)
		}
		if err := netspace.Delete(name); err != nil {
			t.Errorf("%s: %v", left.what, err)
		}
		if _, err := os.Stat(file); !os.IsNotExist(err) {
			t.Errorf("%s: %v", left.what, err)
		}
		if err := netspace.New(name); err != nil {
			t.Errorf("the name is taken after %s: %v", left.what, err)
		}
		if err := netspace.Delete(name); err != nil {
			t.Error(err)
		}
	}
}

// inOwnMounts is set in the process that has mounts of its own.
const inOwnMounts = "NETSPACE_TEST_IN_OWN_MOUNTS"

// The first namespace that somebody makes with ip lays a mount of /run/netns over the directory: what was mounted in it
// before is in nobody's reach any more.
func TestOthersMakeNamespaces(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("network namespaces are made by root")
	}
	if os.Getenv(inOwnMounts) == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestOthersMakeNamespaces$", "-test.v")
		cmd.Env = append(os.Environ(), inOwnMounts+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	byOld := func(name string) error {
		return netspace.OnThread(func() error {
			made, err := netns.NewNamed(name)
			if err != nil {
				return err
			}
			return made.Close()
		})
	}
	for how, create := range map[string]func(name string) error{"as ip does": netspace.New, "as former daemons did": byOld} {
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, ""); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("fdgtest%d", os.Getpid())
		if err := create(name); err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if out, err := exec.CommandContext(t.Context(), "ip", "netns", "add", "other").CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if how == "as ip does" {
			if err := netspace.Do(name, func() error { return nil }); err != nil {
				t.Errorf("beside one of ip's: %v", err)
			}
		}
		for range 2 { // as at each start
			if err := netspace.Delete(name); err != nil {
				t.Errorf("%s: delete: %v", how, err)
			}
			if err := netspace.New(name); err != nil {
				t.Errorf("%s: make again: %v", how, err)
			}
			if err := netspace.Do(name, func() error { return nil }); err != nil {
				t.Errorf("%s: enter what was made again: %v", how, err)
			}
		}
		if err := netspace.Do("other", func() error { return nil }); err != nil {
			t.Errorf("%s: ip's own: %v", how, err)
		}
	}
}

// The process is in the namespaces of its main thread, for all who look at it from elsewhere, as `docker exec` does.
func TestMainThreadStaysWhereItIs(t *testing.T) {
	uts := func() string {
		t.Helper()
		name, err := os.Readlink("/proc/self/ns/uts")
		if err != nil {
			t.Fatal(err)
		}
		return name
	}
	before := uts()
	for range 1000 {
		if err := netspace.OnThread(func() error { return unix.Unshare(unix.CLONE_NEWUTS) }); err != nil {
			t.Fatal(err)
		}
	}
	if now := uts(); now != before {
		t.Errorf("the process was in %s, and is in %s now", before, now)
	}
}

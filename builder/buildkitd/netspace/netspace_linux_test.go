package netspace_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

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

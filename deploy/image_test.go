//go:build deploy

package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// TestImage runs the image that `make image` had Fandogh build, by runc with what a privileged container has, and pushes to it.
func TestImage(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	command(t, dir, []string{"TMPDIR=" + dir}, "skopeo", "copy", "-q", "oci-archive:"+tool(t, "fandoghd-image.tar"), "oci:"+dir+"/oci:image")
	config := imageConfig(t, filepath.Join(dir, "oci"))
	// Its one layer has all files.
	command(t, dir, nil, "sh", "-c", `mkdir rootfs && tar -xf "oci/blobs/sha256/$1" -C rootfs && rm -r oci`, "sh", config.layer)

	writeBundle(t, dir, data, config)
	id := fmt.Sprintf("fandogh-image-test-%d", os.Getpid())
	p, err := programs.Start(t.Context(), filepath.Join(dir, "log"), nil, "runc", "run", "--bundle", dir, id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = programs.Command(t.Context(), "", nil, "runc", "kill", id, "KILL") // it may have ended
		p.Stop()
	})
	awaitReady(t, p, data)

	u := newUser(t, "runc", "exec", id, "fandoghd", "admin", "--data", "/var/lib/fandogh")
	_, ssh := addresses(data)
	app := u.app(t, "app", ssh, "RUN mkdir /d && echo x > /d/x")
	u.push(t, app, "v1")
	if said := command(t, "", nil, "runc", "exec", id, "fandoghd", "doctor"); !strings.Contains(said, "steps can be limited") {
		t.Errorf("doctor says\n%s", said)
	}
	command(t, "", nil, "runc", "kill", id, "TERM")
	eventually(t, "it ends in order", func() bool {
		_, err := os.Stat(filepath.Join(data, "addresses.json"))
		return os.IsNotExist(err)
	})
}

// image is what a runtime takes from an image's configuration.
type image struct {
	Env, Entrypoint, Cmd []string
	layer                string // hex
}

func imageConfig(t *testing.T, layout string) image {
	t.Helper()
	blob := func(digest string, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(read(t, filepath.Join(layout, "blobs", strings.Replace(digest, ":", "/", 1)))), into); err != nil {
			t.Fatal(err)
		}
	}
	type reference struct{ Digest string }
	var index struct{ Manifests []reference }
	if err := json.Unmarshal([]byte(read(t, filepath.Join(layout, "index.json"))), &index); err != nil || len(index.Manifests) != 1 {
		t.Fatalf("%v, %v", index, err)
	}
	var manifest struct {
		Config reference
		Layers []reference
	}
	blob(index.Manifests[0].Digest, &manifest)
	if len(manifest.Layers) != 1 {
		t.Fatalf("the image has %d layers", len(manifest.Layers))
	}
	var config struct{ Config image }
	blob(manifest.Config.Digest, &config)
	config.Config.layer = strings.TrimPrefix(manifest.Layers[0].Digest, "sha256:")
	return config.Config
}

// writeBundle has runc do what `docker run --privileged` does, but on this machine's network, by ports that are free.
func writeBundle(t *testing.T, dir, data string, from image) {
	t.Helper()
	command(t, dir, nil, "runc", "spec")
	var spec map[string]any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(dir, "config.json"))), &spec); err != nil {
		t.Fatal(err)
	}
	at := func(keys ...string) map[string]any {
		m := spec
		for _, key := range keys {
			m = m[key].(map[string]any)
		}
		return m
	}
	process := at("process")
	process["terminal"] = false
	process["args"] = append(from.Entrypoint, from.Cmd...)
	process["env"] = append(from.Env, "FANDOGH_HTTP_ADDR=127.0.0.1:0", "FANDOGH_SSH_ADDR=127.0.0.1:0")
	process["noNewPrivileges"] = false
	delete(process, "rlimits") // those of this process
	all := strings.Fields(strings.ToUpper(command(t, "", nil, "sh", "-c", `capsh --print | sed -n 's/^Bounding set =//p' | tr , ' '`)))
	for _, set := range []string{"bounding", "effective", "permitted"} {
		at("process", "capabilities")[set] = all
	}
	at("process", "capabilities")["inheritable"], at("process", "capabilities")["ambient"] = []string{}, []string{}
	at("root")["readonly"] = false
	linux := at("linux")
	delete(linux, "maskedPaths")
	delete(linux, "readonlyPaths")
	delete(linux, "seccomp")
	linux["resources"] = map[string]any{"devices": []any{map[string]any{"allow": true, "access": "rwm"}}}
	linux["namespaces"] = []any{map[string]any{"type": "pid"}, map[string]any{"type": "ipc"}, map[string]any{"type": "uts"}, map[string]any{"type": "mount"}}
	var mounts []any
	for _, m := range spec["mounts"].([]any) {
		mount := m.(map[string]any)
		switch mount["destination"] {
		case "/sys":
			mount["type"], mount["source"], mount["options"] = "bind", "/sys", []string{"rbind", "rw"}
		case "/sys/fs/cgroup":
			continue // part of /sys
		}
		mounts = append(mounts, mount)
	}
	spec["mounts"] = append(mounts,
		map[string]any{"destination": "/var/lib/fandogh", "type": "bind", "source": data, "options": []string{"bind", "rw"}},
		map[string]any{"destination": "/etc/resolv.conf", "type": "bind", "source": "/etc/resolv.conf", "options": []string{"bind", "ro"}},
		map[string]any{"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": []string{"mode=1777"}},
		map[string]any{"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": []string{"mode=755"}})
	text, err := json.Marshal(spec)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "config.json"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

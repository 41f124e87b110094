//go:build linux

package buildkit

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// factsImage is a file of what a step sees of its surroundings, but for what is
// decided otherwise: its network, its control group and the score that lets the kernel
// kill it first.
const factsImage = buildkittest.BusyboxImage + `RUN ( \
  grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp)' /proc/self/status; \
  cat /proc/self/limits; \
  awk '{ if ($2 == "/") print $2, $3; else if ($2 ~ "^/etc/") print $2; else print $2, $3, $4 }' /proc/mounts; \
  ls -lL /dev | awk '{ print $1, $3, $4, $5, $6, $NF }' | grep -v otel; \
  ls /sys /sys/fs/cgroup; ls /proc/self/ns; \
  env | grep -v TRACEPARENT; hostname; id; umask; pwd; \
  cat /etc/hosts /etc/resolv.conf; \
  grep '' /proc/sys/kernel/hostname /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range; \
  ) > /facts 2>&1
FROM scratch
COPY --from=0 /facts /facts
`

// plainFacts has a plain buildkitd of the same binary build the image. It is alone in
// namespaces of its own, with which it ends.
func plainFacts(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	socket := "unix://" + filepath.Join(dir, "plain.sock")
	daemon := exec.Command("unshare", "--pid", "--mount", "--net", "--fork", "--kill-child", "--mount-proc", buildkittest.Tool("buildkitd"),
		"--config", os.DevNull, "--addr", socket, "--root", filepath.Join(dir, "root"), "--oci-worker-net", "host", "--containerd-worker", "false",
		"--otel-socket-path", filepath.Join(dir, "trace.sock"))
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = daemon.Process.Kill(); _ = daemon.Wait() })
	context, out := filepath.Join(dir, "context"), filepath.Join(dir, "out")
	if err := os.Mkdir(context, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(context, "Dockerfile"), []byte(factsImage), 0o600); err != nil {
		t.Fatal(err)
	}
	buildkittest.Run(t, "cp", "/bin/busybox", context)
	probe := &backends{}
	testkit.Eventually(t, "the plain buildkitd answers", func() bool {
		c, err := probe.connect(t.Context(), socket)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
	buildkittest.Run(t, buildkittest.Tool("buildctl"), "--addr", socket, "build", "--frontend=dockerfile.v0", "--local", "context="+context, "--local", "dockerfile="+context,
		"--output", "type=local,dest="+out)
	facts, err := os.ReadFile(filepath.Join(out, "facts"))
	if err != nil {
		t.Fatal(err)
	}
	return string(facts)
}

func TestStepSeesWhatPlainBuildKitGives(t *testing.T) {
	plain := plainFacts(t)
	r := env.Request("ann", "facts", "1.0", buildkittest.NewTree(map[string]string{"Dockerfile": factsImage}).WithBusybox())
	r.Options.NoCache = true
	env.Solve(t, r)
	ours := env.ImageFile(t, r, "facts")
	if ours != plain {
		have := strings.Split(ours, "\n")
		for i, line := range strings.Split(plain, "\n") {
			if i >= len(have) || have[i] != line {
				t.Errorf("line %d is %q, in plain BuildKit %q", i, have[min(i, len(have)-1)], line)
			}
		}
	}
}

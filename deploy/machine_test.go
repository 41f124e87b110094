//go:build deploy

package deploy

import (
	"bytes"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// TestMachine does what an operator does, on a machine with a systemd, a Docker and a kernel of its own, with control groups of version
// 2: a Debian that `make machine-test` made, in a virtual machine. What the scripts of testdata/machine say is done there.
func TestMachine(t *testing.T) {
	m := newMachine(t)
	m.boot(t)
	t.Run("limits", func(t *testing.T) { m.script(t, "limits.sh") })
	t.Run("systemd", func(t *testing.T) { m.script(t, "systemd.sh") })
	var said string
	t.Run("before a power failure", func(t *testing.T) { said = m.script(t, "before-cut.sh") })
	m.cut(t)
	m.boot(t)
	t.Run("after a power failure", func(t *testing.T) {
		acknowledged := regexp.MustCompile(`(?m)^acknowledged: .*$`).FindAllString(said, -1)
		file := filepath.Join(m.dir, "acknowledged") // on that machine it might be lost, or keep other files from being
		if err := os.WriteFile(file, []byte(strings.Join(acknowledged, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		m.copy(t, file, "acknowledged")
		m.script(t, "after-cut.sh")
	})
	t.Run("clock", func(t *testing.T) { m.script(t, "clock.sh") })
	t.Run("removal", func(t *testing.T) { m.script(t, "removal.sh") })
	t.Run("compose", func(t *testing.T) { m.script(t, "compose.sh") })
}

// machine is a virtual machine, whose disk lasts until the test ends.
type machine struct {
	dir     string
	process *programs.Process
	ssh     []string // command that runs another there
}

// newMachine makes a disk on top of the one that all tests share, and one of the files that the scripts find in /files.
func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{dir: t.TempDir()}
	command(t, m.dir, nil, "qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", tool(t, "machine/disk.img"), "disk.qcow2")
	command(t, m.dir, nil, "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-d", tool(t, "machine/files"), "files.img", "2G")
	command(t, m.dir, nil, "cp", tool(t, "machine/key"), "key") // which must be private
	return m
}

// boot starts the machine, which runs as long as t does, and waits until it is up. It reaches nothing of this one, nor what that reaches.
func (m *machine) boot(t *testing.T) {
	t.Helper()
	address, err := programs.FreeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	accelerator := os.Getenv("MACHINE_ACCEL")
	if accelerator == "" {
		accelerator = "tcg,thread=multi" // slow, and the same everywhere; kvm is much faster, on a machine of metal
	}
	m.process, err = programs.Start(t.Context(), filepath.Join(m.dir, "console"), nil, "qemu-system-x86_64",
		"-accel", accelerator, "-cpu", "max,la57=off", "-smp", "2", "-m", "4096", "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
		"-kernel", tool(t, "machine/vmlinuz"), "-initrd", tool(t, "machine/initrd.img"), "-append", "root=/dev/vda rw console=ttyS0 net.ifnames=0 panic=-1 mitigations=off",
		"-drive", "file="+filepath.Join(m.dir, "disk.qcow2")+",if=virtio,cache=writeback",
		"-drive", "file="+filepath.Join(m.dir, "files.img")+",format=raw,if=virtio,readonly=on",
		"-nic", "user,model=virtio-net-pci,restrict=on,hostfwd=tcp:"+address+"-:22")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.process.Stop)
	m.ssh = append([]string{"ssh", "-p", port}, strings.Fields(programs.SSHFlags(filepath.Join(m.dir, "key"))+" -o ConnectTimeout=5 root@"+host)...)
	for up := false; !up; { // it boots for as long as it needs, unless it ends
		err := m.process.Await(t.Context(), func() bool {
			_, err := programs.Command(t.Context(), "", nil, m.ssh[0], append(m.ssh[1:], "systemctl", "is-system-running", "--wait")...)
			up = err == nil
			return up
		})
		if err != nil && (strings.Contains(err.Error(), "ended") || t.Context().Err() != nil) {
			t.Fatal(err)
		}
	}
}

// cut ends the machine as a power failure does: what it did not write to its disk is lost.
func (m *machine) cut(t *testing.T) {
	t.Helper()
	if err := m.process.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	m.process.Stop()
}

// copy copies a file into root's home there.
func (m *machine) copy(t *testing.T, from, to string) {
	t.Helper()
	command(t, "", nil, "sh", append([]string{"-c", `file=$1; shift; "$@" <"$file"`, "sh", from}, append(m.ssh, "cat >"+to)...)...)
}

// script runs one of testdata/machine, with what all have in common, shows what it says and returns it.
func (m *machine) script(t *testing.T, name string) (said string) {
	t.Helper()
	var parts []io.Reader
	for _, file := range []string{"common.sh", name} {
		text, err := os.ReadFile(filepath.Join("testdata", "machine", file))
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, bytes.NewReader(text))
	}
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), m.ssh[0], append(m.ssh[1:], "cat >script && bash script 2>&1")...) //nolint:gosec // ours
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.MultiReader(parts...), io.MultiWriter(&out, t.Output()), t.Output()
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

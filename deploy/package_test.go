//go:build deploy

package deploy

import (
	"net"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/fandoghpaas/fandogh/internal/programs"
)

// inside runs a command in a copy of this system, of which nothing outside is changed: $1 holds what is changed. $2 is its
// /var/lib/fandogh, on a file system that BuildKit can use.
const inside = `set -e
root=$1/root data=$2
shift 2
mkdir -p $root
mount -t overlay overlay -o lowerdir=/,upperdir=${root%root}upper,workdir=${root%root}work $root
for dir in proc sys dev run; do mount --rbind /$dir $root/$dir; done
mkdir -p $root/var/lib/fandogh
mount --bind $data $root/var/lib/fandogh
`

// asService goes on as systemd would by the settings of the unit; $1 are the capabilities it takes.
const asService = `
for dir in usr etc boot; do mount --bind $root/$dir $root/$dir; mount -o remount,bind,ro $root/$dir; done
for dir in home root tmp; do mount -t tmpfs tmpfs $root/$dir; done
caps=$1
shift
exec setpriv --bounding-set $caps chroot $root "$@"
`

// TestPackage installs the package, starts the daemon that it brings as its unit says, and pushes to it.
func TestPackage(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	for _, sub := range []string{"upper", "work"} {
		command(t, dir, nil, "mkdir", sub)
	}
	in := func(args ...string) string {
		t.Helper()
		return command(t, "", nil, "unshare", append([]string{"-m", "--propagation", "slave", "sh", "-c", inside + `exec chroot $root "$@"`, "sh", dir, data}, args...)...)
	}
	command(t, "", nil, "cp", tool(t, "fandogh_"+runtime.GOARCH+".deb"), filepath.Join(dir, "upper", "fandogh.deb"))
	if said := in("dpkg", "-i", "/fandogh.deb"); !strings.Contains(said, "systemctl enable --now fandoghd") {
		t.Errorf("the installation does not say what to type next:\n%s", said)
	}
	installed := filepath.Join(dir, "upper")
	if page := in("man", "fandoghd-admin-backup"); !strings.Contains(page, "--keep") {
		t.Errorf("the manual page:\n%s", page)
	}
	for _, program := range []string{"fandogh", "fandoghd"} {
		in("bash", "-ec", ". /usr/share/bash-completion/completions/"+program+"; complete -p "+program)
		if completed := in(program, "__complete", "h"); !strings.Contains(completed, "help") {
			t.Errorf("%s completes %q", program, completed)
		}
	}

	unit := read(t, filepath.Join(installed, "usr/lib/systemd/system/fandoghd.service"))
	setting := func(name string) string {
		return regexp.MustCompile(`(?m)^` + name + `=(.*)$`).FindStringSubmatch(unit)[1]
	}
	caps := strings.Fields(strings.TrimPrefix(setting("CapabilityBoundingSet"), "~CAP_"))
	for i, c := range caps {
		caps[i] = "-" + strings.ToLower(strings.TrimPrefix(c, "CAP_"))
	}
	systemd, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "@fandogh-package-test", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer systemd.Close() //nolint:errcheck // nothing is lost
	start := func() *programs.Process {
		t.Helper()
		args := append([]string{"-m", "--propagation", "slave", "sh", "-c", inside + asService, "sh", dir, data, strings.Join(caps, ",")}, strings.Fields(setting("ExecStart"))...)
		env := []string{"NOTIFY_SOCKET=@fandogh-package-test", "WATCHDOG_USEC=3000000", "FANDOGH_HTTP_ADDR=127.0.0.1:0", "FANDOGH_SSH_ADDR=127.0.0.1:0", "TMPDIR=/tmp"}
		p, err := programs.Start(t.Context(), filepath.Join(dir, "log"), env, "unshare", args...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		awaitReady(t, p, data)
		return p
	}
	daemon := start()
	for _, want := range []string{"READY=1", "WATCHDOG=1", "WATCHDOG=1"} {
		heard(t, systemd, want)
	}
	program := filepath.Join(installed, "usr/bin/fandoghd")
	u := newUser(t, program, "admin", "--data", data)
	_, ssh := addresses(data)
	app := u.app(t, "app", ssh, `RUN hostname && mkdir /d && chmod 4755 /made && echo > /d/x && test "$(umask)" = 0022`)
	u.push(t, app, "v1")

	// A crash leaves what is named outside of the service's own mounts.
	if err := daemon.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	daemon.Stop()
	if err := os.Remove(filepath.Join(data, "addresses.json")); err != nil {
		t.Fatal(err)
	}
	daemon = start()
	_, ssh = addresses(data)
	command(t, app, nil, "git", "remote", "set-url", "fandogh", "ssh://git@"+ssh+"/ann/app")
	command(t, app, u.gitEnv, "git", "commit", "-q", "--allow-empty", "-m", "second")
	u.push(t, app, "v2")
	daemon.Stop()
	heard(t, systemd, "STOPPING=1")

	if said := in("dpkg", "--purge", "fandogh"); !strings.Contains(said, "Images and accounts are still in /var/lib/fandogh") {
		t.Errorf("purging says\n%s", said)
	}
	if _, err := os.Stat(filepath.Join(data, "fandogh.db")); err != nil {
		t.Error(err)
	}
}

// heard waits until the daemon says something to systemd.
func heard(t *testing.T, systemd *net.UnixConn, want string) {
	t.Helper()
	said := make([]byte, 1000)
	if err := systemd.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for {
		n, err := systemd.Read(said)
		if err != nil {
			t.Fatalf("waiting for %s: %v", want, err)
		}
		if strings.HasPrefix(string(said[:n]), want) {
			return
		}
	}
}

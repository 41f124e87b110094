//go:build linux

package buildkitd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/fandoghpaas/fandogh/builder/buildkitd/netspace"
	"github.com/fandoghpaas/fandogh/builder/buildkittest"
	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// attacker is testdata/attack, built once.
var attacker = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fandogh-attack")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary directory
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "attack"), "./testdata/attack")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}
	return os.ReadFile(filepath.Join(dir, "attack"))
})

// stepTree has one RUN of a script, with busybox and the attacks.
func stepTree(t *testing.T, script string) *buildkittest.Tree {
	t.Helper()
	program, err := attacker()
	if err != nil {
		t.Fatal(err)
	}
	tree := buildkittest.NewTree(map[string]string{"Dockerfile": buildkittest.BusyboxImage + "COPY attack /bin/attack\nRUN " + script + "\n"}).WithBusybox()
	return tree.Add("attack", string(program), 0o755)
}

// runStep runs a script in a step and returns the build's log.
func runStep(t *testing.T, namespace, script string) string {
	t.Helper()
	r := env.Request(namespace, "step", "1.0", stepTree(t, script))
	r.Options.NoCache = true
	_, log := env.Solve(t, r)
	return log
}

// whileStepRuns runs a script in a step until f is over, which is given the
// step's IPv4 address and what it says.
func whileStepRuns(t *testing.T, script string, f func(address string, said *buildkittest.Recorder)) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said := &buildkittest.Recorder{Notify: make(chan string, 1000)}
	done := make(chan struct{})
	r := env.Request("ann", "victim", "1.0", stepTree(t, "ip -4 -o addr show | grep inet.10 | awk '{print \"at \" $4}' | cut -d/ -f1; "+script))
	r.Options.NoCache = true
	go func() {
		defer close(done)
		_, _ = env.Solver.Solve(ctx, r, said.Event)
	}()
	defer func() { cancel(); <-done }()
	buildkittest.AwaitLine(t, said, "| at 10.")
	_, address, _ := strings.Cut(said.Text(), "| at ")
	f(strings.Fields(address)[0], said)
}

func TestStepsDoNotReachEachOther(t *testing.T) {
	victim := "ip -6 -o addr show | grep fe80 | awk '{print \"local \" $4}' | cut -d/ -f1; echo listening; while true; do echo hello | nc -l -p 9000 >/dev/null; done"
	whileStepRuns(t, victim, func(address string, said *buildkittest.Recorder) {
		buildkittest.AwaitLine(t, said, "| listening")
		try := "nc -w 2 " + address + " 9000 </dev/null; "
		if _, local, ok := strings.Cut(said.Text(), "| local "); ok {
			try += "nc -w 2 " + strings.Fields(local)[0] + "%$(ls /sys/class/net | grep eth) 9000 </dev/null; "
		}
		log := runStep(t, "bob", try+"ping6 -c 2 ff02::1%$(ls /sys/class/net | grep eth); echo tried")
		if strings.Contains(log, "| hello") || strings.Contains(log, "bytes from fe80") && strings.Contains(log, "DUP!") || !strings.Contains(log, "| tried") {
			t.Errorf("one step reached another, or did not try:\n%s", log)
		}
	})
}

// What a step sends changes neither the routes of a step beside it nor those of
// later ones, which may be given the same namespace.
func TestStepsDoNotConfigureEachOther(t *testing.T) {
	host := buildkittest.Outside(t)
	show := "ip -6 addr; ip -6 route; cat /proc/net/ipv6_route; ip route get " + host + "; ip neigh; attack mtu " + host + "; echo shown"
	before := runStep(t, "ann", show)
	whileStepRuns(t, "while true; do sleep 1; echo; "+show+"; done", func(address string, said *buildkittest.Recorder) {
		buildkittest.AwaitLine(t, said, "| shown")
		mine := runStep(t, "bob", "attack advertise; attack redirect "+host+"; attack shrink "+host+"; attack arp "+address+"; sleep 1; "+show)
		buildkittest.AwaitLine(t, said, "| shown")
		buildkittest.AwaitLine(t, said, "| shown")
		if text := said.Text(); strings.Contains(text, "bad") {
			t.Errorf("the neighbour is configured:\n%s", text)
		}
		if n := strings.Count(mine, "| shown"); n != 1 {
			t.Fatalf("the attacks did not run:\n%s", mine)
		}
	})
	for range 2 * readyNamespaces {
		after := runStep(t, "ann", show)
		if strings.Contains(after, "bad") || !strings.Contains(after, "| shown") {
			t.Fatalf("a later step has:\n%s\nbefore:\n%s", after, before)
		}
		_, route, _ := strings.Cut(after, host+" via ")
		_, wanted, _ := strings.Cut(before, host+" via ")
		if gateway := strings.Fields(wanted)[0]; strings.Fields(route)[0] != gateway {
			t.Fatalf("a later step goes to %s by another gateway:\n%s", host, after)
		}
		if strings.Contains(after, "mtu 600") {
			t.Fatalf("a later step sends small packets to %s:\n%s", host, after)
		}
	}
}

// No step may answer for a neighbour, nor send in its name.
func TestStepsDoNotBorrowAddresses(t *testing.T) {
	host := buildkittest.Outside(t)
	heard := listenOutside(t)
	whileStepRuns(t, "while true; do sleep 1; attack udp $(ip -4 -o addr show | grep -o '10[.][0-9.]*' | head -1) "+host+" 9999 mine; done", func(address string, said *buildkittest.Recorder) {
		log := runStep(t, "bob", fmt.Sprintf("attack udp $(ip -4 -o addr show | grep -o '10[.][0-9.]*' | head -1) %[1]s 9999 honest-; attack udp %[2]s %[1]s 9999 neighbours-; attack udp 203.0.113.7 %[1]s 9999 foreign-; echo sent", host, address))
		if !strings.Contains(log, "| sent") || strings.Contains(log, "| attack:") {
			t.Fatalf("the attacks did not run:\n%s", log)
		}
		testkit.Eventually(t, "the honest datagram arrives", func() bool { return strings.Contains(heard(), "honest") })
		testkit.Eventually(t, "the victim's datagram arrives after it", func() bool {
			_, after, _ := strings.Cut(heard(), "honest")
			return strings.Contains(after, "mine")
		})
		if text := heard(); strings.Contains(text, "neighbours") || strings.Contains(text, "foreign") {
			t.Errorf("datagrams with borrowed addresses arrived: %s", text)
		}
	})
}

// listenOutside hears datagrams at port 9999 of the host outside.
func listenOutside(t *testing.T) (heard func() string) {
	t.Helper()
	var conn net.PacketConn
	err := netspace.Do(buildkittest.OutsideName(), func() (err error) {
		conn, err = net.ListenPacket("udp4", ":9999")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	var mu sync.Mutex
	var text strings.Builder
	go func() {
		for b := make([]byte, 2000); ; {
			n, _, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			mu.Lock()
			text.Write(b[:n])
			mu.Unlock()
		}
	}()
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return text.String()
	}
}

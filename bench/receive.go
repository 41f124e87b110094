package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/programs"
)

const receiveRounds = 3

// firstPush is row 4. The pack is made beforehand and sent by the same few lines
// to both sides, so that what is timed is receiving alone: from the
// connection to the answer that the objects are stored.
func firstPush(ctx context.Context, b *bench) ([]measure, error) {
	return b.eachHistory(ctx, b.receive)
}

// receive measures one history. The daemon is a new one: in memory that an earlier
// row made it use, receiving would not show.
func (b *bench) receive(ctx context.Context, open func() (*history, error)) (all []measure, err error) {
	p, err := b.peer(ctx)
	if err != nil {
		return nil, err
	}
	h, err := open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(h.dir)) }()
	d, err := startDaemon(ctx, b, b.path("receiver"))
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if err := pause(ctx, idleTime); err != nil {
		return nil, err
	}
	idle, _ := resident(d.Process)
	n := float64(h.objects)
	took := measure{row: 4, what: "receive a long history", size: h.size(), n: n, unit: "s", goal: 1}
	memory := measure{row: 4, what: "memory above idle while receiving", size: h.size(), n: n, unit: "MB", goal: 128}
	send := func(s side, app string, repository string, flags string, address string) (float64, error) {
		if err := s.prepare(ctx, app); err != nil {
			return 0, err
		}
		return seconds(func() error { return h.send(ctx, flags, address, repository) })
	}
	err = inTurn(receiveRounds, func(round int) error {
		now, _ := resident(d.Process)
		idle = min(idle, now) // a new daemon still gives back what starting took
		if err := resetPeak(d.Process); err != nil {
			return err
		}
		s, err := send(d, "", "/"+user+"/long"+strconv.Itoa(h.objects)+"-"+strconv.Itoa(round), d.sshFlags, "git@"+d.SSH)
		_, peak := resident(d.Process)
		took.ours, memory.ours = append(took.ours, s), append(memory.ours, peak-idle)
		return err
	}, func(round int) error {
		app := "long" + strconv.Itoa(h.objects) + "-" + strconv.Itoa(round)
		s, err := send(p, app, p.repository(app), p.flags, "root@"+p.ssh)
		took.peer = append(took.peer, s)
		return err
	})
	if err != nil {
		return nil, err
	}
	build, err := h.buildAfter(ctx, d, p)
	return []measure{took, memory, build}, err
}

// buildAfter pushes a tag of the history as a user does, with its build.
func (h *history) buildAfter(ctx context.Context, d *daemon, p *peer) (measure, error) {
	m := measure{row: 4, what: "git push of the history with its build", size: h.size(), n: float64(h.objects), unit: "s"}
	w := &workTree{dir: h.dir, app: "built" + strconv.Itoa(h.objects)}
	if _, err := programs.Command(ctx, h.dir, nil, "git", "tag", "-f", "v1", h.head); err != nil {
		return m, err
	}
	for _, s := range []side{d, p} {
		if err := s.prepare(ctx, w.app); err != nil {
			return m, err
		}
	}
	return m, measurePush(ctx, w, [2]side{d, p}, 0, "v1", &m)
}

// send is git push without packing: it reads the advertisement, sends one
// command and the pack, and wants the answer to be good.
func (h *history) send(ctx context.Context, flags, address, repository string) error {
	host, port, _ := strings.Cut(address, ":")
	args := append(strings.Fields(flags), "-p", port, host, "git-receive-pack '"+repository+"'")
	cmd := exec.CommandContext(ctx, "ssh", args...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	answers := bufio.NewReader(out)
	if err := skipAdvertisement(answers); err != nil {
		return err
	}
	line := strings.Repeat("0", 40) + " " + h.head + " refs/heads/main\x00report-status"
	if _, err := fmt.Fprintf(in, "%04x%s0000", len(line)+4, line); err != nil {
		return err
	}
	if err := h.sendPack(in); err != nil {
		return err
	}
	answer, err := bounded.ReadAll(answers, maxAnswer)
	if err != nil {
		return err
	}
	if !strings.Contains(string(answer), "unpack ok") || !strings.Contains(string(answer), "ok refs/heads/main") {
		return fmt.Errorf("the push was refused: %q", answer)
	}
	return cmd.Wait()
}

func (h *history) sendPack(in io.WriteCloser) error {
	pack, err := os.Open(h.pack)
	if err != nil {
		return err
	}
	defer pack.Close() //nolint:errcheck // only read
	if _, err := io.Copy(in, pack); err != nil {
		return err
	}
	return in.Close()
}

func skipAdvertisement(r io.Reader) error {
	head := make([]byte, 4)
	for {
		if _, err := io.ReadFull(r, head); err != nil {
			return fmt.Errorf("advertisement: %w", err)
		}
		n, err := strconv.ParseInt(string(head), 16, 32)
		if err != nil {
			return fmt.Errorf("advertisement: %w", err)
		}
		if n == 0 {
			return nil
		}
		if _, err := io.CopyN(io.Discard, r, n-4); err != nil {
			return err
		}
	}
}

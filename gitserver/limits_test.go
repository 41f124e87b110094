package gitserver

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/pktline"
)

// More refs than a user pushes by hand, each reported by name.
func TestTenThousandRefs(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	var refs strings.Builder
	for i := range 10_001 {
		fmt.Fprintf(&refs, "create refs/heads/b%d %s\n", i, commit)
	}
	cmd := c.command("update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(refs.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if out := c.git("push", "--porcelain", "origin", "refs/heads/b*:refs/heads/b*"); strings.Count(out, "[new branch]") != 10_001 {
		t.Errorf("git said %.500s", out)
	}
	if n := strings.Count(h.serverRefs(), "\n"); n != 10_001 {
		t.Errorf("%d refs", n)
	}
}

// What is too much is told in a sentence, not in what git takes for a broken protocol.
func TestTooMuchInAPush(t *testing.T) {
	h := newEnv(t, nil)
	c := h.newClone("alice", "app")
	commit := c.commit("a", "1")
	c.git("push", "-q", "origin", "main")
	options := []string{"push", "origin", "main:other"}
	for range 201 {
		options = append(options, "-o", "no-cache")
	}
	c.git(options...)
	for range maxPushOptions {
		options = append(options, "-o", "no-cache")
	}
	out := c.fails(append(options, "main:third"), "a push can have at most 1000 push options")
	if strings.Contains(out, "bad band") {
		t.Errorf("git said %s", out)
	}

	send := func(lines ...string) string {
		var request bytes.Buffer
		packets := pktline.NewEncoder(&request)
		for _, line := range lines {
			if err := packets.EncodeString(line); err != nil {
				t.Fatal(err)
			}
		}
		if err := packets.Flush(); err != nil {
			t.Fatal(err)
		}
		pack := c.command("pack-objects", "--stdout", "-q")
		data, err := pack.Output()
		if err != nil {
			t.Fatal(err)
		}
		request.Write(data)
		cmd := exec.Command("ssh", append(h.sshArgs("alice"), "git@127.0.0.1", "git-receive-pack app")...)
		cmd.Stdin = &request
		answer, _ := cmd.CombinedOutput()
		_, answer, _ = bytes.Cut(answer, []byte("\n0000"))
		return string(answer)
	}
	zero, capabilities := plumbing.ZeroHash.String(), "\x00report-status side-band-64k"
	for _, length := range []int{4100, 40_000, 65_390} {
		name := "refs/heads/" + strings.Repeat("a/", length/2)
		answer := send(fmt.Sprintf("%s %s refs/heads/fine%d%s", zero, commit, length, capabilities), zero+" "+commit+" "+name)
		if !strings.Contains(answer, fmt.Sprintf("ok refs/heads/fine%d", length)) || !strings.Contains(answer, "ng "+name[:1000]) {
			t.Errorf("a name of %d bytes: %.300q", length, answer)
		}
		if !strings.Contains(h.serverRefs(), fmt.Sprintf("fine%d", length)) {
			t.Error("the other ref was not made")
		}
	}
	// One ref twice: the first is done, as git has it.
	answer := send(zero+" "+commit+" refs/heads/twice"+capabilities, zero+" "+commit+" refs/heads/twice")
	if !strings.Contains(answer, "ok refs/heads/twice") || !strings.Contains(answer, "ng refs/heads/twice refs/heads/twice is updated twice") {
		t.Errorf("one ref twice: %q", answer)
	}
	if u := h.receiver.last(t).Updates; len(u) != 1 || u[0].Name != "refs/heads/twice" {
		t.Errorf("told of %+v", u)
	}
	lines := []string{zero + " " + commit + " refs/heads/x" + capabilities}
	for i := range 600 {
		lines = append(lines, fmt.Sprintf("%s %s refs/heads/%d%s", zero, commit, i, strings.Repeat("x", 60_000)))
	}
	if answer := send(lines...); !strings.Contains(answer, "the request is larger than 32 MiB") {
		t.Errorf("a request of 36 MB: %.300q", answer)
	}
}

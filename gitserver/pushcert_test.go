package gitserver

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/fandoghpaas/fandogh/internal/testkit"
)

// A signed push names its signer in the audit log; one that another user signed is refused.
func TestSignedPush(t *testing.T) {
	log := &testkit.Buffer{}
	h := newEnv(t, func(c *Config) { c.Logger = hclog.New(&hclog.LoggerOptions{Name: "fandoghd", Output: log}) })
	h.addUser("bob")
	c := h.newClone("alice", "app")
	c.commit("a", "1")
	signed := func(key string, arguments ...string) []string {
		return append([]string{"-c", "gpg.format=ssh", "-c", "user.signingkey=" + h.key(key), "push", "--signed"}, arguments...)
	}
	c.git("tag", "v1")
	c.git(signed("alice", "-o", "no-cache", "origin", "main", "v1")...)
	if n := len(regexp.MustCompile(`signed_by="?SHA256:`).FindAllString(log.String(), -1)); n != 2 {
		t.Errorf("%d lines of the audit log name the signer:\n%s", n, log.String())
	}
	if !h.receiver.last(t).Options.Build.NoCache {
		t.Error("the push option was lost")
	}
	before := h.serverRefs()
	c.commit("a", "2")
	c.fails(signed("bob", "origin", "main"), "which is not one of your keys here; add it")
	if after := h.serverRefs(); after != before {
		t.Errorf("refs were\n%s\nare\n%s", before, after)
	}
	c.git(signed("alice", "--atomic", "origin", "main", ":refs/tags/v1")...)
	if refs := h.serverRefs(); strings.Contains(refs, "v1") {
		t.Errorf("refs are\n%s", refs)
	}
	c.git("push", "origin", "main:unsigned")

	// A signature that is for other commands, and one that only looks like GPG's.
	key := h.dir + "/gpg"
	script := "#!/bin/sh\ncat >/dev/null\nprintf '[GNUPG:] SIG_CREATED \\n' >&2\nprintf -- '-----BEGIN PGP SIGNATURE-----\\n\\nx\\n-----END PGP SIGNATURE-----\\n'\n"
	if out, err := exec.Command("sh", "-c", "printf '%s' \"$1\" > \"$0\" && chmod +x \"$0\"", key, script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.git("-c", "gpg.program="+key, "push", "--signed", "origin", "main:gpg")
	if !strings.Contains(log.String(), `signed_by="not verified: not an SSH signature"`) {
		t.Error("the audit log does not tell of an unverified signature")
	}
	fake := h.dir + "/ssh-keygen"
	script = "#!/bin/sh\nfor f; do :; done\necho other > $f.other\nssh-keygen -q -Y sign -n git -f " + h.key("alice") + " $f.other && mv $f.other.sig $f.sig\n"
	if out, err := exec.Command("sh", "-c", "printf '%s' \"$1\" > \"$0\" && chmod +x \"$0\"", fake, script).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	c.fails(append([]string{"-c", "gpg.ssh.program=" + fake}, signed("alice", "origin", "main:forged")...), "the push certificate's signature is not valid")
}

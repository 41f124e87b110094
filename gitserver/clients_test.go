package gitserver

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	gossh "golang.org/x/crypto/ssh"
)

// paramiko logs in with a key and prints what a command prints on both streams.
const paramiko = `
import sys, paramiko
port, key, command = int(sys.argv[1]), sys.argv[2], sys.argv[3]
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", port, "git", key_filename=key, allow_agent=False, look_for_keys=False)
_, out, err = client.exec_command(command)
print(out.read().decode() + err.read().decode())
sys.exit(out.channel.recv_exit_status())
`

// sshClient runs a command by some client. prepare turns an OpenSSH key file into
// the client's own.
type sshClient struct {
	prepare []string // KEY and OWN stand for files; nil: none is needed
	command []string // PORT and OWN
}

func (c sshClient) run(ctx context.Context, h *env, key, command string) (string, error) {
	own := key + ".own"
	words := strings.NewReplacer("KEY", key, "OWN", own, "PORT", h.port)
	if c.prepare == nil {
		words = strings.NewReplacer("OWN", key, "PORT", h.port)
	}
	for i, args := range [][]string{c.prepare, append(c.command, command)} {
		if args == nil {
			continue
		}
		var all []string
		for _, arg := range args {
			if i == 0 || arg != command {
				arg = words.Replace(arg)
			}
			all = append(all, arg)
		}
		cmd := exec.CommandContext(ctx, all[0], all[1:]...)
		cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(key))
		if out, err := cmd.CombinedOutput(); err != nil || i == 1 {
			return string(out), err
		}
	}
	return "", nil
}

func TestClientsLogIn(t *testing.T) {
	h := newEnv(t, nil)
	hostKey := gossh.FingerprintSHA256(h.server.HostKey())
	clients := map[string]sshClient{
		"OpenSSH": {nil, []string{
			"ssh", "-F", "/dev/null", "-p", "PORT", "-i", "OWN", "-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none", "-o", "BatchMode=yes",
			"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "git@127.0.0.1",
		}},
		"plink":    {[]string{"puttygen", "KEY", "-O", "private", "-o", "OWN"}, []string{"plink", "-batch", "-P", "PORT", "-i", "OWN", "-hostkey", hostKey, "git@127.0.0.1"}},
		"dbclient": {[]string{"dropbearconvert", "openssh", "dropbear", "KEY", "OWN"}, []string{"dbclient", "-y", "-y", "-p", "PORT", "-i", "OWN", "git@127.0.0.1"}},
		// The system's Python has the system's paramiko.
		"paramiko": {nil, []string{"/usr/bin/python3", "-c", paramiko, "PORT", "OWN"}},
	}
	for kind, args := range map[string][]string{
		"ed25519": {"-t", "ed25519"}, "ecdsa": {"-t", "ecdsa"}, "ecdsa 521": {"-t", "ecdsa", "-b", "521"}, "rsa": {"-t", "rsa", "-b", "3072"},
	} {
		key := filepath.Join(t.TempDir(), "key")
		keygen(t, append(args, "-N", "", "-f", key)...)
		text, err := os.ReadFile(key + ".pub")
		if err != nil {
			t.Fatal(err)
		}
		public, _, _, _, err := gossh.ParseAuthorizedKey(text)
		if err != nil {
			t.Fatal(err)
		}
		h.addKey(public)
		for name, client := range clients {
			if out, err := client.run(t.Context(), h, key, "images"); err != nil || !strings.Contains(out, "No images yet") {
				t.Errorf("%s, %s: %v\n%s", name, kind, err, out)
			}
			if out, err := client.run(t.Context(), h, key, "versions nothing"); err == nil || !strings.Contains(out, "nothing does not exist") {
				t.Errorf("%s, %s, an error: %v\n%s", name, kind, err, out)
			}
		}
	}
}
